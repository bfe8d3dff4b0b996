/** The comparer's thread: decodes and compares what is posted, answers with redacted results. */
import { parentPort, workerData } from 'node:worker_threads';
import { assertNever } from '../core/assert.ts';
import type { NoiseKey, NoiseRow } from '../core/ports.ts';
import type { CompareRule } from '../core/types.ts';
import { createJudge, type Judged } from './judge.ts';
import { createNoiseBook } from './noise-book.ts';
import { unpackPair } from './pair.ts';

export type ToWorker =
  /** Rules are posted once and named by id; `forget` drops all of them first. */
  | {
      readonly kind: 'rules';
      readonly id: number;
      readonly rules: readonly CompareRule[];
      readonly forget: boolean;
    }
  | { readonly kind: 'pair'; readonly rulesId: number; readonly pair: ArrayBuffer }
  /** A request asked three times whose answers were the same byte for byte. */
  | { readonly kind: 'same'; readonly key: NoiseKey; readonly route: string }
  /** Answered with `noise`. */
  | { readonly kind: 'noise' };

/** `ready` comes first, when everything is loaded: only from then on does time count against a pair. */
export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'judged'; readonly judged: Judged }
  | { readonly kind: 'noise'; readonly noise: NoiseNews };

/** Models that have changed since they were asked for last. */
export interface NoiseNews {
  readonly rows: readonly NoiseRow[];
  /** Models and contents dropped so far for want of room. */
  readonly models: number;
  readonly contents: number;
}

export interface WorkerSetup {
  readonly key: Uint8Array;
  readonly decodedBytesMax: number;
  /** What earlier threads and processes knew of noise. */
  readonly learned: readonly NoiseRow[];
}

function serve(port: NonNullable<typeof parentPort>, { key, decodedBytesMax, learned }: WorkerSetup): void {
  const noise = createNoiseBook(key);
  noise.restore(learned);
  const { judge } = createJudge({ key, decodedBytesMax, noise });
  const rulesOf = new Map<number, readonly CompareRule[]>();
  const tell = (message: FromWorker) => port.postMessage(message);
  const answer = (judged: Judged) => tell({ kind: 'judged', judged });
  port.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'rules':
        if (message.forget) rulesOf.clear();
        rulesOf.set(message.id, message.rules);
        break;
      case 'same':
        noise.same(message.key, message.route);
        break;
      case 'noise':
        tell({ kind: 'noise', noise: { rows: noise.changed(), ...noise.dropped() } });
        break;
      case 'pair': {
        const rules = rulesOf.get(message.rulesId);
        // Without its rules a pair would be judged too strictly: it is not judged at all.
        if (rules === undefined) answer({ outcome: 'skipped', reason: 'compare-failed' });
        else answer(judge(unpackPair(message.pair), rules, message.rulesId));
        break;
      }
      default:
        assertNever(message);
    }
  });
  tell({ kind: 'ready' });
}

if (parentPort !== null) serve(parentPort, workerData);
