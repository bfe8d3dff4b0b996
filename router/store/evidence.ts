/** All SQL of evidence: one row per scope, its sets as numbers in one block. */
import type { Database } from 'better-sqlite3';
import type { DistinctContent } from '../core/evidence/distinct.ts';
import type { EvidenceContent } from '../core/evidence/evidence.ts';
import { type EvidenceScope, scopeText } from '../core/evidence/key.ts';
import type { EvictedEvidence, EvidenceStore, EvidenceTotals, StoredEvidence } from '../core/ports.ts';

/** Numbered by position, run by `openDatabase`. Only ever appended to. */
export const EVIDENCE_MIGRATIONS: readonly string[] = [
  `CREATE TABLE evidence (
     name TEXT PRIMARY KEY, scope TEXT NOT NULL, totals TEXT NOT NULL, content BLOB NOT NULL
   ) STRICT;
   CREATE TABLE evidence_evicted (
     group_name TEXT PRIMARY KEY, scopes INTEGER NOT NULL, of TEXT NOT NULL, different INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
];

interface Row {
  readonly scope: string;
  readonly totals: string;
  readonly content: Uint8Array;
}

/** `db` has `MIGRATIONS` applied. */
export function createEvidenceStore(db: Database): EvidenceStore {
  const put = db.prepare<[string, string, string, Uint8Array]>(
    'INSERT OR REPLACE INTO evidence VALUES (?, ?, ?, ?)',
  );
  const remove = db.prepare<[string]>('DELETE FROM evidence WHERE name = ?');
  const select = db.prepare<[], Row>('SELECT scope, totals, content FROM evidence');
  const putEvicted = db.prepare<EvictedEvidence>(
    'INSERT OR REPLACE INTO evidence_evicted VALUES (@group, @scopes, @of, @different)',
  );
  const selectEvicted = db.prepare<[], EvictedEvidence>(
    'SELECT group_name AS "group", scopes, of, different FROM evidence_evicted',
  );

  const write = db.transaction(
    (
      changed: readonly StoredEvidence[],
      gone: readonly EvidenceScope[],
      evicted: readonly EvictedEvidence[],
    ) => {
      for (const scope of gone) remove.run(scopeText(scope));
      for (const { scope, totals, content } of changed)
        put.run(scopeText(scope), JSON.stringify(scope), JSON.stringify(totals), packed(content));
      for (const each of evicted) putEvicted.run(each);
    },
  );

  return {
    load: () => ({ kept: select.all().map(stored), evicted: selectEvicted.all() }),
    write: (changed, gone, evicted) => write(changed, gone, evicted),
  };
}

function stored({ scope, totals, content }: Row): StoredEvidence {
  // What stands in these columns was written above, as exactly this.
  const parsed: { readonly scope: EvidenceScope; readonly totals: EvidenceTotals } = {
    scope: JSON.parse(scope),
    totals: JSON.parse(totals),
  };
  return { ...parsed, content: unpacked(content) };
}

const SETS = ['requests', 'observed', 'compared', 'shown'] as const;

interface Head extends Pick<EvidenceContent, 'signatures' | 'evicted'> {
  readonly sets: readonly { readonly entries: number; readonly count: number; readonly words: number }[];
}

const LENGTH_BYTES = 4;

/** Length of the JSON head (32 bits), head, then of each set its entries (64 bits) and its filter (32 bits). */
function packed(content: EvidenceContent): Uint8Array {
  const sets = SETS.map((name) => content[name]);
  const head: Head = {
    signatures: content.signatures,
    evicted: content.evicted,
    sets: sets.map(({ entries, later }) => ({
      entries: entries.length,
      count: later?.count ?? 0,
      words: later?.filter.length ?? 0,
    })),
  };
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(text.length);
  const numbers = sets.flatMap(({ entries, later }) => [
    Buffer.from(Float64Array.from(entries).buffer),
    Buffer.from(Uint32Array.from(later?.filter ?? []).buffer),
  ]);
  return Buffer.concat([length, text, ...numbers]);
}

function unpacked(block: Uint8Array): EvidenceContent {
  const bytes = Buffer.from(block);
  const start = LENGTH_BYTES + bytes.readUInt32LE(0);
  const head: Head = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, start));
  let at = start;
  const take = (size: number): ArrayBuffer => {
    const copy = new Uint8Array(bytes.subarray(at, at + size));
    at += size;
    return copy.buffer;
  };
  const [requests = EMPTY, observed = EMPTY, compared = EMPTY, shown = EMPTY] = head.sets.map(
    ({ entries, count, words }): DistinctContent => ({
      entries: [...new Float64Array(take(entries * 8))],
      later: words === 0 ? null : { count, filter: [...new Uint32Array(take(words * 4))] },
    }),
  );
  return { requests, observed, compared, shown, signatures: head.signatures, evicted: head.evicted };
}

const EMPTY: DistinctContent = { entries: [], later: null };
