import type { ComparisonBatch, ComparisonStore, Log } from '../core/ports.ts';
import type { EvidenceKeeper } from './evidence.ts';

export interface KeptDeps {
  readonly store: Pick<ComparisonStore, 'flush' | 'shrink'>;
  readonly evidence: Pick<EvidenceKeeper, 'add' | 'write' | 'shrink'>;
  readonly room: { full(): boolean };
  readonly log: Log;
}

/** Takes batches of comparisons: into the file, into evidence; where the file is full, what is least used goes first. */
export function createKept({ store, evidence, room, log }: KeptDeps): Pick<ComparisonStore, 'flush'> {
  let full = false;

  function makeRoom(): void {
    const was = full;
    full = room.full();
    if (!full) return;
    // Said once, however long it lasts.
    if (!was) log.warn('file-full', { next: 'raise evidence.fileBytesMax' });
    evidence.shrink();
    store.shrink();
  }

  return {
    flush(batch: ComparisonBatch) {
      makeRoom();
      // Throws when nothing could be kept: then nothing is counted, and the batch comes again.
      store.flush(batch);
      evidence.add(batch);
      evidence.write();
    },
  };
}
