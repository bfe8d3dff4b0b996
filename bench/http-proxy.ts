/** Bare http-proxy with a keep-alive agent: `node bench/http-proxy.ts ORIGIN`. Prints `{"ready":true,"port":N}`. */
import http from 'node:http';
import httpProxy from 'http-proxy';
import { listenAndSay } from './listening.ts';

const [, , target = ''] = process.argv;
const agent = new http.Agent({ keepAlive: true, maxSockets: 512 });
const proxy = httpProxy.createProxyServer({ target, agent });
const server = http.createServer({ keepAliveTimeout: 600_000 }, (req, res) => proxy.web(req, res));
proxy.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
listenAndSay(server);
