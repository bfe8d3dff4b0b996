import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { canonicalJson } from '../core/canonical.ts';
import { GENESIS, type LedgerEvent } from '../core/events.ts';
import type { Append, Ledger } from '../core/ports.ts';
import { EMPTY_LEDGER, fold, type LedgerState } from '../core/rollout.ts';
import { type Db, StoreError } from './open.ts';

export const LEDGER_MIGRATIONS: readonly string[] = [
  `CREATE TABLE event (
     seq INTEGER PRIMARY KEY,
     rev INTEGER NOT NULL,
     grp TEXT NOT NULL,
     type TEXT NOT NULL,
     at TEXT NOT NULL,
     actor TEXT NOT NULL,
     token INTEGER NOT NULL,
     key TEXT NOT NULL UNIQUE,
     body TEXT NOT NULL,
     prev TEXT NOT NULL,
     hash TEXT NOT NULL,
     UNIQUE (grp, rev)
   ) STRICT;
   CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
   CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;`,
];

/** The chain is broken, cut or cannot be folded; `message` names the place and what to do. */
export class LedgerError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LedgerError';
  }
}

interface LedgerDeps {
  /** Wall time, ms since 1970. */
  wall(): number;
  nextId(): string;
  /** The event is safe but the anchor could not follow: until it can, a cut end would go unnoticed. */
  onAnchorLag(error: unknown): void;
}

interface Row {
  readonly seq: number;
  readonly rev: number;
  readonly grp: string;
  readonly type: string;
  readonly at: string;
  readonly actor: string;
  readonly token: number;
  readonly key: string;
  readonly body: string;
  readonly prev: string;
  readonly hash: string;
}

/**
 * Opens the ledger in `db`, verifies the whole chain against `anchorFile` and folds it. The anchor is a small
 * file beside the database that names the newest event: the chain proves that nothing inside was edited, the
 * anchor that nothing was cut off its end. Throws LedgerError.
 */
export function openLedger(db: Db, anchorFile: string, deps: LedgerDeps): Ledger {
  const all = db.prepare<[], Row>('SELECT * FROM event ORDER BY seq');
  const newest = db.prepare<[], Row>('SELECT * FROM event ORDER BY seq DESC LIMIT 1');
  const newestAny = db.prepare<[number], Row>('SELECT * FROM event ORDER BY seq DESC LIMIT ?');
  const newestOf = db.prepare<[string, number], Row>(
    'SELECT * FROM event WHERE grp = ? ORDER BY seq DESC LIMIT ?',
  );
  const insert = db.prepare<Row>(
    'INSERT INTO event VALUES (@seq, @rev, @grp, @type, @at, @actor, @token, @key, @body, @prev, @hash)',
  );

  const anchor = readAnchor(anchorFile);
  let state = replay(all.iterate(), anchor);
  // A higher number per opening: whoever still holds an older one can be told apart in the chain.
  const token = (newest.get()?.token ?? 0) + 1;
  writeAnchor(anchorFile, newest.get());

  const write = db.transaction((what: Append): readonly LedgerEvent[] => {
    let { seq } = state;
    let rev = state.groups.get(what.group)?.rev ?? 0;
    let prev = newest.get()?.hash ?? GENESIS;
    const at = new Date(deps.wall()).toISOString();
    return what.happenings.map((happening) => {
      seq += 1;
      rev += 1;
      const event = sealed({
        ...happening,
        seq,
        rev,
        group: what.group,
        at,
        actor: what.actor,
        token,
        key: deps.nextId(),
        prev,
      });
      insert.run(toRow(event));
      prev = event.hash;
      return event;
    });
  });

  return {
    state: () => state,
    append(what) {
      const { rev, decidedRev } = state.groups.get(what.group) ?? { rev: 0, decidedRev: 0 };
      // Whoever saw the newest decision may act on it, even if a flag was acknowledged meanwhile.
      if (what.expectedRev !== null && (what.expectedRev < decidedRev || what.expectedRev > rev))
        return { kind: 'conflict', rev };
      if (what.happenings.length === 0) return { kind: 'appended', events: [] };
      const events = write.immediate(what);
      state = events.reduce(fold, state);
      try {
        writeAnchor(anchorFile, newest.get());
      } catch (error) {
        deps.onAnchorLag(error); // The events are on disk: failing the append would deny what happened.
      }
      return { kind: 'appended', events };
    },
    recent: (group, limit) =>
      (group === null ? newestAny.all(limit) : newestOf.all(group, limit)).map(fromRow),
    verify() {
      const now = readAnchor(anchorFile);
      return replay(all.iterate(), now).seq;
    },
  };
}

type Unsealed = LedgerEvent extends infer E ? (E extends LedgerEvent ? Omit<E, 'hash'> : never) : never;

function sealed(event: Unsealed): LedgerEvent {
  return { ...event, hash: eventHash(event) };
}

/** SHA-256 over the RFC 8785 form of the event without its hash, lower-case hex. */
export function eventHash(event: object): string {
  return createHash('sha256').update(canonicalJson(event)).digest('hex');
}

function replay(rows: Iterable<Row>, anchor: Anchor | null): LedgerState {
  let state = EMPTY_LEDGER;
  let prev = GENESIS;
  let anchored = anchor === null || anchor.seq === 0;
  for (const row of rows) {
    const { hash, ...rest } = fromRow(row);
    if (rest.prev !== prev) throw broken(rest.seq, 'it does not follow the event before it');
    if (eventHash(rest) !== hash) throw broken(rest.seq, 'its content does not match its hash');
    if (anchor?.seq === rest.seq) {
      if (anchor.hash !== hash) throw broken(rest.seq, 'it is not the event the anchor file names');
      anchored = true;
    }
    try {
      state = fold(state, { ...rest, hash });
    } catch (error) {
      throw new LedgerError(
        `${error instanceof Error ? error.message : String(error)}; restore fig.db and ledger.head from one backup`,
        { cause: error },
      );
    }
    prev = hash;
  }
  if (!anchored) {
    throw new LedgerError(
      `the ledger was cut: it ends at event ${state.seq}, but event ${anchor?.seq} was written; restore fig.db and ledger.head from one backup`,
    );
  }
  return state;
}

function broken(seq: number, why: string): LedgerError {
  return new LedgerError(
    `ledger event ${seq} was edited: ${why}; restore fig.db and ledger.head from one backup`,
  );
}

function toRow(event: LedgerEvent): Row {
  const { seq, rev, group, type, at, actor, token, key, body, prev, hash } = event;
  return {
    seq,
    rev,
    grp: group,
    type,
    at,
    actor: JSON.stringify(actor),
    token,
    key,
    body: JSON.stringify(body),
    prev,
    hash,
  };
}

function fromRow(row: Row): LedgerEvent {
  const { grp, actor, body, ...rest } = row;
  try {
    // The hash over all of it is checked by the caller: what was written by `toRow` is what comes back.
    return { ...rest, group: grp, actor: JSON.parse(actor), body: JSON.parse(body) } as LedgerEvent;
  } catch (error) {
    throw new LedgerError(
      `ledger event ${row.seq} was edited: it is not JSON any more; restore fig.db and ledger.head from one backup`,
      { cause: error },
    );
  }
}

interface Anchor {
  readonly seq: number;
  readonly hash: string;
}

function readAnchor(file: string): Anchor | null {
  if (!existsSync(file)) return null;
  const text = readFileSync(file, 'utf8').trim();
  const found = /^(\d+) ([0-9a-f]{64})$/.exec(text);
  if (found?.[1] === undefined || found[2] === undefined) {
    throw new LedgerError(
      `${file} is damaged; if fig.db is known to be good, delete ${file} and start again`,
    );
  }
  return { seq: Number(found[1]), hash: found[2] };
}

/** Written after the commit: a crash in between leaves an older anchor, which the longer chain still satisfies. */
function writeAnchor(file: string, newest: Row | undefined): void {
  const temporary = `${file}.new`;
  const handle = openSync(temporary, 'w', 0o600);
  try {
    writeSync(handle, `${newest?.seq ?? 0} ${newest?.hash ?? GENESIS}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  try {
    renameSync(temporary, file);
  } catch (error) {
    throw new StoreError(`${file} cannot be written`, { cause: error });
  }
}
