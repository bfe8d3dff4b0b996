import { badData } from '../problem.ts';
import type { ContextField, LegalValue } from '../semantics.ts';
import {
  type Body,
  boolean,
  integer,
  list,
  may,
  need,
  nullable,
  object,
  requireKnownKeys,
  requireName,
  shown,
  string,
  text,
} from '../validate.ts';

const LEGAL_VALUES_MAX = 250;
const LEGAL_VALUE_CHARS_MAX = 100;
const DESCRIPTION_CHARS_MAX = 250;
const ORDER_MAX = 2 ** 31 - 1;

/** A context field to be created: 400 with the first fault. */
export function parseContextField(body: Body): Omit<ContextField, 'createdAt'> {
  const field = {
    name: need(body, '/body', 'name', string),
    description: may(body, '/body', 'description', null, nullable(text)),
    stickiness: may(body, '/body', 'stickiness', false, boolean),
    sortOrder: may(body, '/body', 'sortOrder', 0, integer(-ORDER_MAX, ORDER_MAX)),
    legalValues: may(body, '/body', 'legalValues', [], list(parseLegalValue)),
  };
  requireName(field.name);
  const { description, legalValues } = field;
  if (description !== null && description.length > DESCRIPTION_CHARS_MAX) {
    throw tooLong('description', DESCRIPTION_CHARS_MAX, description);
  }
  requireLegalValues(legalValues);
  return field;
}

function parseLegalValue(value: unknown, path: string): LegalValue {
  const body = object(value, path);
  const legal = need(body, path, 'value', string);
  const description = may(body, path, 'description', undefined, text);
  requireKnownKeys(body, path, ['value', 'description']);
  return { value: legal, ...(description === undefined ? {} : { description }) };
}

function requireLegalValues(values: readonly LegalValue[]): void {
  if (values.length > LEGAL_VALUES_MAX) {
    throw badData([
      { message: `"legalValues" must contain less than or equal to ${LEGAL_VALUES_MAX} items.` },
    ]);
  }
  const seen = new Set<string>();
  for (const [index, { value }] of values.entries()) {
    const label = `legalValues[${index}]`;
    if (value === '') throw badData([{ message: `"${label}.value" is not allowed to be empty.` }]);
    if (value.length > LEGAL_VALUE_CHARS_MAX) throw tooLong(`${label}.value`, LEGAL_VALUE_CHARS_MAX, value);
    if (seen.has(value)) {
      throw badData([
        { message: `"${label}" contains a duplicate value. You provided ${shown(values[index])}.` },
      ]);
    }
    seen.add(value);
  }
}

function tooLong(label: string, max: number, value: string) {
  return badData([
    {
      message: `"${label}" length must be less than or equal to ${max} characters long. You provided ${shown(value)}.`,
    },
  ]);
}
