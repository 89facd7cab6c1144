export default {
  async fetch(request, env) {
    if (request.method === "PUT") {
      await env.GREETINGS.put("greeting", await request.text());
      return new Response("written\n");
    }
    const greeting = await env.GREETINGS.get("greeting");
    return new Response(`${request.cf.colo}: ${greeting ?? "nothing"}\n`);
  },
};
