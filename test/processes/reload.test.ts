import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { makeCertificate } from '../helpers/certificates.ts';
import { fig, ordersConfig, twoSides } from '../helpers/fig.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { freePort } from '../helpers/free-port.ts';
import { ask, asking, configure, figUp, serving } from './running.ts';

async function started(change: object = {}) {
  const folder = temporaryFolder();
  const config = { ...ordersConfig(await twoSides()), ...change };
  const server = await figUp(folder, config);
  return {
    ...server,
    config,
    configure: (next: object) => configure(folder, { ...config, ...next }),
    reload: () => fig(['reload', '--data', join(folder, 'data')]),
  };
}

const CARTS = { service: 'orders', routes: ['GET /carts/:id'], unit: [{ header: 'X-User' }] };

/** The common name that a TLS port shows. */
function commonName(origin: string): Promise<string> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

test('a new group is there after a reload, in every worker, and no request fails meanwhile', async () => {
  const { api, traffic, config, configure, reload } = await started({ workers: 2 });
  const load = asking(`${traffic}/orders/1`);
  configure({ groups: { ...config.groups, carts: CARTS }, limits: { targetBytesMax: 300 } });
  const { exit, stdout } = await reload();
  expect([exit, stdout]).toEqual([
    0,
    expect.stringMatching(/^reloaded {2}snapshot \d+ in force in 2 of 2 workers; group carts added/),
  ]);
  expect((await load.stop()).failed).toEqual([]);
  await api.move('carts', { kind: 'shadow', sample: 1 });
  const receipt = await api.move('carts', { kind: 'shift', share: 100 });
  expect(receipt.planes).toEqual({ running: 2, confirmed: 2 });
  const { groups, reload: last } = await api.until(
    // The flags of the new group were made as well.
    (status) => status.groups.some(({ group, share }) => group === 'carts' && share.effective === 100),
  );
  expect(groups.map(({ group }) => group)).toEqual(['orders', 'carts']);
  expect(last).toMatchObject({ ok: true });
  const long = await Promise.all(Array.from({ length: 20 }, () => ask(`${traffic}/${'x'.repeat(300)}`)));
  expect(new Set(long.map((text) => text.split('\n')[0]))).toEqual(
    new Set(['the request target is too long']),
  );
});

test('SIGHUP reads the configuration again', async () => {
  const { child, config, configure, logged, api } = await started();
  configure({ groups: { ...config.groups, carts: CARTS } });
  child.kill('SIGHUP');
  expect(await logged('reloaded')).toMatchObject({ added: ['carts'], removed: [] });
  expect((await api.status()).groups).toHaveLength(2);
});

test('a configuration with faults is refused with all of them, and what was in force stays', async () => {
  const { admin, api, configure, reload, logged } = await started();
  configure({ groups: {}, lisen: 1, timeouts: { connectMs: 1 } });
  const { exit, stderr } = await reload();
  expect(exit).toBe(2);
  expect(stderr).toMatch(/nothing was changed: 2 faults in the configuration/);
  expect(stderr).toMatch(/lisen: unknown key; did you mean "listen"\?/);
  expect(stderr).toMatch(/timeouts\.connectMs: /);
  await logged('reload-refused');
  expect((await api.status()).groups).toHaveLength(1);
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  expect(metrics).toContain('fig_config_last_reload_successful 0\n');
});

test('what needs a restart is refused by name, and nothing else is applied', async () => {
  const { api, config, configure, reload } = await started();
  const [port, admin] = [await freePort(), await freePort()];
  configure({
    groups: { ...config.groups, carts: CARTS },
    listen: `127.0.0.1:${port}`,
    admin: `127.0.0.1:${admin}`,
    workers: 2,
    data: 'elsewhere',
    flags: 'embedded',
  });
  const { exit, stderr } = await reload();
  expect(exit).toBe(2);
  for (const path of ['listen', 'admin', 'workers', 'data', 'flags'])
    expect(stderr).toContain(`${path}: a change of it needs a restart; nothing was applied`);
  expect((await api.status()).groups).toHaveLength(1);
});

test('a group with users on its service may not go, an unmoved one may', async () => {
  const orders = { ...CARTS, routes: ['GET /orders/:id'] };
  const { api, configure, reload } = await started({ groups: { orders, carts: CARTS } });
  await api.move('orders', { kind: 'shadow', sample: 1 });
  await api.move('orders', { kind: 'shift', share: 10 });
  configure({ groups: { carts: CARTS } });
  const refused = await reload();
  expect([refused.exit, refused.stderr]).toEqual([
    2,
    expect.stringContaining('groups.orders: missing, but the ledger has it as canary'),
  ]);
  configure({ groups: { orders } });
  expect((await reload()).stdout).toContain('group carts removed');
});

test('fig proxy takes a renewed certificate over on SIGHUP', async () => {
  const { legacy } = await twoSides();
  const folder = temporaryFolder();
  makeCertificate(folder, 'front');
  const tls = ['--tls-cert', join(folder, 'front.crt'), '--tls-key', join(folder, 'front.key')];
  const server = await serving(['proxy', '--legacy', legacy, '--listen', '127.0.0.1:0', ...tls]);
  expect(server.traffic).toMatch(/^https:/);
  expect(await commonName(server.traffic)).toBe('front');
  const renewed = makeCertificate(folder, 'renewed');
  writeFileSync(join(folder, 'front.crt'), renewed.cert);
  server.child.kill('SIGHUP');
  // Half a renewal is none: the key is still the old one.
  await server.logged('reload-refused');
  expect(await commonName(server.traffic)).toBe('front');
  writeFileSync(join(folder, 'front.key'), renewed.key);
  server.child.kill('SIGHUP');
  await server.logged('reloaded');
  expect(await commonName(server.traffic)).toBe('renewed');
});
