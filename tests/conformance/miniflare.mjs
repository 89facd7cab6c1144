// Serves the Worker of the conformance suite with Miniflare's own KV, D1 and Durable Objects, in memory, on a free port of the
// loopback interface. Prints one line of JSON when it is ready and ends, with its workerd, when it is told to (SIGTERM).
//
//   node miniflare.mjs <folder with node_modules> <folder with index.js and index_bg.wasm> <number of cases>
import { createRequire } from "node:module";
import { join } from "node:path";

const [npmFolder, bundle, cases] = process.argv.slice(2);
const require = createRequire(join(npmFolder, "from-here.js"));
const { Miniflare, convertV4MiniflareOptions } = require("miniflare");
const version = (name) => {
  const main = require.resolve(name);
  const folder = main.slice(0, main.indexOf(join("node_modules", name)));
  return require(join(folder, "node_modules", name, "package.json")).version;
};

// Every case has a namespace and a database of its own, so that no case sees what another one left.
const pool = (prefix) =>
  Object.fromEntries([...Array(Number(cases)).keys()].map((n) => [`${prefix}_${n}`, `${prefix}_${n}`]));

const miniflare = new Miniflare(convertV4MiniflareOptions({
  host: "127.0.0.1",
  port: 0,
  cf: false,
  modulesRoot: bundle,
  modules: [
    { type: "ESModule", path: join(bundle, "index.js") },
    { type: "CompiledWasm", path: join(bundle, "index_bg.wasm") },
  ],
  compatibilityDate: "2026-08-20",
  kvNamespaces: pool("KV"),
  d1Databases: pool("DB"),
  durableObjects: { OBJECT: { className: "Thing", useSQLite: true } },
}));
const url = await miniflare.ready;
const versions = {
  recorded: new Date().toISOString().slice(0, 10),
  miniflare: version("miniflare"),
  workerd: version("workerd"),
};
console.log(JSON.stringify({ port: Number(url.port), versions }));
process.on("SIGTERM", async () => {
  await miniflare.dispose();
  process.exit(0);
});
