import { expect, test } from 'vitest';
import { parseExportFile } from '../../flags/move/export-file.ts';
import { importFlags } from '../../flags/move/transfer.ts';
import { exportedFlags } from './exported.ts';
import { call, clock, startServer, TOKENS } from './world.ts';

/** Imports through whoever answers instead of the server once it has taken the import. */
async function cutOff(answer: () => Response | Promise<Response>) {
  const { url } = await startServer();
  const through: typeof fetch = async (to, init) => {
    const given = await fetch(to, init);
    return String(to).endsWith('/features-batch/import') ? answer() : given;
  };
  const pause = () => Promise.resolve();
  const deps = {
    to: url,
    login: { token: TOKENS.admin },
    project: 'default',
    fetch: through,
    clock,
    pause,
  };
  const environments = parseExportFile(JSON.stringify(exportedFlags('x')));
  const failure: unknown = await importFlags(deps, environments).catch((error: unknown) => error);
  const read = async (path: string) => JSON.stringify((await call(url, 'GET', `/api/admin/${path}`)).body);
  return { failure, flags: await read('projects/default/features'), segments: await read('segments') };
}

test.each([
  ['is cut off', () => Promise.reject(new TypeError('fetch failed'))],
  ['is a gateway’s', () => new Response('', { status: 504 })],
])(
  'an import whose answer %s is not said to have done nothing, and keeps its segments',
  async (_how, answer) => {
    const { failure, flags, segments } = await cutOff(answer);
    expect(failure).toMatchObject({
      fault: 'unreachable',
      message: expect.stringContaining('whether anything was imported is not known'),
    });
    expect(flags).toContain('"x.');
    expect(segments).toContain('"x-beta"');
  },
);
