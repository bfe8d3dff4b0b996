/** The data plane over http-proxy, until the engine is there: what it cannot do is left out. */
import type { Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { listenOn } from './bind.ts';
import { MOUNT_DEFAULTS, type MountOptions } from './mount/options.ts';
import { createMountServer } from './mount/server.ts';
import { createMount, type Mount } from './mount.ts';
import type { ProxyOptions } from './proxy/options.ts';
import type { createProxy as Engine } from './proxy/proxy.ts';

export const createProxy: typeof Engine = (deps, given) => {
  let mount = createMount(deps, mountOptions(given));
  const front: Mount = {
    handle: (req, res) => mount.handle(req, res),
    expect: (req, res) => mount.expect(req, res),
    upgrade: (req, socket, head) => mount.upgrade(req, socket, head),
    wantsUpgrade: (req) => mount.wantsUpgrade(req),
    counts: () => mount.counts(),
    start: () => mount.start(),
    stop: () => mount.stop(),
  };
  const server = createMountServer(front, given);
  const tls = given.tls === null ? null : tlsBefore(server, given.tls);
  const listener = tls ?? server;
  let connections = 0;
  listener.on('connection', (socket: NodeJS.EventEmitter) => {
    connections += 1;
    socket.once('close', () => {
      connections -= 1;
    });
  });
  return {
    listen(address) {
      mount.start();
      return listenOn(listener, address);
    },
    reconfigure(options) {
      if (options.tls !== null) tls?.setSecureContext(options.tls);
      const before = mount;
      mount = createMount(deps, mountOptions(options));
      void before.stop();
    },
    counts: () => ({ ...mount.counts(), connections }),
    async drain() {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      await mount.stop();
      server.closeAllConnections();
      await closed;
    },
  };
};

function tlsBefore(server: Server, pem: NonNullable<ProxyOptions['tls']>): TlsServer {
  return createTlsServer({ ...pem, ALPNProtocols: ['http/1.1'] }, (socket) =>
    server.emit('connection', socket),
  );
}

function mountOptions(options: ProxyOptions): MountOptions {
  return {
    ...MOUNT_DEFAULTS,
    ...options,
    answerFieldsMax: options.upstreamFieldsMax,
    answerHeadBytesMax: options.upstreamHeadBytesMax,
    sendStallMs: options.upstreamSendStallMs,
    stopMs: options.drainDeadlineMs,
  };
}
