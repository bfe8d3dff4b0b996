import { describe, expect, test } from 'vitest';
import { isLastHop } from '../../router/core/admit.ts';
import { startFigProxy } from '../helpers/fig.ts';
import { ON_LINUX, peakBytesOf, socketsOf } from '../helpers/process-use.ts';
import { eventually } from '../helpers/world.ts';
import { corpusSeeds, foundSeeds, type Seed } from '../http1/corpus.ts';
import { mutants } from '../http1/mutants.ts';
import { answerReader, type Reading, readRequests } from '../http1/reading.ts';
import { seenByCareless, seenByNode, sentOn } from './lenient.ts';
import { type Behaviour, echoBody, echoOf, type Recorded, recordingUpstream } from './recording-upstream.ts';
import { readStrictly, type StrictReading, valuesIn } from './strict-messages.ts';
import { type Talk, talk } from './talk.ts';

/** More of them: FUZZ_SEED and FUZZ_COUNT; a third of them are answers. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_260_101);
const COUNT = Number(process.env['FUZZ_COUNT'] ?? 12_000);
const SEED_BYTES_MAX = 2_048;
const BATCH = 20;
const BATCHES_AT_ONCE = 4;
const PEAK_BYTES_MAX = 300 * 1_048_576;
const timeout = 30_000 + 10 * COUNT;

const all = [...mutants(SEED, COUNT, [...corpusSeeds(), ...foundSeeds()], SEED_BYTES_MAX)];
const requests = all.filter(({ side }) => side === 'client');
const answers = all.filter(({ side }) => side === 'upstream');

async function world(behaviour?: Behaviour) {
  const upstream = await recordingUpstream(behaviour);
  const fig = await startFigProxy(upstream.origin);
  return { upstream, fig };
}

/** Every client has an address of its own: the proxy says it upstream, and so whose bytes are whose. */
function addressOf(network: number, n: number): string {
  return `127.${network + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`;
}

/** The whole in one slice, or cut somewhere. */
function sliced(bytes: string, n: number): readonly string[] {
  const at = n % 3 === 0 ? (n * 31) % (bytes.length + 1) : 0;
  return [bytes.slice(0, at), bytes.slice(at)].filter((slice) => slice !== '');
}

/** The address of the client, in the first request line. */
function tagged(bytes: string, address: string): string {
  return bytes.replace(/^((?:\r\n)?[^\r\n]*[^\r\n* ])( HTTP\/)/, `$1~${address}~$2`);
}

/** The request of somebody who has nothing to do with anything: it gets its own answer, whole. */
type Victim = 'POST' | 'GET';

async function victim(port: number, method: Victim, n: number, target = `/victim/${n}`): Promise<void> {
  const address = addressOf(192, n);
  const body = method === 'GET' ? '' : `victim ${n}`;
  const length = method === 'GET' ? '' : `Content-Length: ${body.length}\r\n`;
  const client = talk(port, address, [
    `${method} ${target} HTTP/1.1\r\nHost: victim\r\n${length}\r\n${body}`,
  ]);
  client.fin();
  const { messages, rest, fault } = answersIn(await client.heard);
  expect({ bodies: messages.map((message) => message.body), rest, fault }).toEqual({
    ...{ bodies: [`${address} ${method} ${target} ${body}`], rest: '', fault: null },
  });
}

/** The echo says itself which method it answers. */
function answersIn(text: string): StrictReading {
  return readStrictly(text, 'answer', (head) => valuesIn(head, 'x-method')[0] === 'HEAD');
}

/** Batches of talks, some at a time; in each a victim comes while half of the others still say nothing more. */
async function inBatches(
  port: number,
  items: readonly Seed[],
  method: Victim,
  open: (seed: Seed, n: number) => Talk,
  afterVictim: (n: number, talk: Talk) => void,
): Promise<string[]> {
  const heard: string[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const from = next;
      next += BATCH;
      const talks = items.slice(from, next).map((seed, i) => open(seed, from + i));
      await victim(port, method, from);
      for (const [i, each] of talks.entries()) afterVictim(from + i, each);
      for (const [i, each] of talks.entries()) heard[from + i] = await each.heard;
    }
  };
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, work));
  return heard;
}

describe.runIf(ON_LINUX)('mutants of requests', () => {
  test('reach a strict upstream as what was read, and nobody else', { timeout }, async () => {
    const together: (() => void)[] = [];
    let wanted = Infinity;
    const { upstream, fig } = await world((recorded, socket) => {
      if (recorded.target !== '/together') return null;
      together.push(() => socket.write(echoOf(recorded)));
      if (together.length === wanted) for (const answer of together) answer();
      return '';
    });
    await victim(fig.port, 'GET', 0);
    const before = socketsOf(fig.pid) - upstream.open();
    const heard = await inBatches(
      fig.port,
      requests,
      'POST',
      ({ bytes }, n) => {
        const address = addressOf(64, n);
        const client = talk(fig.port, address, sliced(tagged(bytes, address), n));
        if (n % 2 === 0) client.fin();
        return client;
      },
      (_, client) => client.fin(),
    );

    for (const [n, { bytes }] of requests.entries()) {
      const address = addressOf(64, n);
      const text = tagged(bytes, address);
      const faults = requestFaults(text, address, upstream.of(address), heard[n] ?? '');
      expect(faults, JSON.stringify({ n, text, heard: heard[n] })).toEqual([]);
    }
    expect(upstream.connections.map(({ fault }) => fault).filter((fault) => fault !== null)).toEqual([]);
    const counted = upstream.connections.reduce((sum, connection) => sum + connection.requests.length, 0);
    expect(counted).toBeGreaterThan(requests.length / 3);

    // One victim for every connection that is kept.
    wanted = upstream.open();
    await Promise.all(Array.from({ length: wanted }, (_, n) => victim(fig.port, 'POST', n, '/together')));

    const sent = upstream.connections.map(sentOn);
    expect(await seenByNode(upstream.connections)).toEqual(sent);
    expect(upstream.connections.map(seenByCareless)).toEqual(sent);

    await eventually(() => socketsOf(fig.pid) - upstream.open() <= before);
    expect(fig.child.exitCode).toBeNull();
    expect(peakBytesOf(fig.pid)).toBeLessThan(PEAK_BYTES_MAX);
  });
});

/** What is wrong with what the upstream saw of one client, and with what this client was answered. */
function requestFaults(
  text: string,
  address: string,
  recorded: readonly Recorded[],
  heard: string,
): readonly string[] {
  const faults: string[] = [];
  const read = readRequests([Buffer.from(text, 'latin1')]).messages.filter(
    (message) => message.complete && !isLastHop(message),
  );
  const [own, seen] = [read, recorded.map(({ method, message }) => ({ method, body: message.body }))];
  if (JSON.stringify(own.map(({ method, body }) => ({ method, body }))) !== JSON.stringify(seen))
    faults.push(`upstream saw ${JSON.stringify(seen)}`);
  for (const { message } of recorded) {
    const tags = message.raw.match(/~127\.\d+\.\d+\.\d+~/g) ?? [];
    if (tags.some((tag) => tag !== `~${address}~`)) faults.push('bytes of another client');
  }
  const { messages, rest, fault } = answersIn(heard);
  const finals = messages.filter(({ start }) => !start[0].startsWith('1'));
  // The answer to a HEAD that was refused: the last one, by us.
  const headOnly = /^HTTP\/1\.1 [45]/.test(rest) && rest.indexOf('\r\n\r\n') === rest.length - 4;
  if (fault !== null || (rest !== '' && !headOnly)) faults.push(`no strict answer: ${fault ?? 'cut'}`);
  if (finals.length + (headOnly ? 1 : 0) < recorded.length) faults.push('fewer answers than requests');
  const echoes = finals.filter((answer) => valuesIn(answer, 'x-client').length > 0);
  for (const [i, echo] of echoes.entries()) {
    const request = recorded[i];
    const body = request === undefined ? 'none' : request.method === 'HEAD' ? '' : echoBody(request);
    if (echo.body !== body || valuesIn(echo, 'x-client')[0] !== address) faults.push('not its own answer');
  }
  return faults;
}

describe.runIf(ON_LINUX)('mutants of answers', () => {
  test('reach the client as a strict answer, a 502 or a cut, and nobody else', { timeout }, async () => {
    const held = new Map<number, () => void>();
    const released = new Set<number>();
    const { upstream, fig } = await world(({ target }, socket) => {
      const n = Number(/^\/mutant\/(\d+)$/.exec(target)?.[1] ?? -1);
      const answer = answers[n];
      if (answer === undefined) return null;
      // Before the end: what came later than that, behind the next request, nobody could tell from its answer.
      const { consumed } = readAnswer(answer);
      const at = n % 3 === 0 && consumed > 0 ? (n * 31) % consumed : answer.bytes.length;
      const second = answer.bytes.slice(at);
      // One half ends at once, the other half when the client still has no answer.
      const endsNow = n % 2 === 0 || released.has(n);
      if (!endsNow) held.set(n, () => socket.end());
      setImmediate(() => {
        if (endsNow) socket.end(second, 'latin1');
        else if (second !== '') socket.write(second, 'latin1');
      });
      return answer.bytes.slice(0, at);
    });
    await victim(fig.port, 'GET', 0);
    const before = socketsOf(fig.pid) - upstream.open();
    const heard = await inBatches(
      fig.port,
      answers,
      // An upstream may close at any time, and only safe requests are asked again.
      'GET',
      ({ method }, n) => {
        const bytes = `${method} /mutant/${n} HTTP/1.1\r\nHost: a\r\n\r\nGET /after/${n} HTTP/1.1\r\nHost: a\r\n\r\n`;
        const client = talk(fig.port, addressOf(128, n), [bytes]);
        client.fin();
        return client;
      },
      (n, client) => {
        released.add(n);
        if (!client.over()) held.get(n)?.();
      },
    );

    for (const [n, seed] of answers.entries()) {
      const fault = answerFault(seed, `${addressOf(128, n)} GET /after/${n} `, heard[n] ?? '');
      expect(fault, JSON.stringify({ n, seed, heard: heard[n] })).toBeNull();
    }
    expect(upstream.connections.map(({ fault }) => fault).filter((fault) => fault !== null)).toEqual([]);
    await Promise.all(Array.from({ length: 100 }, (_, n) => victim(fig.port, 'GET', n)));
    await eventually(() => socketsOf(fig.pid) - upstream.open() <= before);
    expect(fig.child.exitCode).toBeNull();
    expect(peakBytesOf(fig.pid)).toBeLessThan(PEAK_BYTES_MAX);
  });
});

function readAnswer({ method, bytes }: Seed): Reading {
  return answerReader(method, true)([Buffer.from(bytes, 'latin1')]);
}

/** `echo`: the body of the answer to the request behind, if that was answered at all. */
function answerFault(seed: Seed, echo: string, heard: string): string | null {
  const own = readAnswer(seed).messages.at(-1);
  const { messages, rest, fault } = readStrictly(
    heard,
    'answer',
    (head) => seed.method === 'HEAD' && valuesIn(head, 'x-client').length === 0,
  );
  if (fault !== null) return fault;
  const [first, second, third] = messages.filter(({ start }) => !start[0].startsWith('1'));
  if (third !== undefined) return 'more answers than requests';
  if (second !== undefined && second.body !== echo) return 'not its own answer';
  if (first === undefined) return rest !== '' || heard === '' ? null : 'no answer';
  if (second === undefined && rest !== '') return 'a cut answer behind a whole one';
  if (first.start[0] === '502') return null;
  if (own === undefined || own.start !== first.start[0]) return 'an answer of its own making';
  // Its body is dropped, so that whatever becomes of it changes nothing.
  if (own.start === '205') return null;
  return own.complete && own.body === first.body ? null : 'another body, or only a part of it';
}
