/** The comparer's thread: decodes and compares what is posted, answers with redacted results. */
import { parentPort, workerData } from 'node:worker_threads';
import type { CompareRule } from '../core/types.ts';
import { createJudge, type Judged } from './judge.ts';
import { unpackPair } from './pair.ts';

export type ToWorker =
  /** Rules are posted once and named by id; `forget` drops all of them first. */
  | {
      readonly kind: 'rules';
      readonly id: number;
      readonly rules: readonly CompareRule[];
      readonly forget: boolean;
    }
  | { readonly kind: 'pair'; readonly rulesId: number; readonly pair: ArrayBuffer };

/** `ready` comes first, when everything is loaded: only from then on does time count against a pair. */
export type FromWorker = { readonly kind: 'ready' } | { readonly kind: 'judged'; readonly judged: Judged };

export interface WorkerSetup {
  readonly key: Uint8Array;
  readonly decodedBytesMax: number;
}

function serve(port: NonNullable<typeof parentPort>, { key, decodedBytesMax }: WorkerSetup): void {
  const { judge } = createJudge({ key, decodedBytesMax });
  const rulesOf = new Map<number, readonly CompareRule[]>();
  const tell = (message: FromWorker) => port.postMessage(message);
  const answer = (judged: Judged) => tell({ kind: 'judged', judged });
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'rules') {
      if (message.forget) rulesOf.clear();
      rulesOf.set(message.id, message.rules);
      return;
    }
    const rules = rulesOf.get(message.rulesId);
    // Without its rules a pair would be judged too strictly: it is not judged at all.
    if (rules === undefined) answer({ outcome: 'skipped', reason: 'compare-failed' });
    else answer(judge(unpackPair(message.pair), rules, message.rulesId));
  });
  tell({ kind: 'ready' });
}

if (parentPort !== null) serve(parentPort, workerData);
