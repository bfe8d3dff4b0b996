/** Flags in words, the same wherever people read them. */
import { isRecord, type Json, recordsOf, textOr } from '../json.ts';

/** Values of a constraint that are named, at most. */
const VALUES_NAMED = 10;
const TEXT_MAX = 300;

/** A text that somebody else typed, fit for terminals and logs: one line of at most 300 characters. */
export function plain(text: string): string {
  const words = text.replaceAll(/[\p{Cc}\p{Bidi_Control}]+/gu, ' ');
  return words.length > TEXT_MAX ? `${words.slice(0, TEXT_MAX - 1)}…` : words;
}

/** `tenant IN [acme, globex]`, `NOT (age NUM_GT 17)` */
export function constraintText(constraint: unknown): string {
  if (!isRecord(constraint)) return 'a constraint that cannot be read';
  const { contextName, operator, inverted, caseInsensitive, values, value } = constraint;
  const list = Array.isArray(values) ? values.map(String) : [];
  const more = list.length > VALUES_NAMED ? `, … ${list.length - VALUES_NAMED} more` : '';
  const single = value instanceof Date ? value.toISOString() : String(value);
  const against =
    value === undefined || value === null || value === '' || list.length > 0
      ? `[${list.slice(0, VALUES_NAMED).join(', ')}${more}]`
      : single;
  const text = `${String(contextName)} ${String(operator)} ${against}${caseInsensitive === true ? ' ignoring case' : ''}`;
  return inverted === true ? `NOT (${text})` : text;
}

/** `flexibleRollout 25 % by figUnit if tenant IN [acme]` */
export function strategyText(strategy: Json): string {
  const { name, parameters, constraints, segments, variants, disabled } = strategy;
  const { rollout, percentage, stickiness } = isRecord(parameters) ? parameters : {};
  const share = textOr(rollout, null) ?? textOr(percentage, null);
  const parts = [String(name)];
  if (share !== null) parts.push(`${share} %`);
  if (typeof stickiness === 'string') parts.push(`by ${stickiness}`);
  const conditions = recordsOf(constraints).map(constraintText);
  if (Array.isArray(segments)) conditions.push(...segments.map((id: unknown) => `segment ${String(id)}`));
  if (conditions.length > 0) parts.push(`if ${conditions.join(' and ')}`);
  const others = recordsOf(variants).length;
  if (others > 0) parts.push(`with ${others} ${others === 1 ? 'variant' : 'variants'}`);
  if (disabled === true) parts.push('(disabled)');
  return parts.join(' ');
}

/** `modern 50 %`: weights are thousandths. */
export function variantText({ name, weight }: Json): string {
  return typeof weight === 'number' ? `${String(name)} ${weight / 10} %` : String(name);
}

/** `parent on`, `parent off`, `parent in variant a or b` */
export function dependencyText({ feature, enabled, variants }: Json): string {
  const names = Array.isArray(variants) ? variants.map(String) : [];
  if (enabled === false) return `${String(feature)} off`;
  return names.length === 0 ? `${String(feature)} on` : `${String(feature)} in variant ${names.join(' or ')}`;
}
