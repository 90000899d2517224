// The plain proxy of @fastify/http-proxy: node server.js PORT UPSTREAM
const [port, upstream] = process.argv.slice(2);
const app = require("fastify")({ logger: false });
app.register(require("@fastify/http-proxy"), { upstream, undici: { connections: 64, pipelining: 1 } });
app.listen({ port: Number(port), host: "127.0.0.1" });
