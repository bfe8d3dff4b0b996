/** Bytes to text: byte order mark, then the charset parameter, then the format's default. */

export type TextReading =
  | { readonly kind: 'text'; readonly text: string; readonly bom: boolean }
  | { readonly kind: 'unreadable' };

const DECODERS = new Map<string, TextDecoder | null>();
/** Labels come from answers; only so many are remembered. */
const DECODERS_MAX = 64;

/**
 * Decodes strictly: a byte sequence that the charset does not have is `unreadable`, never U+FFFD. `label` = charset
 * parameter in lower case or null. The mark is taken off the text. Source: WHATWG Encoding.
 */
export function readText(bytes: Uint8Array, label: string | null): TextReading {
  const mark = MARKS.find(([start]) => start.every((byte, index) => bytes[index] === byte));
  const decoder = decoderOf(mark?.[1] ?? label ?? 'utf-8');
  if (decoder === null) return { kind: 'unreadable' };
  try {
    const text = decoder.decode(bytes);
    return { kind: 'text', text: mark === undefined ? text : text.slice(1), bom: mark !== undefined };
  } catch {
    return { kind: 'unreadable' };
  }
}

const MARKS: readonly (readonly [readonly number[], string])[] = [
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xfe, 0xff], 'utf-16be'],
  [[0xff, 0xfe], 'utf-16le'],
];

function decoderOf(label: string): TextDecoder | null {
  const known = DECODERS.get(label);
  if (known !== undefined) return known;
  let decoder: TextDecoder | null;
  try {
    decoder = new TextDecoder(label, { fatal: true, ignoreBOM: true });
  } catch {
    decoder = null;
  }
  if (DECODERS.size < DECODERS_MAX) DECODERS.set(label, decoder);
  return decoder;
}

/** The charset parameter of a Content-Type, lower case, quotes removed; null when there is none. */
export function charsetOf(contentType: string | null): string | null {
  const found = contentType === null ? null : /;\s*charset\s*=\s*(?:"([^"]*)"|([^\s;"]+))/i.exec(contentType);
  const label = found?.[1] ?? found?.[2];
  return label === undefined || label === '' ? null : label.toLowerCase();
}

const HEAD_BYTES = 1024;

/** What an XML declaration or an HTML `meta` says of the encoding, lower case; null when neither does. */
export function charsetWithin(bytes: Uint8Array, format: 'xml' | 'html'): string | null {
  const head = String.fromCharCode(...bytes.subarray(0, HEAD_BYTES));
  const found = (format === 'xml' ? XML_ENCODING : HTML_CHARSET).exec(head)?.[1]?.toLowerCase() ?? null;
  // Who can read the declaration is not looking at UTF-16 (WHATWG HTML §13.2.3.2).
  return found?.startsWith('utf-16') === true ? 'utf-8' : found;
}

const XML_ENCODING = /^<\?xml\s[^>]*\bencoding\s*=\s*["']([\w.:-]+)["']/;
const HTML_CHARSET = /<meta\s[^>]*\bcharset\s*=\s*["']?\s*([\w.:-]+)/i;
