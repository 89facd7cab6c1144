// The Worker's bundle, but an answer leaves only when everything is over that the Worker does after it (waitUntil): so the next
// request of a sequence finds what the one before left behind, on any machine. The Worker cannot tell.
import Worker from "./bundle.js";
export { RateLimiter } from "./bundle.js";

export default {
  async fetch(request, env, context) {
    const tasks = [];
    const recording = {
      waitUntil(task) {
        tasks.push(task);
        context.waitUntil(task);
      },
      passThroughOnException: () => context.passThroughOnException(),
    };
    const response = await Worker.fetch(request, env, recording);
    // A task may begin further ones.
    for (let settled = 0; settled < tasks.length; ) {
      const begun = tasks.slice(settled);
      settled = tasks.length;
      await Promise.allSettled(begun);
    }
    return response;
  },
};
