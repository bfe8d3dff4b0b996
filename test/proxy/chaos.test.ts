import http from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import type { ErrorCode } from '../../router/core/errors.ts';
import { snapshotOf } from '../helpers/current.ts';
import { type ProxiedServer, proxied } from '../helpers/proxied.ts';
import { type Random, randomOf } from '../helpers/random.ts';
import { rawClient } from '../helpers/raw-http.ts';
import { type Heard, ok, type RawUpstream, rawUpstream, type Script } from '../helpers/upstream.ts';
import { eventually } from '../helpers/world.ts';
import { corpusSeeds } from '../http1/corpus.ts';
import { mutants } from '../http1/mutants.ts';

const SEED = 20_261_124;

/** What went wrong in this process without anybody hearing of it. */
function watchProcess(): readonly string[] {
  const heard: string[] = [];
  const say = (what: Error): void => {
    heard.push(what.message);
  };
  process.on('warning', say);
  onTestFinished(() => {
    process.off('warning', say);
  });
  return heard;
}

type Outcome = 'OK' | ErrorCode;

/** One thing that can happen to an exchange: what the client says, what the upstream does, how it may end. */
interface Act {
  readonly path: string;
  /** Bytes of the client; `{}` stands for the path with the number of the exchange. */
  readonly says: string;
  readonly upstream: (heard: Heard) => string | undefined;
  readonly outcomes: readonly Outcome[];
  /** What the client does when the upstream has heard it, or when it has heard this. */
  readonly ending?: 'end' | 'reset' | { readonly resetAt: string };
}

const GET = 'GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const POST = 'POST {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello';
const CHUNKED =
  'POST {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n';

function dies({ socket }: Heard): undefined {
  socket.resetAndDestroy();
}

const ACTS: readonly Act[] = [
  { path: '/plain', says: GET, upstream: ({ start }) => ok(start), outcomes: ['OK'] },
  { path: '/post', says: POST, upstream: ({ body }) => ok(body), outcomes: ['OK'] },
  { path: '/chunked', says: CHUNKED, upstream: ({ body }) => ok(body), outcomes: ['OK'] },
  { path: '/ended', says: GET, upstream: () => ok('x'), outcomes: ['OK'], ending: 'end' },
  { path: '/hints', says: GET, upstream: () => `HTTP/1.1 103 Early\r\n\r\n${ok('x')}`, outcomes: ['OK'] },
  { path: '/surplus', says: GET, upstream: () => `${ok('x')}${ok('poison')}`, outcomes: ['OK'] },
  {
    path: '/fin',
    says: GET,
    upstream({ socket }) {
      socket.end('HTTP/1.1 200 OK\r\n\r\nuntil close');
      return undefined;
    },
    outcomes: ['OK'],
  },
  // On a kept connection a GET is tried once more, and a budget says when that ends.
  { path: '/dies', says: GET, upstream: dies, outcomes: ['UPSTREAM_RESET'] },
  { path: '/dies-post', says: POST, upstream: dies, outcomes: ['UPSTREAM_RESET'] },
  { path: '/odd', says: GET, upstream: () => 'HTTP/1.1 099 No\r\n\r\n', outcomes: ['UPSTREAM_SYNTAX'] },
  {
    path: '/framing',
    says: GET,
    upstream: () => 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx',
    outcomes: ['UPSTREAM_FRAMING'],
  },
  {
    path: '/cut',
    says: GET,
    upstream({ socket }) {
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
      return undefined;
    },
    outcomes: ['UPSTREAM_BODY_CUT'],
  },
  {
    path: '/chunk-fault',
    says: GET,
    upstream: () => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    outcomes: ['UPSTREAM_BODY_SYNTAX'],
  },
  { path: '/gone', says: GET, upstream: () => undefined, outcomes: ['CLIENT_GONE'], ending: 'reset' },
  {
    path: '/gone-half',
    says: GET,
    upstream: () => 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc',
    outcomes: ['CLIENT_GONE'],
    ending: { resetAt: 'abc' },
  },
  { path: '/bad', says: GET.replace('Host', 'Host '), upstream: () => ok('x'), outcomes: ['CLIENT_SYNTAX'] },
  {
    path: '/body-cut',
    says: POST.replace('hello', 'hel'),
    upstream: () => ok('x'),
    outcomes: ['CLIENT_BODY_CUT'],
    ending: 'end',
  },
  {
    path: '/body-fault',
    says: CHUNKED.replace('5\r\n', 'x\r\n'),
    upstream: () => ok('x'),
    outcomes: ['CLIENT_BODY_SYNTAX'],
  },
  {
    path: '/socket',
    says: GET.replace('close', 'Upgrade\r\nUpgrade: websocket'),
    upstream: () => 'HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello',
    outcomes: ['OK'],
    ending: { resetAt: 'hello' },
  },
];

function actOf(path: string): Act {
  const act = ACTS.find((candidate) => path === candidate.path || path.startsWith(`${candidate.path}?`));
  if (act === undefined) throw new RangeError(path);
  return act;
}

const stage: Script = (heard) => actOf(heard.start.split(' ')[1] ?? '').upstream(heard);

/** Plays one act to its end. */
async function play(act: Act, n: number, proxy: ProxiedServer, upstream: RawUpstream): Promise<string> {
  const target = `${act.path}?${n}`;
  const client = rawClient(proxy.port);
  client.send(act.says.replace('{}', target));
  if (act.ending === 'end') client.end();
  else if (act.ending === 'reset') {
    await upstream.received(`${target} `);
    client.reset();
  } else if (act.ending !== undefined) {
    await client.until(act.ending.resetAt);
    client.reset();
  }
  return client.closed();
}

test('whatever happens, every request ends once, for a reason that fits, and nothing is left behind', async () => {
  const warnings = watchProcess();
  const random: Random = randomOf(SEED);
  const upstream = await rawUpstream(stage);
  const proxy = await proxied({
    snapshot: snapshotOf(upstream.origin),
    options: { upstreamConnectionsMax: 6, queueWaitMs: 60_000 },
  });
  const planned = Array.from({ length: 900 }, () => ACTS[random(ACTS.length)] ?? actOf('/plain'));
  let next = 0;
  await Promise.all(
    Array.from({ length: 12 }, async () => {
      for (let n = next++; n < planned.length; n = next++) {
        const act = planned[n] ?? actOf('/plain');
        const text = await play(act, n, proxy, upstream);
        expect(text).not.toContain('poison');
        if (act.path === '/plain') expect(text).toContain(`\r\n\r\nGET /plain?${n} HTTP/1.1`);
      }
    }),
  );
  await proxy.ended(planned.length);
  await eventually(() => proxy.counts().connections === 0);
  const count = (outcomes: readonly Outcome[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const outcome of outcomes.toSorted()) counts[outcome] = (counts[outcome] ?? 0) + 1;
    return counts;
  };
  expect(count(proxy.observed.map(({ outcome }) => outcome))).toEqual(
    count(planned.flatMap(({ outcomes }) => outcomes)),
  );
  upstream.destroyAll();
  await eventually(() => proxy.counts().upstreamConnections === 0);
  expect(proxy.counts()).toMatchObject({ inFlight: 0, tunnels: 0, copyBytes: 0 });
  expect(proxy.log.filter(({ level }) => level === 'error')).toEqual([]);
  expect(warnings).toEqual([]);
});

test('of near-valid bytes every request gets one answer, and nothing malformed goes up', async () => {
  const warnings = watchProcess();
  const faults: string[] = [];
  let asked = 0;
  const server = http.createServer((req, res) => {
    req.on('error', () => {});
    req.resume().on('end', () => {
      asked += 1;
      res.end('fine');
    });
  });
  server.on('clientError', (error: Error & { code?: string }, socket) => {
    // Node knows 35 methods, and an upload that is cut is what it must see of a cut upload.
    const expected = ['HPE_INVALID_METHOD', 'HPE_INVALID_EOF_STATE', 'ECONNRESET', 'HPE_INVALID_CONSTANT'];
    if (!expected.includes(error.code ?? '')) faults.push(`${error.code} ${error.message}`);
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const origin = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  const proxy = await proxied({ snapshot: snapshotOf(origin), options: { queueWaitMs: 60_000 } });

  const inputs = [...mutants(SEED, 3_000, corpusSeeds(), 2_000)].filter(({ side }) => side === 'client');
  let answers = 0;
  let next = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let n = next++; n < inputs.length; n = next++) {
        const client = rawClient(proxy.port);
        client.send(inputs[n]?.bytes ?? '');
        client.end();
        const text = await client.closed();
        answers += text.match(/HTTP\/1\.1 [2-5]\d\d /g)?.length ?? 0;
      }
    }),
  );
  await eventually(() => proxy.counts().connections === 0);
  expect(faults).toEqual([]);
  expect(inputs.length).toBeGreaterThan(1_000);
  expect(proxy.observed).toHaveLength(answers);
  expect(asked).toBeLessThanOrEqual(answers);
  expect(proxy.observed.filter(({ outcome }) => outcome === 'OK').length).toBeGreaterThan(300);
  expect(proxy.log.filter(({ level }) => level === 'error')).toEqual([]);
  expect(warnings).toEqual([]);
});
