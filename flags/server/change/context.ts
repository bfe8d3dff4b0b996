import { exceeds, Problem } from '../problem.ts';
import type { ContextField } from '../semantics.ts';
import type { Changes, Reads } from '../store.ts';
import { type Rules, recordShared } from './record.ts';

/** 409 when a context field has that name. */
export function requireFreeFieldName(reads: Reads, name: string): void {
  if (reads.contextFields().some((field) => field.name === name)) {
    throw new Problem('NameExistsError', 'A context field with that name already exist');
  }
}

export function createContextField(
  changes: Changes,
  input: Omit<ContextField, 'createdAt'>,
  { limits }: Rules,
): ContextField {
  requireFreeFieldName(changes, input.name);
  if (changes.contextFields().length >= limits.contextFieldsMax) {
    throw exceeds('context field', limits.contextFieldsMax);
  }
  const field = { ...input, createdAt: changes.now };
  changes.insertContextField(field);
  recordShared(changes, 'context-field-created', { data: field });
  return field;
}
