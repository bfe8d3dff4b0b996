import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type ConfigInput, parseConfig } from '../../router/config.ts';
import type { GroupStatus, Move, Receipt, StatusData } from '../../router/control/api.ts';
import { type Running, startUp } from '../../router/main.ts';
import { temporaryFolder } from './folder.ts';

export interface World {
  readonly running: Running;
  readonly folder: string;
  /** Calls the admin API with the token; the body of the answer is parsed. */
  admin(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ status: number; body: { data?: unknown; code?: string; detail?: string; next?: string } }>;
  move(move: Move): Promise<Receipt>;
  status(): Promise<StatusData>;
  group(): Promise<GroupStatus>;
  /** One request through the front door as this user. */
  get(
    path: string,
    user?: string,
    init?: RequestInit,
  ): Promise<{ status: number; body: string; headers: readonly (readonly [string, string])[] }>;
}

/** Router, ledger, embedded flags and admin API in this process, on free ports and a folder of the test's own. */
export async function startWorld(
  upstreams: { legacy: string; service: string },
  more: Partial<ConfigInput> = {},
  folder = temporaryFolder(),
): Promise<World> {
  process.env['FIG_LOG_LEVEL'] = 'silent';
  const input: ConfigInput = {
    listen: '127.0.0.1:0',
    admin: '127.0.0.1:0',
    flags: { embedded: { listen: '127.0.0.1:0' } },
    legacy: upstreams.legacy,
    services: { catalog: upstreams.service },
    groups: { catalog: { service: 'catalog', routes: ['* /api/*'], unit: [{ cookie: 'sid' }] } },
    ...more,
  };
  const settings = parseConfig(input, {
    file: 'test',
    folder,
    env: { TOKEN: 'default:production.0123456789abcdef', ADMIN: '*:*.0123456789abcdef' },
    today: '2026-11-24',
  });
  const running = await startUp(settings);
  onTestFinished(() => running.stop());
  const token = readFileSync(join(folder, '.fig', 'admin.token'), 'utf8').trim();
  const admin: World['admin'] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${running.admin}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: JSON.parse(await response.text()) };
  };
  const status = async () => (await admin('GET', '/api/v1/status')).body.data as StatusData;
  return {
    running,
    folder,
    admin,
    async move(move) {
      const { status: code, body } = await admin('POST', '/api/v1/groups/catalog/moves', move, {
        'if-match': '*',
      });
      if (code !== 200) throw new Error(`${move.kind}: ${code} ${body.detail}`);
      return body.data as Receipt;
    },
    status,
    async group() {
      const [group] = (await status()).groups;
      if (group === undefined) throw new Error('no group');
      return group;
    },
    async get(path, user = 'ana', init = {}) {
      const response = await fetch(`${running.traffic}${path}`, {
        redirect: 'manual',
        ...init,
        headers: { cookie: `sid=${user}`, ...init.headers },
      });
      return { status: response.status, body: await response.text(), headers: [...response.headers] };
    },
  };
}

/** A small HTTP server of the test's own; counts what it was asked. */
export async function webServer(
  answer: http.RequestListener,
): Promise<{ origin: string; requests: readonly string[] }> {
  const requests: string[] = [];
  const server = http.createServer((req, res) => {
    requests.push(`${req.method} ${req.url}${req.headers['fig-shadow'] === undefined ? '' : ' (shadow)'}`);
    answer(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, requests };
}

/** Resolves once `reached` holds; asks again whenever the loop is free, at most `withinMs`. */
export async function eventually(
  reached: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await reached())) {
    if (performance.now() > deadline) throw new Error(`not reached within ${withinMs} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
