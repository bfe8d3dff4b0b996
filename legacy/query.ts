import type { Request } from 'express';

/** A query parameter as PHP would have read it: the last one wins when it is repeated; undefined when absent. */
export function lastOf(req: Request, name: string): string | undefined {
  const value: unknown = req.query[name];
  const last: unknown = Array.isArray(value) ? value.at(-1) : value;
  return typeof last === 'string' ? last : undefined;
}

/** A page number or size: the leading integer of the text, or the fallback when there is none. */
export function integerOf(text: string | undefined, fallback: number): number {
  const value = Number.parseInt(text ?? '', 10);
  return Number.isSafeInteger(value) ? value : fallback;
}

const ID = /^\d{1,19}$/;
const ID_MAX = 2n ** 63n - 1n;

/** A product id from a path or a query; null when it is none SQLite could hold. */
export function idOf(text: string | undefined): bigint | null {
  if (text === undefined || !ID.test(text)) return null;
  const id = BigInt(text);
  return id <= ID_MAX ? id : null;
}

/** A parameter of the matched path; empty when the path has none of that name. */
export function pathPart(req: Request, name: string): string {
  const value: unknown = req.params[name];
  return typeof value === 'string' ? value : '';
}
