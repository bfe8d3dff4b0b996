import { foldCase, match } from './match.ts';
import type { RouteTable, Snapshot } from './types.ts';

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

/** What else the servers behind us may fold together. */
export interface Folding {
  /** Paths that differ only in case are one. */
  readonly caseFold: boolean;
  /** Dots and spaces at the end of a segment are no part of it. */
  readonly trailingDots: boolean;
}

const NO_FOLDING: Folding = { caseFold: false, trailingDots: false };

/**
 * The groups that the raw path and every plausible reading of it select (null among them: no group), or `agreed`
 * when that is one and the same. A request on which readers disagree could be routed, guarded or counted as one
 * thing here and executed as another behind us. The query takes no part; a malformed escape is left as it is. With
 * one group and no overlap nothing can disagree.
 */
export function readingsOf(
  table: RouteTable,
  method: string,
  path: string,
  folding: Folding = NO_FOLDING,
): 'agreed' | ReadonlySet<string | null> {
  const folds = folding.caseFold || folding.trailingDots;
  if (!folds && !AMBIGUOUS.test(path)) return 'agreed';
  const groups = new Set<string | null>();
  for (const reading of READINGS) {
    const read = reading(path);
    for (const form of [read, removeDots(read)]) {
      groups.add(groupOf(table, method, form));
      if (folding.trailingDots) groups.add(groupOf(table, method, withoutTrailingDots(form)));
      if (folding.caseFold) groups.add(groupOf(folded(table), method, form.toLowerCase()));
    }
  }
  return groups.size === 1 ? 'agreed' : groups;
}

export function routesAgree(table: RouteTable, method: string, path: string, folding?: Folding): boolean {
  return readingsOf(table, method, path, folding) === 'agreed';
}

/** Whether every group that some reading selects leaves such paths to legacy. */
export function mayGoToLegacy(
  groups: ReadonlySet<string | null>,
  snapshot: Pick<Snapshot, 'groups'>,
): boolean {
  for (const name of groups) {
    if (name !== null && snapshot.groups.get(name)?.forwarding.onDisagree !== 'legacy') return false;
  }
  return true;
}

function groupOf(table: RouteTable, method: string, path: string): string | null {
  return match(table, method, path)?.group ?? null;
}

/** IIS and Windows file names: `/admin./x ` is `/admin/x`. */
function withoutTrailingDots(path: string): string {
  return path.replace(/(?:[. ]|%2e|%20)+(?=\/|$)/gi, (end, at: number) => (path[at - 1] === '/' ? end : ''));
}

const FOLDED = new WeakMap<RouteTable, RouteTable>();

function folded(table: RouteTable): RouteTable {
  const known = FOLDED.get(table);
  if (known !== undefined) return known;
  const made = foldCase(table);
  FOLDED.set(table, made);
  return made;
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
