import fc from 'fast-check';
import { expect, inject, test } from 'vitest';
import { type Asked, CALLS, FEATURES, FIRST, place, STEP, type Step } from '../flags/server/calls.ts';
import { call, startServer, TOKENS } from '../flags/world.ts';

const RUNS = 20;

interface Server {
  readonly url: string;
  readonly token: string;
  /** In the order of their creation; the same place in both lists is the same thing. */
  readonly strategies: string[];
  readonly segments: number[];
}

function ask({ url, token }: Server, { method, path, body }: Asked) {
  return call(url, method, path, body, token);
}

/** What the flag is, without what each server chooses itself. */
async function flagOn(server: Server, name: string): Promise<unknown> {
  const { status, body } = await ask(server, { method: 'GET', path: `${FEATURES}/${name}` });
  const own = ['id', 'createdAt', 'lifecycle', 'collaborators', 'createdBy'];
  const text = JSON.stringify(body, (key, value: unknown) => {
    if (own.includes(key)) return undefined;
    if (key === 'segments' && Array.isArray(value)) return value.map((id) => server.segments.indexOf(id));
    return value;
  });
  return { status, body: JSON.parse(text) };
}

/** What is done otherwise on purpose, or where Unleash answers 500. */
async function isExcepted({ kind, flag }: Step, ours: Server): Promise<boolean> {
  // It moves strategies of other flags; it does not say when there is nothing; archived flags' segments can go.
  if (kind === 'sort' || kind === 'segments' || kind === 'removeSegment') return true;
  const { status } = await ask(ours, { method: 'GET', path: `${FEATURES}/${flag}` });
  if (kind === 'revive') return status === 200;
  // A child that is not there is a 500; a PUT without `archived` brings an archived flag back.
  if (kind === 'depend' || kind === 'edit') return status === 404;
  if (kind !== 'on') return false;
  const { body } = await ask(ours, { method: 'GET', path: place(flag) });
  return !JSON.stringify(body).includes('"disabled":false');
}

test('any sequence of calls leads a real Unleash and ours to the same answers and flags', {
  timeout: 120_000,
}, async () => {
  const { url, adminToken } = inject('unleash');
  const sequences = fc.sample(fc.array(STEP, { minLength: 20, maxLength: 30 }), {
    numRuns: RUNS,
    seed: 20261124,
  });
  for (const [run, steps] of sequences.entries()) {
    const real: Server = { url, token: adminToken, strategies: [], segments: [] };
    const started = await startServer({ policy: 'unleash' });
    const ours: Server = { url: started.url, token: TOKENS.admin, strategies: [], segments: [] };
    const trace: string[] = [];
    for (const generic of [...FIRST, ...steps]) {
      const named = { flag: `run.${run}.${generic.flag}`, other: `run.${run}.${generic.other}` };
      const step = { ...generic, ...named };
      if (await isExcepted(step, ours)) continue;
      const [theirs, mine] = await Promise.all([real, ours].map((server) => play(server, step, run)));
      trace.push(`${step.kind} ${step.flag} ${step.pick}: ${theirs?.status}`);
      expect(mine, trace.join('\n')).toEqual(theirs);
      expect(await flagOn(ours, step.flag), trace.join('\n')).toEqual(await flagOn(real, step.flag));
    }
  }
});

async function play(server: Server, step: Step, run: number) {
  const { strategies, segments } = server;
  const strategy = strategies[step.pick % Math.max(1, strategies.length)] ?? 'none';
  const segment = segments[step.pick % Math.max(1, segments.length)] ?? 999_999;
  const asked: Asked = CALLS[step.kind](step, { strategy, segment });
  const { status, body } = await ask(server, step.kind.endsWith('Segment') ? own(asked, run) : asked);
  const { id, message } = body as { id?: unknown; message?: unknown };
  if (step.kind === 'addStrategy' && status === 200) strategies.push(String(id));
  if (step.kind === 'addSegment' && status === 201) segments.push(Number(id));
  return { status, message: String(message).replace(strategy, 'ID').replace(`"${segment}"`, 'ID') };
}

/** Segments belong to no flag: each run has names of its own. */
function own(asked: Asked, run: number): Asked {
  const { name, ...rest } = asked.body as { name?: string };
  return { ...asked, body: { ...rest, name: `run.${run}.${name}` } };
}
