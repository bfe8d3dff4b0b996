import { badData, badRule } from '../problem.ts';
import type { Variant } from '../semantics.ts';
import {
  integer,
  list,
  need,
  object,
  oneOf,
  requireKnownKeys,
  requireName,
  shown,
  string,
} from '../validate.ts';

const WEIGHTS = 1000;
const KEYS = ['name', 'weight', 'weightType', 'stickiness', 'payload'];

/** The variants of a strategy by their shape alone. */
export const parseVariants = list(parseVariant);

function parseVariant(value: unknown, path: string): Variant {
  const body = object(value, path);
  const variant = {
    name: need(body, path, 'name', string),
    weight: need(body, path, 'weight', integer(0, WEIGHTS)),
    weightType: need(body, path, 'weightType', oneOf(['variable', 'fix'])),
    stickiness: need(body, path, 'stickiness', string),
  };
  requireKnownKeys(body, path, KEYS);
  return body['payload'] === undefined
    ? variant
    : { ...variant, payload: need(body, path, 'payload', parsePayload) };
}

function parsePayload(value: unknown, path: string) {
  const body = object(value, path);
  const type = need(body, path, 'type', oneOf(['json', 'csv', 'string', 'number']));
  return { type, value: need(body, path, 'value', string) };
}

/**
 * What is stored for the variants that were sent: their weights sum up to 1000, `fix` kept, the rest shared evenly
 * with the remainder to the first ones, in the order of their names. 400 without a `variable` one, above 1000, for
 * a bad or repeated name, or JSON that is none.
 */
export function settleVariants(variants: readonly Variant[]): readonly Variant[] {
  if (variants.length === 0) return [];
  variants.forEach(requireUsable);
  const repeated = variants.findIndex(({ name }, at) => variants.findIndex((one) => one.name === name) < at);
  if (repeated !== -1) {
    throw badData([
      { message: `"[${repeated}]" contains a duplicate value. You provided ${shown(variants[repeated])}.` },
    ]);
  }
  const fixed = variants.filter(({ weightType }) => weightType === 'fix');
  const shared = variants.filter(({ weightType }) => weightType === 'variable');
  if (shared.length === 0) throw badRule('There must be at least one "variable" variant');
  const rest = WEIGHTS - fixed.reduce((sum, { weight }) => sum + weight, 0);
  if (rest < 0) throw badRule('The traffic distribution total must equal 100%');
  const weighed = shared.map((variant, index) => ({
    ...variant,
    weight: Math.floor(rest / shared.length) + (index < rest % shared.length ? 1 : 0),
  }));
  return [...weighed, ...fixed].sort((a, b) => a.name.localeCompare(b.name));
}

function requireUsable({ name, stickiness, payload }: Variant, index: number): void {
  requireName(name, `[${index}].name`);
  if (stickiness === '') throw badData([{ message: `"[${index}].stickiness" is not allowed to be empty.` }]);
  if (payload === undefined) return;
  if (payload.value === '')
    throw badData([{ message: `"[${index}].payload.value" is not allowed to be empty.` }]);
  if (payload.type === 'json' && !isJson(payload.value)) {
    throw badData([
      {
        message: `'value' must be a valid json string when 'type' is json. You provided ${shown(payload.value)}.`,
      },
    ]);
  }
}

function isJson(value: string): boolean {
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}
