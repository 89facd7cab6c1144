// The Worker's main module: hands events to the wasm, and makes objects anew after a panic.
//
// What worker-build generates (glue.js, once this file stands beside the crate) exports a class behind a Proxy, of which the
// runtime makes an instance for every request, and each call of a Durable Object makes another Proxy. Plain functions over the
// same exports do the same and cost less: docs/SPEED.md has the figures.

import Generated, { RateLimiter as Guarded } from "./glue.js";

const { fetch, scheduled } = Generated.prototype;

export default {
  fetch(request, env, ctx) {
    return fetch.call({ env, ctx }, request);
  },
  scheduled(event, env, ctx) {
    return scheduled.call({ env, ctx }, event);
  },
};

// Kept by workers-rs: `criticalError` is set by a panic, `instanceId` grows whenever the wasm is instantiated anew. That is done by
// the next call of any export, so handlers need nothing more; an object, however, lives in the memory of the instance that made it.
const wasm = globalThis.__worker_init_state;

// The class itself, without the Proxy.
const Rust = Guarded.prototype.constructor;

/** The Durable Object; what it has stored outlives the instance that a panic ended. */
export class RateLimiter {
  #arguments;
  #object;
  #instanceId;

  constructor(state, env) {
    this.#arguments = [state, env];
    this.#make();
  }

  fetch(request) {
    return this.#call("fetch", request);
  }

  alarm() {
    return this.#call("alarm");
  }

  #make() {
    this.#object = new Rust(...this.#arguments);
    this.#instanceId = wasm.instanceId;
  }

  #call(method, argument) {
    if (wasm.criticalError || this.#instanceId !== wasm.instanceId) {
      this.#make();
      wasm.criticalError = false;
    }
    try {
      return this.#object[method](argument);
    } catch (error) {
      // A trap that is no panic, such as an exhausted stack, says so only here.
      wasm.criticalError ||= error instanceof WebAssembly.RuntimeError;
      throw error;
    }
  }
}
