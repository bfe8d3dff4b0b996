/** Bodies: bytes first, then content codings, then text, then the format. */
import { type JsonReading, readExactJson, readJson, readJsonPair, type Tree, Unreadable } from '../json.ts';
import type { Captured } from '../types.ts';
import { charsetOf, charsetWithin, readText } from './charset.ts';
import type { Detail, HtmlIgnore, Inflate, Kind, Markup, MarkupReading, Sample } from './comparison.ts';
import { fieldValue, mediaType } from './headers.ts';
import { byteText, type ReadPart, readEvents, readParts } from './readers.ts';
import { advance, type BodyFormat, type Cursor, ruleAt } from './rule.ts';
import { BODY } from './trail.ts';
import { compareTrees, type Walk } from './tree.ts';

/** Legacy's decoded body is larger than may be compared: nobody's fault, so nothing is said about the service. */
export type BodyResult = 'compared' | 'legacy-too-large';

interface Coded {
  readonly bytes: Uint8Array;
  readonly contentType: string | null;
  readonly codings: readonly string[];
}

/** What reads bodies, handed in because it needs libraries. */
export interface Readers {
  readonly inflate: Inflate;
  readonly markup: Markup;
  readonly sameBytes: (a: Uint8Array, b: Uint8Array) => boolean;
}

/** Adds the differences of two complete bodies. */
export function compareBodies(
  legacy: Captured,
  service: Captured,
  root: Cursor,
  readers: Readers,
  walk: Walk,
): BodyResult {
  const { inflate, sameBytes } = readers;
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
  } else compareDecoded({ ...left, bytes: a.bytes }, { ...right, bytes: b.bytes }, cursor, readers, walk);
  return 'compared';
}

function compareDecoded(left: Coded, right: Coded, cursor: Cursor, readers: Readers, walk: Walk): void {
  const { sameBytes } = readers;
  const rule = ruleAt(cursor, 'read-body');
  const declared = formatOfPair(left, right);
  const format = rule?.effect.as ?? declared;
  // What a rule makes readable differs as it is declared: that difference is the rule's.
  const reread = rule !== null && format !== declared && !sameBytes(left.bytes, right.bytes);
  if (reread) walk.sink.add({ trail: BODY, kind: 'value', detail: null, ...bytesOf(left, right) }, rule);
  if (format === 'binary') {
    if (!sameBytes(left.bytes, right.bytes)) report('value', null, left.bytes, right.bytes, cursor, walk);
  } else if (format === 'multipart') compareParts(left, right, cursor, readers, walk);
  else compareTextual({ format, ignore: rule?.effect.ignore ?? [], readers }, left, right, cursor, walk);
}

function compareParts(
  left: Coded,
  right: Coded,
  cursor: Cursor,
  { markup, sameBytes }: Readers,
  walk: Walk,
): void {
  const read = partReader(markup, walk);
  const tree = ({ bytes, contentType }: Coded) => readParts(bytes, contentType, 0, read);
  const [a, b] = [tree(left), tree(right)];
  if (a !== null && b !== null) compareTrees(a, b, BODY, cursor, walk);
  else if (left.bytes.length === 0 || right.bytes.length === 0) {
    compareAbsence(left.bytes.length, right.bytes.length, cursor, walk);
  } else if (a !== b || !sameBytes(left.bytes, right.bytes)) {
    report('parse', null, left.bytes, right.bytes, cursor, walk);
  }
}

/** A part by its own type: HTML as text, since the rules that read it as a tree are for whole bodies. */
function partReader(markup: Markup, walk: Walk): ReadPart {
  const read: ReadPart = (content, contentType, depth) => {
    walk.spend(content.length + 1);
    if (contentType !== null && mediaType(contentType).startsWith('multipart/')) {
      return readParts(content, contentType, depth, read) ?? byteText(content);
    }
    const format = formatOf(contentType);
    const text = format === 'binary' ? null : readText(content, charsetOf(contentType));
    if (text === null || text.kind === 'unreadable') return byteText(content);
    if (format === 'json') return readingTree(readExactJson(text.text), text.text, walk);
    if (format === 'ndjson') {
      return linesOf(text.text).map((line) => readingTree(readExactJson(line), line, walk));
    }
    const reading = format === 'xml' ? markup.xml(text.text) : null;
    if (reading === null || reading.kind === 'entities') return text.text;
    if (reading.kind === 'too-many') walk.spend(Number.POSITIVE_INFINITY);
    return reading.kind === 'document' ? reading.root : new Unreadable(text.text);
  };
  return read;
}

function readingTree(reading: JsonReading, text: string, walk: Walk): Tree {
  if (reading.kind === 'too-many') walk.spend(Number.POSITIVE_INFINITY);
  return reading.kind === 'value' ? reading.value : new Unreadable(text);
}

/** How a text is read. */
interface Manner {
  readonly format: Exclude<BodyFormat, 'binary' | 'multipart'>;
  readonly ignore: readonly HtmlIgnore[];
  readonly readers: Readers;
}

function compareTextual(manner: Manner, left: Coded, right: Coded, cursor: Cursor, walk: Walk): void {
  const { format, readers } = manner;
  const text = (side: Coded) =>
    readText(side.bytes, charsetOf(side.contentType) ?? charsetInside(side, format));
  const [a, b] = [text(left), text(right)];
  if (a.kind === 'unreadable' || b.kind === 'unreadable') {
    const undecodable = a.kind === b.kind && readers.sameBytes(left.bytes, right.bytes);
    if (!undecodable) report('encoding', 'charset', left.bytes, right.bytes, cursor, walk);
  } else if (format === 'text') {
    if (isOnlyOneDocument(left, right, a.text, b.text)) {
      compareAbsence(a.text.length, b.text.length, cursor, walk);
      return;
    }
    const mark = (bom: boolean, read: string) => (bom ? `\uFEFF${read}` : read);
    compareTexts(mark(a.bom, a.text), mark(b.bom, b.text), cursor, walk);
  } else if (format === 'sse') {
    // One leading mark is no part of an event stream.
    compareTrees(readEvents(a.text), readEvents(b.text), BODY, cursor, walk);
  } else if (format === 'xml' || format === 'html') compareMarkup(manner, a.text, b.text, cursor, walk);
  else if (a.bom !== b.bom) report('encoding', 'bom', left.bytes, right.bytes, cursor, walk);
  else if (format === 'json') compareJson(a.text, b.text, cursor, walk);
  else compareLines(a.text, b.text, cursor, walk);
}

/** XML and HTML say their charset themselves when the head does not. */
function charsetInside({ bytes, contentType }: Coded, format: BodyFormat): string | null {
  if (format === 'html' || mediaType(contentType ?? '') === 'text/html') return charsetWithin(bytes, 'html');
  return format === 'xml' || formatOf(contentType) === 'xml' ? charsetWithin(bytes, 'xml') : null;
}

/** One side sends nothing where the other has a document: whatever the empty one calls itself. */
function isOnlyOneDocument(left: Coded, right: Coded, a: string, b: string): boolean {
  const isDocument = ({ contentType }: Coded) => DOCUMENTS.has(formatOf(contentType));
  return (isBlank(a) && !isBlank(b) && isDocument(right)) || (isBlank(b) && !isBlank(a) && isDocument(left));
}

const DOCUMENTS: ReadonlySet<BodyFormat> = new Set<BodyFormat>(['json', 'ndjson', 'xml']);

/** A text is one string: rules that read or normalise strings apply to it. */
function compareTexts(left: string, right: string, cursor: Cursor, walk: Walk): void {
  if (left !== right) compareTrees(left, right, BODY, cursor, walk);
}

function compareMarkup(
  { format, ignore, readers: { markup } }: Manner,
  left: string,
  right: string,
  cursor: Cursor,
  walk: Walk,
): void {
  if (isBlank(left) || isBlank(right)) {
    compareAbsence(blankLength(left), blankLength(right), cursor, walk);
    return;
  }
  const read = (text: string) => (format === 'html' ? markup.html(text, ignore) : markup.xml(text));
  const [a, b] = [read(left), read(right)];
  if (a.kind === 'too-many' || b.kind === 'too-many') walk.spend(Number.POSITIVE_INFINITY);
  if (a.kind === 'entities' || b.kind === 'entities') compareTexts(left, right, cursor, walk);
  else if (a.kind === 'document' && b.kind === 'document') compareTrees(a.root, b.root, BODY, cursor, walk);
  else if (left !== right) {
    const root = (reading: MarkupReading, text: string) =>
      reading.kind === 'document' ? reading.root : new Unreadable(text);
    compareTrees(root(a, left), root(b, right), BODY, cursor, walk);
  }
}

function compareJson(left: string, right: string, cursor: Cursor, walk: Walk): void {
  if (isBlank(left) || isBlank(right)) {
    compareAbsence(blankLength(left), blankLength(right), cursor, walk);
    return;
  }
  const [a, b] = readJsonPair(left, right, walk.strict);
  compareTrees(readingTree(a, left, walk), readingTree(b, right, walk), BODY, cursor, walk);
}

/** Each line is one JSON text; all lines are compared like the elements of an array. */
function compareLines(left: string, right: string, cursor: Cursor, walk: Walk): void {
  if (isBlank(left) !== isBlank(right)) {
    compareAbsence(blankLength(left), blankLength(right), cursor, walk);
    return;
  }
  const read = (line: string) => readingTree(readJson(line, walk.strict), line, walk);
  compareTrees(linesOf(left).map(read), linesOf(right).map(read), BODY, cursor, walk);
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => !isBlank(line));
}

function blankLength(text: string): number {
  return isBlank(text) ? 0 : text.length;
}

/** A body of nothing is not `null`, `{}` or `[]`. */
function compareAbsence(left: number, right: number, cursor: Cursor, walk: Walk): void {
  if (left === right) return;
  const sample: Sample = { type: 'bytes', text: null, length: Math.max(left, right) };
  const rule = ruleAt(cursor, 'ignore');
  const found = { trail: BODY, detail: null } as const;
  if (right === 0) walk.sink.add({ ...found, kind: 'missing', legacy: sample, service: null }, rule);
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
  if (type === 'application/xml' || type === 'text/xml' || type.endsWith('+xml')) return 'xml';
  return type.startsWith('text/') || TEXTUAL.has(type) ? 'text' : 'binary';
}

const NDJSON: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
]);
const TEXTUAL: ReadonlySet<string> = new Set(['application/javascript', 'application/x-www-form-urlencoded']);

function codedOf(answer: Captured): Coded {
  const codings = (fieldValue(answer.fields, 'content-encoding') ?? '').toLowerCase().split(/, ?/);
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

function isBlank(text: string): boolean {
  return /^[ \t\r\n]*$/.test(text);
}
