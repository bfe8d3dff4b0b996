import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { listenOn } from '../../router/bind.ts';
import { choosePort } from '../../router/processes/port.ts';
import { quiet } from '../helpers/control.ts';

const ANY = { host: '127.0.0.1', port: 0, named: true };

async function taken(reusePort: boolean): Promise<number> {
  const server = createServer();
  onTestFinished(() => void server.close());
  return listenOn(server, { host: ANY.host, port: 0, reusePort });
}

test('any free port is chosen and can be shared', async () => {
  const { port, shared } = await choosePort(ANY, null, quiet);
  expect(port).toBeGreaterThan(0);
  expect(shared).toBe(true);
});

test('a port that a stranger would share is refused all the same', async () => {
  const port = await taken(true);
  await expect(choosePort({ ...ANY, port }, null, quiet)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test('a taken port that nobody named is replaced', async () => {
  const port = await taken(false);
  const chosen = await choosePort({ ...ANY, port, named: false }, null, quiet);
  expect(chosen.port).not.toBe(port);
});

test('the port of our own leftovers is shared with them', async () => {
  const port = await taken(true);
  const leftovers = { host: ANY.host, port, pids: [1] };
  expect(await choosePort({ ...ANY, port }, leftovers, quiet)).toEqual({ port, shared: true });
});

test('a system without such sharing is told apart from every other failure', async () => {
  const failing = (code: string) => async (at: { reusePort: boolean }) => {
    if (at.reusePort) throw Object.assign(new Error(code), { code });
    return 8080;
  };
  expect(await choosePort(ANY, null, quiet, failing('ENOTSUP'))).toEqual({ port: 8080, shared: false });
  await expect(choosePort(ANY, null, quiet, failing('EACCES'))).rejects.toMatchObject({ code: 'EACCES' });
});
