import { isDeepStrictEqual } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { type Ask, ask, exactJson, type Reply } from '../legacy/ask.ts';

/** Where two answers differ, as `/status`, `/headers/<name>` and `/body` with a JSON pointer; `*` for an index. */
function differences(legacy: Reply, service: Reply): readonly string[] {
  const found: string[] = [];
  if (legacy.status !== service.status) found.push('/status');
  for (const name of ['content-type', 'location', 'etag', 'vary', 'cache-control', 'set-cookie']) {
    if (!isDeepStrictEqual(origins(legacy, name), origins(service, name))) found.push(`/headers/${name}`);
  }
  const left = bodyOf(legacy);
  const right = bodyOf(service);
  walk(left, right, '/body', found);
  return [...new Set(found)];
}

/** The same request to both, and where the answers differ apart from what legacy differs from itself in. */
export async function differencesOf(
  ports: { readonly legacy: number; readonly service: number },
  path: string,
  options: Ask = {},
): Promise<readonly string[]> {
  const [legacy, service] = [await ask(ports.legacy, path, options), await ask(ports.service, path, options)];
  return differences(legacy, service).filter((where) => !NOISE.has(where));
}

/** D01, D06, D07 and D03: random ids, random recommendations, late counters and two clocks. */
const NOISE = new Set(['/body/rid', '/body/product/also_like/*', '/body/product/views', '/body/as_of']);

/** A redirect names the origin of who sends it; the router rewrites both. */
function origins(reply: Reply, name: string): unknown {
  const value = reply.headers[name];
  return name === 'location' ? String(value).replace(/^http:\/\/127\.0\.0\.1:\d+/, 'http://own') : value;
}

function bodyOf(reply: Reply): unknown {
  const gzip = reply.headers['content-encoding'] === 'gzip' && reply.bytes.length > 0;
  const text = gzip ? gunzipSync(reply.bytes).toString() : reply.text;
  const json = String(reply.headers['content-type']).startsWith('application/json');
  return json && text !== '' ? exactJson(text) : text.replaceAll(/"rid":"[0-9a-f]+"/g, '"rid":""');
}

function walk(left: unknown, right: unknown, path: string, found: string[]): void {
  if (Array.isArray(left) && Array.isArray(right)) {
    if (left.length !== right.length) found.push(path);
    left.forEach((item, index) => {
      walk(item, right[index], `${path}/*`, found);
    });
  } else if (isObject(left) && isObject(right)) {
    for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
      if (!(name in left) || !(name in right)) found.push(`${path}/${name}`);
      else walk(left[name], right[name], `${path}/${name}`, found);
    }
  } else if (!isDeepStrictEqual(left, right)) found.push(path);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
