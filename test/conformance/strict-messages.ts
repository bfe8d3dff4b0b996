/** A reader of its own, stricter than any standard asks: what the proxy writes has one reading and one spelling. */

export interface StrictMessage {
  /** Method and target of a request; status and reason of an answer. */
  readonly start: readonly [string, string];
  /** In order, names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Decoded, latin1. */
  readonly body: string;
  /** As it came. */
  readonly raw: string;
}

export interface StrictReading {
  readonly messages: readonly StrictMessage[];
  /** The beginning of another message, or ''. */
  readonly rest: string;
  /** What is not strict behind the last message, or null. */
  readonly fault: string | null;
}

type Kind = 'request' | 'answer';
interface Body {
  readonly body: string;
  readonly end: number;
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const START = {
  request: new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/1\\.1$`),
  answer: /^HTTP\/1\.1 ([1-9]\d\d) ([\t\x20-\x7e\x80-\xff]*)$/,
};
const FIELD = new RegExp(
  `^(${TOKEN}): ((?:[\\x21-\\x7e\\x80-\\xff](?:[\\t\\x20-\\x7e\\x80-\\xff]*[\\x21-\\x7e\\x80-\\xff])?)?)$`,
);
const FRAMING = /^(?:content.length|transfer.encoding)$/;
const LENGTH = /^(?:0|[1-9]\d{0,15})$/;
const HOST = /^[^\s@/?#\\]+$/;
const LOOSE_LINE_END = /(?<!\r)\n|\r(?!\n|$)/;

/** `bodiless`: whether an answer, by its head, has no body whatever its fields say. */
export function readStrictly(
  text: string,
  kind: Kind,
  bodiless: (message: Omit<StrictMessage, 'body' | 'raw'>) => boolean = () => false,
): StrictReading {
  const messages: StrictMessage[] = [];
  let rest = text;
  for (;;) {
    const close = rest.indexOf('\r\n\r\n');
    const head = close === -1 ? rest : rest.slice(0, close);
    if (LOOSE_LINE_END.test(head)) return { messages, rest, fault: 'a loose line end' };
    if (close === -1) return { messages, rest, fault: null };
    const parts = headOf(head, kind);
    if (typeof parts === 'string') return { messages, rest, fault: parts };
    const interim = kind === 'answer' && /^(?:1..|204|304)$/.test(parts.start[0]);
    const body =
      interim || bodiless(parts) ? { body: '', end: close + 4 } : bodyOf(rest, close + 4, parts.fields);
    if (typeof body === 'string') return { messages, rest, fault: body };
    if (body === null) return { messages, rest, fault: null };
    messages.push({ ...parts, body: body.body, raw: rest.slice(0, body.end) });
    rest = rest.slice(body.end);
  }
}

/** Every value of a field. */
export function valuesIn({ fields }: Pick<StrictMessage, 'fields'>, name: string): readonly string[] {
  return fields.filter(([field]) => field === name).map(([, value]) => value);
}

function headOf(head: string, kind: Kind): Omit<StrictMessage, 'body' | 'raw'> | string {
  const [line = '', ...lines] = head.split('\r\n');
  const [, first, second] = START[kind].exec(line) ?? [];
  if (first === undefined || second === undefined) return 'the start line';
  const fields = lines.map((text): readonly [string, string] | null => {
    const [, name, value] = FIELD.exec(text) ?? [];
    return name === undefined || value === undefined ? null : [name.toLowerCase(), value];
  });
  const known = fields.filter((field) => field !== null);
  if (known.length < fields.length) return 'a field line';
  const framing = known.filter(([name]) => FRAMING.test(name));
  const [name, value = ''] = framing[0] ?? [];
  if (framing.length > 1) return 'two framing fields';
  if (name === 'transfer-encoding' ? value !== 'chunked' : name !== undefined && !LENGTH.test(value))
    return 'the framing field';
  if (/^(?:1..|204)$/.test(first) && name !== undefined) return 'a framing field on no body';
  const hosts = valuesIn({ fields: known }, 'host');
  if (kind === 'request' && (hosts.length !== 1 || !HOST.test(hosts[0] ?? ''))) return 'the Host';
  return { start: [first, second], fields: known };
}

/** null: there is more to come. An answer without framing is none: nobody asked for one that ends by a close. */
function bodyOf(text: string, from: number, fields: StrictMessage['fields']): Body | string | null {
  if (valuesIn({ fields }, 'transfer-encoding').length > 0) return chunksOf(text, from);
  const end = from + Number(valuesIn({ fields }, 'content-length')[0] ?? 0);
  return text.length < end ? null : { body: text.slice(from, end), end };
}

function chunksOf(text: string, from: number): Body | string | null {
  let body = '';
  let at = from;
  for (;;) {
    const end = text.indexOf('\r\n', at);
    if (end === -1) return null;
    const line = text.slice(at, end);
    if (!/^(?:0|[1-9a-f][0-9a-f]*)$/.test(line)) return 'a chunk line';
    const size = Number.parseInt(line, 16);
    at = end + 2;
    if (size === 0) break;
    if (text.length < at + size + 2) return null;
    if (!text.startsWith('\r\n', at + size)) return 'a chunk end';
    body += text.slice(at, at + size);
    at += size + 2;
  }
  for (;;) {
    const end = text.indexOf('\r\n', at);
    if (end === -1) return null;
    const line = text.slice(at, end);
    at = end + 2;
    if (line === '') return { body, end: at };
    const [, name = ''] = FIELD.exec(line) ?? [];
    if (name === '' || FRAMING.test(name.toLowerCase())) return 'a trailer';
  }
}
