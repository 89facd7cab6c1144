// Serves the production Worker with Miniflare's own KV, D1 and Durable Objects, in memory, on a free port of the loopback
// interface. Prints one line of JSON when it is ready, and ends when it is told to.
//
//   node miniflare.mjs <folder with node_modules> <settings.json>
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [npmFolder, settingsFile] = process.argv.slice(2);
const { Miniflare, convertV4MiniflareOptions } = createRequire(join(npmFolder, "from-here.js"))("miniflare");
const { folder, vars, compatibilityDate, sql } = JSON.parse(readFileSync(settingsFile, "utf8"));

const miniflare = new Miniflare(convertV4MiniflareOptions({
  host: "127.0.0.1",
  port: 0,
  cf: false,
  modulesRoot: folder,
  modules: [
    { type: "ESModule", path: join(folder, "index.js") },
    { type: "ESModule", path: join(folder, "bundle.js") },
    { type: "ESModule", path: join(folder, "glue.js") },
    { type: "CompiledWasm", path: join(folder, "index_bg.wasm") },
  ],
  compatibilityDate,
  bindings: vars,
  kvNamespaces: ["CACHE_KV"],
  d1Databases: ["DB"],
  durableObjects: { RATE_LIMITER: { className: "RateLimiter", useSQLite: true } },
}));
const url = await miniflare.ready;
const db = await miniflare.getD1Database("DB");
await db.batch(sql.map((statement) => db.prepare(statement)));
console.log(JSON.stringify({ port: Number(url.port) }));
process.on("SIGTERM", async () => {
  await miniflare.dispose();
  process.exit(0);
});
