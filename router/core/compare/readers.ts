/** Texts that hold a structure: read to trees, so that the one tree walk compares them. */
import { JsonMap, readExactJson, type Tree } from '../json.ts';
import { readText } from './charset.ts';

/** A text that is JSON itself; null when it is not. */
export function readEmbeddedJson(text: string): Tree | null {
  const reading = readExactJson(text);
  return reading.kind === 'value' ? reading.value : null;
}

/**
 * Header and claims of a JWT in compact form (RFC 7519), without `ignoreClaims`; the signature is left out, since it
 * differs whenever a claim does. Null when the text is no JWT.
 */
export function readJwt(text: string, ignoreClaims: readonly string[]): Tree | null {
  const found = /^([\w-]+)\.([\w-]+)\.[\w-]*$/.exec(text);
  const header = readEmbeddedJson(fromBase64Url(found?.[1] ?? ''));
  const claims = readEmbeddedJson(fromBase64Url(found?.[2] ?? ''));
  if (!(header instanceof JsonMap) || !(claims instanceof JsonMap)) return null;
  for (const name of ignoreClaims) {
    claims.members.delete(name);
    claims.repeated?.delete(name);
  }
  const jwt = new JsonMap();
  jwt.add('header', header);
  jwt.add('claims', claims);
  return jwt;
}

/** Empty when it is not base64url of UTF-8. */
function fromBase64Url(text: string): string {
  try {
    const bytes = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    const read = readText(
      Uint8Array.from(bytes, (c) => c.charCodeAt(0)),
      'utf-8',
    );
    return read.kind === 'text' ? read.text : '';
  } catch {
    return '';
  }
}

/**
 * Events of a finite event stream: id, event, data (lines joined by LF), retry; comments and the form of line ends
 * are free. An event that is not ended by an empty line is not dispatched. Source: WHATWG HTML §9.2.6.
 */
export function readEvents(text: string): Tree {
  const events: Tree[] = [];
  let fields = new Map<string, string[]>();
  for (const line of text.replace(/\r\n?/g, '\n').split('\n')) {
    if (line === '') {
      if (fields.size > 0) events.push(eventOf(fields));
      fields = new Map();
    } else if (!line.startsWith(':')) addField(fields, line);
  }
  return events;
}

function addField(fields: Map<string, string[]>, line: string): void {
  const colon = line.indexOf(':');
  const name = colon === -1 ? line : line.slice(0, colon);
  const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
  if (name === 'data' && fields.has(name)) fields.get(name)?.push(value);
  else if (['id', 'event', 'data', 'retry'].includes(name)) fields.set(name, [value]);
}

function eventOf(fields: ReadonlyMap<string, readonly string[]>): JsonMap {
  const event = new JsonMap();
  for (const [name, values] of fields) event.add(name, values.join('\n'));
  return event;
}

/** Parts of one message; more are not told apart. */
const PARTS_MAX = 1000;

/**
 * Parts of a multipart body in order: type, disposition and content, JSON parts as JSON, the others byte by byte.
 * The boundary itself is free. Null without a boundary or without a closing one. Source: RFC 2046 §5.1.
 */
export function readParts(body: Uint8Array, contentType: string | null): Tree | null {
  const found =
    contentType === null ? null : /;\s*boundary\s*=\s*(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType);
  const boundary = found?.[1] ?? found?.[2];
  if (boundary === undefined) return null;
  const pieces = `\r\n${byteText(body)}`.split(`\r\n--${boundary}`, PARTS_MAX + 2);
  if (!pieces.at(-1)?.startsWith('--')) return null;
  return pieces.slice(1, -1).map(partOf);
}

function partOf(piece: string): JsonMap {
  const end = piece.indexOf('\r\n\r\n');
  const head = end === -1 ? '' : piece.slice(0, end);
  const content = end === -1 ? piece : piece.slice(end + 4);
  const type = headerOf(head, 'content-type');
  const json = /^application\/(?:json|[^;]*\+json)/i.test(type) ? readEmbeddedJson(utf8Of(content)) : null;
  const part = new JsonMap();
  part.add('type', type.split(';', 1)[0]?.trim().toLowerCase() ?? '');
  part.add('disposition', headerOf(head, 'content-disposition'));
  part.add('content', json ?? content);
  return part;
}

function headerOf(head: string, name: string): string {
  const line = head.split('\r\n').find((text) => text.toLowerCase().startsWith(`${name}:`));
  return line === undefined ? '' : line.slice(name.length + 1).trim();
}

/** One character per byte, so that a boundary can be looked for without reading the bytes as any charset. */
function byteText(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let i = 0; i < bytes.length; i += 8192)
    pieces.push(String.fromCharCode(...bytes.subarray(i, i + 8192)));
  return pieces.join('');
}

function utf8Of(bytes: string): string {
  const read = readText(
    Uint8Array.from(bytes, (c) => c.charCodeAt(0)),
    'utf-8',
  );
  return read.kind === 'text' ? read.text : '';
}
