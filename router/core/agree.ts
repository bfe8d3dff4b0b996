import { match } from './match.ts';
import type { RouteTable } from './types.ts';

/** A path without any of these has one reading only. */
const AMBIGUOUS = /[%\\;]|\/\/|\/\./;

type Reading = (path: string) => string;

/** What servers behind us have been seen to do with a path before they look it up. */
const READINGS: readonly Reading[] = [
  (path) => path,
  (path) => path.replace(/%2e/gi, '.'),
  (path) => path.replace(/%2f/gi, '/').replace(/%5c/gi, '\\'),
  (path) => path.replaceAll('\\', '/'),
  cutParameters,
  mergeSlashes,
  decodeOnce,
  (path) => decodeOnce(decodeOnce(path)),
  (path) => everything(decodeOnce(path)),
  (path) => everything(decodeOnce(decodeOnce(path))),
];

/**
 * Whether the raw path and every plausible reading of it select the same group. A request on which readers
 * disagree could be routed, guarded or counted as one thing here and executed as another behind us. The query
 * takes no part; a malformed escape is left as it is. With one group and no overlap nothing can disagree.
 */
export function routesAgree(table: RouteTable, method: string, path: string): boolean {
  if (!AMBIGUOUS.test(path)) return true;
  const group = groupOf(table, method, path);
  return READINGS.every((reading) => {
    const read = reading(path);
    return groupOf(table, method, read) === group && groupOf(table, method, removeDots(read)) === group;
  });
}

function groupOf(table: RouteTable, method: string, path: string): string | null {
  return match(table, method, path)?.group ?? null;
}

function everything(path: string): string {
  return mergeSlashes(cutParameters(path.replaceAll('\\', '/')));
}

/** `/a/..;x=1/b` is `/a/../b` to Tomcat and Spring. */
function cutParameters(path: string): string {
  return path.replace(/;[^/]*/g, '');
}

function mergeSlashes(path: string): string {
  return path.replace(/\/{2,}/g, '/');
}

function decodeOnce(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** RFC 3986 §5.2.4 on a path that starts with `/`. */
function removeDots(path: string): string {
  if (!path.includes('/.')) return path;
  const segments = path.slice(1).split('/');
  const kept: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1;
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    if (last && (segment === '.' || segment === '..')) kept.push('');
  }
  return `/${kept.join('/')}`;
}
