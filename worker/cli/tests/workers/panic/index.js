// The production Worker, made to panic: what it expects never to fail, fails for requests that say so.
//
// `x-panic: worker` does that to the request itself. `x-panic: object` does it in the isolate of the Durable Objects, to a request
// that the object of the caller sends there.

import production, { RateLimiter as Production } from "./production.js";

const context = {
  waitUntil() {
    throw new Error("waitUntil is out of order");
  },
};

export default {
  async fetch(request, env, ctx) {
    switch (request.headers.get("x-panic")) {
      case "worker":
        return production.fetch(request, env, context);
      case "object": {
        const name = request.headers.get("x-object");
        return env.RATE_LIMITER.getByName(name).fetch(new Request("https://rate-limiter/panic", request));
      }
      default:
        return production.fetch(request, env, ctx);
    }
  },
};

export class RateLimiter extends Production {
  #env;

  constructor(state, env) {
    super(state, env);
    this.#env = env;
  }

  async fetch(request) {
    if (new URL(request.url).pathname === "/panic") {
      const { headers } = request;
      const inner = new Request("https://worker.example/api/dashboard", { headers });
      // What panicked never settles, and for an object the runtime does not end that.
      production.fetch(inner, this.#env, context);
      await new Promise((resolve) => setTimeout(resolve, 500));
      return new Response("panicked", { status: 500 });
    }
    return super.fetch(request);
  }
}
