// Every binding that `sim workerd` serves, each behind a path; errors are answered as text, as the runtime words them.
const text = (value) => new Response(typeof value === "string" ? value : JSON.stringify(value));

const routes = {
  async "/kv"(url, request, env) {
    const key = url.searchParams.get("key");
    if (request.method === "PUT") {
      const ttl = url.searchParams.get("ttl");
      const metadata = url.searchParams.get("metadata");
      return text((await env.KV.put(key, await request.text(), {
        ...(ttl && { expirationTtl: Number(ttl) }),
        ...(metadata && { metadata: JSON.parse(metadata) }),
      })) ?? "done");
    }
    if (request.method === "DELETE") return text((await env.KV.delete(key)) ?? "done");
    return text(await env.KV.getWithMetadata(key));
  },
  async "/kv/list"(url, request, env) {
    const { prefix, limit, cursor } = Object.fromEntries(url.searchParams);
    return text(await env.KV.list({ prefix, cursor, ...(limit && { limit: Number(limit) }) }));
  },
  async "/kv/bulk"(url, request, env) {
    const found = await env.KV.getWithMetadata(url.searchParams.get("keys").split(","), "json");
    return text([...found]);
  },
  async "/d1"(url, request, env) {
    const { sql, params } = await request.json();
    return text(await env.DB.prepare(sql).bind(...(params ?? [])).all());
  },
  async "/d1/batch"(url, request, env) {
    return text(await env.DB.batch((await request.json()).map((sql) => env.DB.prepare(sql))));
  },
  async "/d1/exec"(url, request, env) {
    return text(await env.DB.exec(await request.text()));
  },
  async "/d1/session"(url, request, env) {
    const session = env.DB.withSession("first-unconstrained");
    const before = session.getBookmark();
    await session.prepare("SELECT 1").run();
    const read = session.getBookmark();
    await session.prepare("INSERT INTO notes (text) VALUES ('s')").run();
    return text([before, read, session.getBookmark()]);
  },
  async "/object"(url, request, env) {
    return env.COUNTER.getByName(url.searchParams.get("name") ?? "one").fetch(request);
  },
  async "/limit"(url, request, env) {
    return text(await env.LIMITER.limit({ key: url.searchParams.get("key") ?? undefined }));
  },
  async "/fetch"(url) {
    const answer = await fetch(url.searchParams.get("url"), { method: "POST", body: "ping" });
    return text(`${answer.status} ${await answer.text()}`);
  },
  async "/later"(url, request, env, context) {
    context.waitUntil((async () => {
      await scheduler.wait(300);
      await env.KV.put("later", "done");
    })());
    return text("soon");
  },
  async "/about"(url, request, env) {
    return text({
      colo: request.cf.colo,
      ip: request.headers.get("CF-Connecting-IP"),
      greeting: env.GREETING,
      number: env.NUMBER,
      secret: env.SECRET?.length ?? null,
    });
  },
};

export default {
  async fetch(request, env, context) {
    const url = new URL(request.url);
    try {
      return (await routes[url.pathname]?.(url, request, env, context)) ?? new Response("no such path", { status: 404 });
    } catch (error) {
      return new Response(`${error.name}: ${error.message}`, { status: 500 });
    }
  },
};

export class Counter {
  constructor(state, env) {
    this.state = state;
    this.env = env;
    this.inMemory = 0;
  }

  async fetch() {
    const count = ((await this.state.storage.get("count")) ?? 0) + 1;
    await this.state.storage.put("count", count);
    return text({ count, inMemory: ++this.inMemory });
  }
}
