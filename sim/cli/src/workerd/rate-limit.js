// The rate limiting binding, which workerd lacks: each call is one message to the simulator.
export default function (env) {
  return {
    async limit(options) {
      const { key } = options ?? {};
      if (typeof key !== "string") throw new Error(`invalid key: ${key}`);
      const answer = await env.counters.fetch("http://ratelimit/limit", {
        method: "POST",
        body: JSON.stringify({ key, limit: env.limit, period: env.period }),
      });
      if (!answer.ok) throw new Error(await answer.text());
      return answer.json();
    },
  };
}
