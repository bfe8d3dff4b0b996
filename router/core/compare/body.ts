/** Bodies: bytes first, then content codings, then text, then the format. */
import { type JsonReading, readJsonPair } from '../json.ts';
import type { Captured } from '../types.ts';
import { charsetOf, readText } from './charset.ts';
import type { Detail, Inflate, Kind, Sample } from './comparison.ts';
import { fieldValue, mediaType } from './headers.ts';
import { readEvents, readParts } from './readers.ts';
import { advance, type BodyFormat, type Cursor, ruleAt } from './rule.ts';
import { sampleOf, textSample } from './sink.ts';
import { textDetail } from './strings.ts';
import { BODY } from './trail.ts';
import { compareTrees, excusesValue, type Walk } from './tree.ts';

/** Legacy's decoded body is larger than may be compared: nobody's fault, so nothing is said about the service. */
export type BodyResult = 'compared' | 'legacy-too-large';

interface Coded {
  readonly bytes: Uint8Array;
  readonly contentType: string | null;
  readonly codings: readonly string[];
}

/** Adds the differences of two complete bodies. */
export function compareBodies(
  legacy: Captured,
  service: Captured,
  root: Cursor,
  inflate: Inflate,
  walk: Walk,
): BodyResult {
  const [left, right] = [codedOf(legacy), codedOf(service)];
  const cursor = advance(root, 'body');
  const alike = sameList(left.codings, right.codings) && sameCharset(left.contentType, right.contentType);
  if (alike && sameBytes(left.bytes, right.bytes)) return 'compared';
  const [a, b] = [inflate(left.bytes, left.codings), inflate(right.bytes, right.codings)];
  if (a.kind === 'too-large') return 'legacy-too-large';
  if (b.kind === 'too-large') report('oversize', null, left.bytes, right.bytes, cursor, walk);
  else if (a.kind === 'unreadable' || b.kind === 'unreadable') {
    report('encoding', null, left.bytes, right.bytes, cursor, walk);
  } else if (a.kind === 'unknown-coding' || b.kind === 'unknown-coding') {
    if (!sameBytes(left.bytes, right.bytes)) {
      report('value', 'unknown-coding', left.bytes, right.bytes, cursor, walk);
    }
  } else compareDecoded({ ...left, bytes: a.bytes }, { ...right, bytes: b.bytes }, cursor, walk);
  return 'compared';
}

function compareDecoded(left: Coded, right: Coded, cursor: Cursor, walk: Walk): void {
  const rule = ruleAt(cursor, 'read-body');
  const declared = formatOfPair(left, right);
  const format = rule?.effect.as ?? declared;
  // What a rule makes readable differs as it is declared: that difference is the rule's.
  const reread = rule !== null && format !== declared && !sameBytes(left.bytes, right.bytes);
  if (reread) walk.sink.add({ trail: BODY, kind: 'value', detail: null, ...bytesOf(left, right) }, rule);
  if (format === 'binary') {
    if (!sameBytes(left.bytes, right.bytes)) report('value', null, left.bytes, right.bytes, cursor, walk);
  } else if (format === 'multipart') compareParts(left, right, cursor, walk);
  else compareTextual(format, left, right, cursor, walk);
}

function compareParts(left: Coded, right: Coded, cursor: Cursor, walk: Walk): void {
  const [a, b] = [readParts(left.bytes, left.contentType), readParts(right.bytes, right.contentType)];
  if (a !== null && b !== null) compareTrees(a, b, BODY, cursor, walk);
  else if (a !== b || !sameBytes(left.bytes, right.bytes)) {
    report('parse', null, left.bytes, right.bytes, cursor, walk);
  }
}

function compareTextual(
  format: Exclude<BodyFormat, 'binary' | 'multipart'>,
  left: Coded,
  right: Coded,
  cursor: Cursor,
  walk: Walk,
): void {
  const [a, b] = [
    readText(left.bytes, charsetOf(left.contentType)),
    readText(right.bytes, charsetOf(right.contentType)),
  ];
  if (a.kind === 'unreadable' || b.kind === 'unreadable') {
    const undecodable = a.kind === b.kind && sameBytes(left.bytes, right.bytes);
    if (!undecodable) report('encoding', 'charset', left.bytes, right.bytes, cursor, walk);
  } else if (format === 'text') {
    const mark = (bom: boolean, text: string) => (bom ? `\uFEFF${text}` : text);
    compareTexts(mark(a.bom, a.text), mark(b.bom, b.text), cursor, walk);
  } else if (format === 'sse') {
    // One leading mark is no part of an event stream.
    compareTrees(readEvents(a.text), readEvents(b.text), BODY, cursor, walk);
  } else if (a.bom !== b.bom) report('encoding', 'bom', left.bytes, right.bytes, cursor, walk);
  else if (format === 'json') compareJson(a.text, b.text, cursor, walk);
  else compareLines(a.text, b.text, cursor, walk);
}

function compareTexts(left: string, right: string, cursor: Cursor, walk: Walk): void {
  if (left === right) return;
  const rule = ruleAt(cursor, 'ignore') ?? excusesValue(left, right, cursor, walk.context);
  const samples = { legacy: textSample('string', left), service: textSample('string', right) };
  walk.sink.add({ trail: BODY, kind: 'value', detail: textDetail(left, right), ...samples }, rule);
}

function compareJson(left: string, right: string, cursor: Cursor, walk: Walk): void {
  if (isBlank(left) || isBlank(right)) compareAbsence(left, right, cursor, walk);
  else compareReadings(readJsonPair(left, right, walk.strict), left === right, cursor, walk);
}

/** Each line is one JSON text; all lines are compared like the elements of an array. */
function compareLines(left: string, right: string, cursor: Cursor, walk: Walk): void {
  const [a, b] = [linesOf(left), linesOf(right)];
  // One array text per side keeps lexemes, duplicates and limits in one reader. `1,2` on a line would pass as two
  // elements, so every line must be JSON by itself.
  const broken = (lines: readonly string[]) => lines.some((line) => !isOneJson(line));
  const [x, y] = readJsonPair(`[${a.join(',')}]`, `[${b.join(',')}]`, walk.strict);
  compareReadings([broken(a) ? MALFORMED : x, broken(b) ? MALFORMED : y], left === right, cursor, walk);
}

const MALFORMED: JsonReading = { kind: 'malformed' };

function isOneJson(line: string): boolean {
  return readJsonPair(line, 'null', false)[0].kind !== 'malformed';
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => !isBlank(line));
}

function compareReadings(
  [a, b]: readonly [JsonReading, JsonReading],
  equalTexts: boolean,
  cursor: Cursor,
  walk: Walk,
): void {
  if (a.kind === 'too-many' || b.kind === 'too-many') walk.spend(Number.POSITIVE_INFINITY);
  if (a.kind === 'value' && b.kind === 'value') {
    compareTrees(a.value, b.value, BODY, cursor, walk);
    return;
  }
  if (equalTexts && a.kind === b.kind) return;
  const sample = (reading: JsonReading) => (reading.kind === 'value' ? sampleOf(reading.value) : null);
  const found = { trail: BODY, kind: 'parse', detail: null, legacy: sample(a), service: sample(b) } as const;
  walk.sink.add(found, ruleAt(cursor, 'ignore'));
}

/** A body of nothing is not `null`, `{}` or `[]`. */
function compareAbsence(left: string, right: string, cursor: Cursor, walk: Walk): void {
  if (isBlank(left) && isBlank(right)) return;
  const only = isBlank(left) ? right : left;
  const sample: Sample = { type: 'bytes', text: null, length: only.length };
  const rule = ruleAt(cursor, 'ignore');
  const found = { trail: BODY, detail: null } as const;
  if (isBlank(right)) walk.sink.add({ ...found, kind: 'missing', legacy: sample, service: null }, rule);
  else walk.sink.add({ ...found, kind: 'extra', legacy: null, service: sample }, rule);
}

function report(
  kind: Kind,
  detail: Detail | null,
  left: Uint8Array,
  right: Uint8Array,
  cursor: Cursor,
  walk: Walk,
): void {
  const found = { trail: BODY, kind, detail, ...bytesOf({ bytes: left }, { bytes: right }) };
  // No rule excuses what was not read to its end.
  walk.sink.add(found, kind === 'oversize' ? null : ruleAt(cursor, 'ignore'));
}

type Bytes = Pick<Coded, 'bytes'>;

function bytesOf(left: Bytes, right: Bytes): { readonly legacy: Sample; readonly service: Sample } {
  const sample = ({ bytes }: Bytes): Sample => ({ type: 'bytes', text: null, length: bytes.length });
  return { legacy: sample(left), service: sample(right) };
}

/** The format both sides declare; other families are compared as text. Never sniffed. */
function formatOfPair(left: Coded, right: Coded): BodyFormat {
  const [a, b] = [formatOf(left.contentType), formatOf(right.contentType)];
  return a === b ? a : 'text';
}

/** Formats without a comparer of their own are text, or bytes when they are not text. */
export function formatOf(contentType: string | null): BodyFormat {
  const type = contentType === null ? '' : mediaType(contentType);
  if (type === 'application/json' || type === 'text/json' || type.endsWith('+json')) return 'json';
  if (NDJSON.has(type)) return 'ndjson';
  return type.startsWith('text/') || TEXTUAL.has(type) || type.endsWith('+xml') ? 'text' : 'binary';
}

const NDJSON: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
]);
const TEXTUAL: ReadonlySet<string> = new Set([
  'application/xml',
  'application/javascript',
  'application/x-www-form-urlencoded',
]);

function codedOf(answer: Captured): Coded {
  const codings = (fieldValue(answer.fields, 'content-encoding') ?? '').toLowerCase().split(',');
  return {
    bytes: answer.body,
    contentType: fieldValue(answer.fields, 'content-type'),
    codings: codings.filter((coding) => coding !== '' && coding !== 'identity'),
  };
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

/** Equal bytes are the same text only in the same charset. */
function sameCharset(a: string | null, b: string | null): boolean {
  return charsetOf(a) === charsetOf(b);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

function isBlank(text: string): boolean {
  return /^[ \t\r\n]*$/.test(text);
}
