import type { Route, RouteTable, Segment } from './types.ts';

interface Node {
  readonly literals: Map<string, Node>;
  parameter: Node | null;
  readonly here: Map<string, Route>;
  readonly rest: Map<string, Route>;
}

/** Bytes of a path segment (RFC 3986 §3.3), less what patterns use themselves. */
const LITERAL = /^(?:[A-Za-z0-9\-._~!$&'()+,;=@]|%[0-9A-Fa-f]{2})*$/;
/** Dot segments and needlessly encoded letters have a second reading: a request with one is refused, never matched. */
const NEVER_SENT = /^\.\.?$|%(?:2[DE]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])/i;

/** `/api/v1/products/:id` to segments. Returns null when the pattern is not one (the configuration says why). */
export function parsePattern(pattern: string): readonly Segment[] | null {
  if (!pattern.startsWith('/')) return null;
  const texts = pattern.slice(1).split('/');
  const segments: Segment[] = [];
  for (const [index, text] of texts.entries()) {
    if (text === '*') {
      if (index !== texts.length - 1) return null;
      segments.push({ kind: 'rest' });
    } else if (text.startsWith(':')) {
      if (!/^:[A-Za-z_][A-Za-z0-9_]*$/.test(text) || texts.indexOf(text) !== index) return null;
      segments.push({ kind: 'parameter', name: text.slice(1) });
    } else {
      if (!LITERAL.test(text) || NEVER_SENT.test(text)) return null;
      segments.push({ kind: 'literal', text });
    }
  }
  return segments;
}

/** What a route is looked up by: two routes with the same shape are the same route. */
export function routeShape(route: Pick<Route, 'method' | 'segments'>): string {
  const path = route.segments.map((s) =>
    s.kind === 'literal' ? s.text : s.kind === 'parameter' ? ':' : '*',
  );
  return `${route.method} /${path.join('/')}`;
}

/** Compiles routes into a tree; the caller has refused two routes of one shape. */
export function buildTable(routes: Iterable<Route>): RouteTable {
  const root = emptyNode();
  for (const route of routes) {
    let node = root;
    let rest = false;
    for (const segment of route.segments) {
      if (segment.kind === 'rest') rest = true;
      else if (segment.kind === 'parameter') node = node.parameter ??= emptyNode();
      else node = childOf(node, segment.text);
    }
    (rest ? node.rest : node.here).set(route.method, route);
  }
  return root;
}

/**
 * The route of a request, or null. `path` starts with `/`, has no query and is compared byte for byte. Literal
 * beats parameter beats rest, segment by segment from the left; a parameter takes one non-empty segment. HEAD
 * falls back to the GET route of the same path, as every HTTP server does.
 */
export function match(table: RouteTable, method: string, path: string): Route | null {
  return find(table, method, path, 1) ?? (method === 'HEAD' ? find(table, 'GET', path, 1) : null);
}

/** The same table for paths in lower case; of two routes that differ only in case the first one stays. */
export function foldCase(table: RouteTable): RouteTable {
  const node = emptyNode();
  foldInto(node, table);
  return node;
}

function foldInto(node: Node, from: RouteTable): void {
  for (const [text, child] of from.literals) foldInto(childOf(node, text.toLowerCase()), child);
  if (from.parameter !== null) {
    node.parameter ??= emptyNode();
    foldInto(node.parameter, from.parameter);
  }
  for (const [method, route] of from.here) if (!node.here.has(method)) node.here.set(method, route);
  for (const [method, route] of from.rest) if (!node.rest.has(method)) node.rest.set(method, route);
}

function find(node: RouteTable, method: string, path: string, from: number): Route | null {
  if (from > path.length) return byMethod(node.here, method);
  const slash = path.indexOf('/', from);
  const end = slash === -1 ? path.length : slash;
  const text = path.slice(from, end);
  const literal = node.literals.get(text);
  if (literal !== undefined) {
    const route = find(literal, method, path, end + 1);
    if (route !== null) return route;
  }
  if (node.parameter !== null && text !== '') {
    const route = find(node.parameter, method, path, end + 1);
    if (route !== null) return route;
  }
  return byMethod(node.rest, method);
}

function byMethod(routes: ReadonlyMap<string, Route>, method: string): Route | null {
  return routes.get(method) ?? routes.get('*') ?? null;
}

function emptyNode(): Node {
  return { literals: new Map(), parameter: null, here: new Map(), rest: new Map() };
}

function childOf(node: Node, text: string): Node {
  let child = node.literals.get(text);
  if (child === undefined) {
    child = emptyNode();
    node.literals.set(text, child);
  }
  return child;
}
