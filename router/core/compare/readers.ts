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
  let event: Record<string, string> = {};
  let open = false;
  for (const line of text.replace(/\r\n?/g, '\n').split('\n')) {
    if (line === '') {
      if (open) events.push(event);
      [event, open] = [{}, false];
    } else if (addField(event, line)) open = true;
  }
  return events;
}

const EVENT_FIELDS: ReadonlySet<string> = new Set(['id', 'event', 'data', 'retry']);

/** Whether the line is a field that says something. */
function addField(event: Record<string, string>, line: string): boolean {
  const colon = line.indexOf(':');
  const name = colon === -1 ? line : line.slice(0, colon);
  if (!EVENT_FIELDS.has(name)) return false;
  const value = colon === -1 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
  const before = name === 'data' ? event[name] : undefined;
  event[name] = before === undefined ? value : `${before}\n${value}`;
  return true;
}

/** A part's content as its own type has it; `depth` counts the messages it is in. */
export type ReadPart = (content: Uint8Array, contentType: string | null, depth: number) => Tree;

/** Messages in messages in messages: no more than this are told apart. */
const DEPTH_MAX = 8;

/**
 * Parts of a multipart body in order: type, other header lines, and content by its own type. The boundary, preamble and
 * epilogue are free. Null without a boundary or without a closing one. Source: RFC 2046 §5.1.
 */
export function readParts(
  body: Uint8Array,
  contentType: string | null,
  depth: number,
  read: ReadPart,
): Tree | null {
  const found =
    contentType === null ? null : /;\s*boundary\s*=\s*(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType);
  const boundary = found?.[1] ?? found?.[2];
  if (boundary === undefined || depth > DEPTH_MAX) return null;
  const text = `\r\n${byteText(body)}`;
  const delimiter = `\r\n--${boundary}`;
  const parts: Tree[] = [];
  let start = -1;
  for (let at = text.indexOf(delimiter); at !== -1; at = text.indexOf(delimiter, at + 2)) {
    const after = at + delimiter.length;
    const line = /(--)?[ \t]*(?:\r\n|$)/y;
    line.lastIndex = after;
    const end = line.exec(text);
    if (end === null) continue;
    if (start !== -1) parts.push(partOf(text.slice(start, at), depth, read));
    if (end[1] !== undefined) return parts;
    // The line end that closes a delimiter may also open the next one.
    start = line.lastIndex - 2;
  }
  return null;
}

/** `piece` starts with the line end of its delimiter. */
function partOf(piece: string, depth: number, read: ReadPart): Tree {
  const end = piece.indexOf('\r\n\r\n');
  const [head, content] = end === -1 ? [piece, ''] : [piece.slice(0, end), piece.slice(end + 4)];
  const headers = new JsonMap();
  let type: string | null = null;
  for (const line of head.split(/\r\n(?![ \t])/)) {
    const colon = line.indexOf(':');
    if (colon === -1) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'content-type') type = value;
    else if (name !== 'content-length') headers.add(name, value);
  }
  const part = new JsonMap();
  part.add('type', (type?.split(';', 1)[0] ?? 'text/plain').trim().toLowerCase());
  part.add('headers', headers);
  part.add('content', read(bytesOf(content), type ?? 'text/plain', depth + 1));
  return part;
}

/** One character per byte, so that a boundary can be looked for without reading the bytes as any charset. */
export function byteText(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let i = 0; i < bytes.length; i += 8192)
    pieces.push(String.fromCharCode(...bytes.subarray(i, i + 8192)));
  return pieces.join('');
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}
