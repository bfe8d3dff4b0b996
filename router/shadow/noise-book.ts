/** The noise models of all groups, as the comparer's thread keeps them: bounded, restored, handed out in packed form. */
import { createHmac } from 'node:crypto';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import {
  createNoiseModel,
  type Finding,
  type NoiseContent,
  type NoiseModel,
  type Triple,
  withLegacyAsService,
} from '../core/noise/model.ts';
import { NOISE_POLICY } from '../core/noise/path-verdict.ts';
import type { Digest } from '../core/noise/sketch.ts';
import type { NoiseKey, NoiseRow } from '../core/ports.ts';
import type { Fields } from '../core/types.ts';
import type { Baseline, PairMeta } from './pair.ts';

export interface NoiseLimits {
  /** Models of one group: builds and rules that are compared at the same time. */
  readonly perGroupMax: number;
  /** Paths of all models together, each up to 5 KB of memory; the model used longest ago is dropped. */
  readonly pathsMax: number;
  /** A packed model; a larger one is reported and not kept. */
  readonly contentBytesMax: number;
}

export const NOISE_LIMITS: NoiseLimits = {
  perGroupMax: 3,
  pathsMax: 16_000,
  contentBytesMax: 4 * 1024 * 1024,
};

export interface NoiseBook {
  fold(
    meta: Pick<PairMeta, 'route' | 'request'>,
    baseline: Omit<Baseline, 'reply'>,
    found: Record<'service' | 'baseline', readonly Finding[]>,
  ): void;
  /** All three answers were the same byte for byte. */
  same(key: NoiseKey, route: string): void;
  /** As if it had been folded here; what cannot be read is left out. */
  restore(rows: readonly NoiseRow[]): void;
  /** Models that have changed since they were asked for last. */
  changed(): readonly NoiseRow[];
  /** Models dropped because there were too many paths, and those too large to be kept. */
  dropped(): { readonly models: number; readonly contents: number };
}

interface Entry {
  readonly key: NoiseKey;
  readonly model: NoiseModel;
  /** Of legacy against itself, since this process began: one that flags something is not to be trusted. */
  readonly itself: NoiseModel;
  triples: number;
  dirty: boolean;
}

/** Clocks of the two sides may be apart by so much. */
const TOLERANCE_MS = 1_000;
const VERSION = 1;
/** Values of one request that an answer may echo. */
const ASKED_MAX = 256;
const ASKED_CHARS_MAX = 1_024;
const DIGEST_BYTES = 6;

/** `key`: secret of this installation; without it nobody can tell which values a model has seen. */
export function createNoiseBook(key: Uint8Array, limits: NoiseLimits = NOISE_LIMITS): NoiseBook {
  /** Used last, last. */
  const entries = new Map<string, Entry>();
  const droppedNow = { models: 0, contents: 0 };
  const digest: Digest = (text) =>
    createHmac('sha256', key).update(text).digest().readUIntBE(0, DIGEST_BYTES);

  function newModel(): NoiseModel {
    return createNoiseModel({ policy: NOISE_POLICY, digest, toleranceMs: TOLERANCE_MS });
  }

  function entryOf(about: NoiseKey): Entry {
    const name = JSON.stringify([about.group, about.build, about.rules]);
    const known = entries.get(name);
    const entry = known ?? {
      key: about,
      model: newModel(),
      itself: newModel(),
      triples: 0,
      dirty: false,
    };
    entries.delete(name);
    entries.set(name, entry);
    if (known === undefined) makeRoom(entry, ({ key: { group } }) => group === about.group);
    return entry;
  }

  /** Among the models of one group there is room for a new one. */
  function makeRoom(newest: Entry, isOfGroup: (entry: Entry) => boolean): void {
    const ofGroup = [...entries].filter(([, entry]) => isOfGroup(entry));
    for (const [name, entry] of ofGroup.slice(0, Math.max(0, ofGroup.length - limits.perGroupMax)))
      if (entry !== newest) drop(name);
  }

  function drop(name: string): void {
    entries.delete(name);
    droppedNow.models += 1;
  }

  function trim(): void {
    let paths = [...entries.values()].reduce((sum, entry) => sum + pathsOf(entry), 0);
    for (const [name, entry] of entries) {
      if (paths <= limits.pathsMax || entries.size === 1) return;
      paths -= pathsOf(entry);
      drop(name);
    }
  }

  function fold(about: NoiseKey, triple: Triple): void {
    const entry = entryOf(about);
    const before = pathsOf(entry);
    entry.model.fold(triple);
    entry.itself.fold(withLegacyAsService(triple));
    entry.triples += 1;
    entry.dirty = true;
    if (pathsOf(entry) > before) trim();
  }

  function rowOf({ key: about, model, itself, triples }: Entry): NoiseRow {
    let content: Uint8Array = pack(model.content());
    if (content.length > limits.contentBytesMax) {
      content = new Uint8Array();
      droppedNow.contents += 1;
    }
    const flaggedItself = itself.reports().filter(({ verdict }) => verdict === 'REGRESSION').length;
    return { ...about, content, reports: model.reports(), triples, flaggedItself };
  }

  return {
    fold({ route, request }, { key: about, calls, asked }, { service, baseline }) {
      const nothing = service.length === 0 && baseline.length === 0;
      fold(about, {
        route: route.label,
        service,
        baseline,
        asked: nothing ? NOTHING_ASKED : new Set(valuesAsked(request.target, asked).map(digest)),
        calls,
      });
    },
    same: (about, route) =>
      fold(about, { route, service: [], baseline: [], asked: NOTHING_ASKED, calls: null }),
    restore(rows) {
      for (const { content, reports: _, flaggedItself: __, triples, ...about } of rows) {
        const read = unpack(content);
        if (read === null) continue;
        const entry = entryOf(about);
        entry.model.merge(read);
        entry.triples += triples;
      }
      trim();
    },
    changed() {
      const dirty = [...entries.values()].filter((entry) => entry.dirty);
      for (const entry of dirty) entry.dirty = false;
      return dirty.map(rowOf);
    },
    dropped: () => ({ ...droppedNow }),
  };
}

function pathsOf({ model, itself }: Entry): number {
  return model.tracked + itself.tracked;
}

const NOTHING_ASKED: ReadonlySet<number> = new Set();

/** Values of a request that an answer might give back: path, query, fields, cookies. */
function valuesAsked(target: string, fields: Fields): readonly string[] {
  const [path = '', query = ''] = target.split('?', 2);
  const values = path.split('/').map(decoded);
  for (const [, value] of new URLSearchParams(query)) values.push(value);
  for (let i = 1; i < fields.length; i += 2) {
    const value = fields[i] ?? '';
    values.push(value);
    if (fields[i - 1]?.toLowerCase() === 'cookie')
      values.push(...value.split(';').map((pair) => pair.slice(pair.indexOf('=') + 1)));
  }
  return values.filter((value) => value !== '' && value.length <= ASKED_CHARS_MAX).slice(0, ASKED_MAX);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not encoded as UTF-8: then it is taken as it stands.
    return text;
  }
}

function pack(content: NoiseContent): Uint8Array {
  return gzipSync(JSON.stringify({ version: VERSION, content }), { level: constants.Z_BEST_SPEED });
}

/** The content of a row as `changed` packed it; null when it is empty, damaged, or of another version. */
export function unpack(content: Uint8Array): NoiseContent | null {
  if (content.length === 0) return null;
  try {
    const read: { readonly version?: number; readonly content: NoiseContent } = JSON.parse(
      gunzipSync(content, { maxOutputLength: UNPACKED_BYTES_MAX }).toString(),
    );
    return read.version === VERSION ? read.content : null;
  } catch {
    // What was learned is learned again.
    return null;
  }
}

const UNPACKED_BYTES_MAX = 64 * 1024 * 1024;
