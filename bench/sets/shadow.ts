import { type Bench, load, openLoop, type Sample } from '../bench.ts';
import {
  figFlags,
  figShadow,
  figShadowOnce,
  figShadowTwice,
  nginx,
  nginxMirror,
  type Origins,
  type Running,
} from '../contestants.ts';
import type { CopyCounts } from '../fig.ts';
import type { LoadOrder, LoadResult } from '../load.ts';
import { pause } from '../processes.ts';
import {
  getName,
  measureLoad,
  type Scenario,
  sideBySide,
  startAll,
  startTargets,
  type Targets,
} from '../side-by-side.ts';

/** Of what `fig-flags` manages without copies: little enough that a copy of every request finds room. */
const RATE_SHARE = 0.3;
/** Until the copies of a run are made and compared. */
const SETTLE_MS = 1_000;

/**
 * A copy of every request: nginx with `mirror`, which throws the answers away, and fig, which compares them. In a
 * closed loop, where CPU means something because nobody sleeps; and at a fixed rate, where latency does.
 */
export async function shadow(bench: Bench): Promise<void> {
  const targets = await startTargets(bench);
  const contestants = [nginx, nginxMirror, figFlags, figShadowOnce, figShadow, figShadowTwice];
  const running = await startAll(bench, contestants, targets.origins);
  const baseline = running.get(figFlags.name);
  if (baseline === undefined) throw new Error('fig did not start');
  const scenarios: Scenario[] = [];
  for (const connections of bench.options.connections)
    for (const body of bench.options.bodies) {
      const order = { connections, body, seconds: bench.options.seconds };
      const warm = { ...order, seconds: Math.min(2, order.seconds), kind: 'get' } as const;
      await load(bench, { ...warm, port: baseline.port });
      const { requests, seconds } = await load(bench, { ...warm, port: baseline.port });
      const perSecond = Math.ceil((RATE_SHARE * requests) / seconds);
      bench.log(`${getName(connections, body)}: the fixed rate is ${perSecond} requests a second`);
      scenarios.push(
        scenario(bench, targets, warm, `${getName(connections, body)}, fixed rate`, ({ port }) =>
          openLoop(bench, { ...order, port, perSecond }),
        ),
        scenario(bench, targets, warm, `${getName(connections, body)}, closed loop`, ({ port }) =>
          load(bench, { ...order, port, kind: 'get' }),
        ),
      );
    }
  await sideBySide(bench, 'shadow', running, scenarios);
}

function scenario(
  bench: Bench,
  targets: Targets,
  warm: Omit<LoadOrder, 'port'>,
  name: string,
  run: (proxy: Running) => Promise<LoadResult>,
): Scenario {
  return {
    name,
    warmUp: async ({ port }) => {
      await load(bench, { ...warm, port });
      await pause(SETTLE_MS);
    },
    measure: async (proxy) => {
      const before = await copiesOf(targets.origins, proxy);
      let requests = 0;
      const sample = await measureLoad(targets, proxy, async () => {
        const result = await run(proxy);
        requests = result.requests;
        // Work on copies that goes on after the last answer counts as well.
        await pause(SETTLE_MS);
        return result;
      });
      return { ...sample, ...copiedSince(before, await copiesOf(targets.origins, proxy), requests) };
    },
  };
}

interface Copies {
  /** Requests that came to the service; the target of copies sees nothing else. */
  readonly received: number;
  readonly counts: CopyCounts | null;
}

async function copiesOf(origins: Origins, proxy: Running): Promise<Copies> {
  const response = await fetch(`${origins.copies}/received`, { headers: { connection: 'close' } });
  return { received: Number(await response.text()), counts: proxy.copies?.() ?? null };
}

function copiedSince(before: Copies, after: Copies, requests: number): Sample {
  const copiedPercent = (100 * (after.received - before.received)) / requests;
  if (before.counts === null || after.counts === null) return { copiedPercent };
  const compared = after.counts.compared - before.counts.compared;
  return { copiedPercent, comparedPercent: (100 * compared) / requests };
}
