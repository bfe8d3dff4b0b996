/** Bare http-proxy with a keep-alive agent: `node bench/http-proxy.ts ORIGIN`. Prints `{"ready":true,"port":N}`. */
import http from 'node:http';
import httpProxy from 'http-proxy';

const [, , target = ''] = process.argv;
const agent = new http.Agent({ keepAlive: true, maxSockets: 512 });
const proxy = httpProxy.createProxyServer({ target, agent });
const server = http.createServer((req, res) => proxy.web(req, res));
proxy.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  process.stdout.write(`${JSON.stringify({ ready: true, port })}\n`);
});
