import http from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { startFigProxy } from '../helpers/fig.ts';
import { freePort } from '../helpers/free-port.ts';
import { openFiles } from '../helpers/process.ts';
import { exchange, parseMessage } from '../helpers/raw-http.ts';
import { eventually } from '../helpers/world.ts';

const PER_SECOND = 2_000;
const SECONDS = 3;
const TICK_MS = 10;
/** Below what the proxy lets wait for one upstream, so that nothing is refused for want of a place. */
const IN_FLIGHT_MAX = 400;

interface Outcome {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly status: number;
  readonly body: string;
}

/** An upstream that can be killed with everything it has in flight, and started again on its port. */
async function mortal() {
  const port = await freePort();
  let server: http.Server | null = null;
  const kill = (): void => {
    server?.closeAllConnections();
    server?.close();
    server = null;
  };
  onTestFinished(kill);
  return {
    origin: `http://127.0.0.1:${port}`,
    kill,
    start(): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      server = http
        .createServer((req, res) => res.end(`echo ${req.url}`))
        .listen({ port, host: '127.0.0.1', backlog: 4_096 }, resolve);
      return promise;
    },
  };
}

/** One request on a connection of its own. Status 0: it was not answered. */
async function once(port: number, n: number): Promise<Outcome> {
  const startedMs = performance.now();
  const text = await exchange(port, `GET /${n} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const { status, body } = parseMessage(text);
  return { startedMs, endedMs: performance.now(), status: Number.isNaN(status) ? 0 : status, body };
}

/** New connections at a steady rate, fewer while too many are open; resolves when the last one is answered. */
async function rush(port: number): Promise<readonly Outcome[]> {
  const running = new Set<Promise<Outcome>>();
  const outcomes: Outcome[] = [];
  const started = performance.now();
  let opened = 0;
  while (performance.now() - started < SECONDS * 1_000) {
    const due = ((performance.now() - started) / 1_000) * PER_SECOND;
    while (opened < due && running.size < IN_FLIGHT_MAX) {
      const one = once(port, opened).then((outcome) => {
        running.delete(one);
        outcomes.push(outcome);
        return outcome;
      });
      running.add(one);
      opened += 1;
    }
    await wait(TICK_MS);
  }
  await Promise.all(running);
  return outcomes;
}

test('2,000 new connections a second, the upstream killed meanwhile: only what met the gap fails', {
  timeout: 40_000,
}, async () => {
  const upstream = await mortal();
  const proxy = await startFigProxy(upstream.origin);
  const filesBefore = openFiles(proxy.pid);
  await upstream.start();
  const rushing = rush(proxy.port);
  await wait(1_000);
  const killedMs = performance.now();
  upstream.kill();
  await wait(500);
  await upstream.start();
  const backMs = performance.now();
  const outcomes = await rushing;

  const metTheGap = ({ startedMs, endedMs }: Outcome): boolean => startedMs <= backMs && endedMs >= killedMs;
  const failed = outcomes.filter(({ status }) => status !== 200);
  expect(failed.filter((outcome) => outcome.status !== 502 || !metTheGap(outcome))).toEqual([]);
  expect(failed.length).toBeGreaterThan(0);
  expect(outcomes.length).toBeGreaterThan((PER_SECOND * SECONDS) / 3);
  const wrong = outcomes.filter(({ status, body }) => status === 200 && !/^echo \/\d+$/.test(body));
  expect(wrong).toEqual([]);
  expect(outcomes.filter(({ status, startedMs }) => status === 200 && startedMs > backMs)).not.toEqual([]);

  upstream.kill();
  await eventually(() => openFiles(proxy.pid) <= filesBefore);
});
