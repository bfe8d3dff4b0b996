/** Ours against the oracle: never more lenient, never another message. */
import { METHODS } from 'node:http';
import type { Seed } from './corpus.ts';
import { type OracleMessage, type OracleReading, oracleAnswers, oracleRequests } from './oracle.ts';
import { answerReader, type Message, type Reading, readRequests } from './reading.ts';

export interface Difference {
  readonly seed: Seed;
  readonly note: string;
}

/** The one exception: methods that the oracle does not know are shown to it as this one, which has the same framing. */
const STAND_IN = 'POST';
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);

/** What ours reads in another way than the oracle, over all seeds. */
export async function differences(seeds: readonly Seed[]): Promise<Difference[]> {
  const ours = seeds.map(({ side, method, bytes }) => {
    const slices = [Buffer.from(bytes, 'latin1')];
    return side === 'client' ? readRequests(slices) : answerReader(method, true)(slices);
  });
  const requests = seeds.flatMap(({ side, bytes }, i) =>
    side === 'client' ? [shown(bytes, ours[i]?.messages ?? [])] : [],
  );
  const heard = await oracleRequests(requests);
  const answered = await oracleAnswers(seeds.filter(({ side }) => side === 'upstream'));
  return seeds.flatMap((seed, i) => {
    const reading = ours[i];
    const oracle = (seed.side === 'client' ? heard : answered).shift();
    if (reading === undefined || oracle === undefined) throw new RangeError('the oracle left one out');
    const note = disagreement(reading, oracle, seed.side);
    return note === null ? [] : [{ seed, note }];
  });
}

/** The bytes in pieces that begin with a message: of a piece with an upgrade it ignores, node drops the rest. */
function shown(bytes: string, messages: readonly Message[]): string[] {
  const pieces = [bytes.slice(0, messages[0]?.at)];
  for (const [i, { at, method }] of messages.entries()) {
    const piece = bytes.slice(at, messages[i + 1]?.at);
    pieces.push(KNOWN_METHODS.has(method) ? piece : STAND_IN + piece.slice(method.length));
  }
  return pieces;
}

function disagreement(ours: Reading, oracle: OracleReading, side: Seed['side']): string | null {
  for (const [i, message] of ours.messages.entries()) {
    const other = oracle.messages[i];
    if (other === undefined) return `accepted what the oracle refuses (${oracle.fault ?? 'more to come'})`;
    const note = headNote(message, other) ?? bodyNote(message, other, ours, oracle);
    if (note !== null) return note;
  }
  const waits = ours.end === 'more' && oracle.messages.length > ours.messages.length;
  // A second answer is the oracle's affair: it has been told about one request only.
  return waits && side === 'client' ? 'waits for a head that the oracle has' : null;
}

function headNote(ours: Message, oracle: OracleMessage): string | null {
  const method = KNOWN_METHODS.has(ours.method) ? ours.method : STAND_IN;
  if (method !== oracle.method) return `method ${oracle.method}`;
  if (ours.start !== oracle.start) return `start ${oracle.start}`;
  if (ours.version !== oracle.version) return `version ${oracle.version}`;
  if (!same(ours.fields, oracle.fields)) return `fields ${JSON.stringify(oracle.fields)}`;
  // Node asks whether the connection lives before it tells its parser that this answers a HEAD and needs no end.
  if (ours.method === 'HEAD' && /^[1-9]\d\d$/.test(ours.start) && !isFramed(ours.fields)) return null;
  return ours.keepsOpen && !oracle.keepsOpen && ours.complete ? 'keeps what the oracle closes' : null;
}

function bodyNote(
  ours: Message,
  oracle: OracleMessage,
  reading: Reading,
  { fault }: OracleReading,
): string | null {
  if (!ours.complete) {
    if (reading.end === 'more' && oracle.complete) return 'waits for a body that the oracle has whole';
    const agrees =
      reading.end === 'more' && fault === null
        ? oracle.body === ours.body
        : oracle.body.startsWith(ours.body) || ours.body.startsWith(oracle.body);
    return agrees ? null : `body so far ${JSON.stringify(oracle.body)}`;
  }
  if (!oracle.complete) return `complete, to the oracle it is not (${fault ?? 'more to come'})`;
  if (ours.body !== oracle.body) return `body ${JSON.stringify(oracle.body)}`;
  return same(ours.trailers, oracle.trailers) ? null : `trailers ${JSON.stringify(oracle.trailers)}`;
}

function isFramed(fields: readonly string[]): boolean {
  return fields.some((name, i) => i % 2 === 0 && /^(?:content-length|transfer-encoding)$/i.test(name));
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

/** The shortest seed found that still differs, by leaving out ever smaller ranges. */
export async function minimised(difference: Difference): Promise<Difference> {
  let best = difference;
  for (let size = best.seed.bytes.length >> 1; size > 0; size >>= 1) {
    for (let shrunk = true; shrunk; ) {
      const { seed } = best;
      const cuts = Array.from({ length: seed.bytes.length - size + 1 }, (_, at) => ({
        ...seed,
        bytes: seed.bytes.slice(0, at) + seed.bytes.slice(at + size),
      }));
      const [shorter] = await differences(cuts);
      shrunk = shorter !== undefined;
      best = shorter ?? best;
    }
  }
  return best;
}
