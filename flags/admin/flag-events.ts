import type { FlagEvent } from '../../router/core/flags.ts';
import { isRecord, type Json, recordsOf, textOr } from '../json.ts';
import { constraintText, dependencyText, strategyText } from './words.ts';

/** Members of a changed object that are named, at most. */
const CHANGES_NAMED = 6;

/** An event of the audit log in words; null when it has not the shape of one. */
export function eventOf(value: unknown): FlagEvent | null {
  if (!isRecord(value)) return null;
  const { id, type, createdAt, createdBy, featureName, environment, data, preData } = value;
  if (typeof id !== 'number' || typeof type !== 'string' || typeof createdAt !== 'string') return null;
  return {
    id,
    at: createdAt,
    by: textOr(createdBy, 'unknown'),
    type,
    flag: textOr(featureName, null),
    environment: textOr(environment, null),
    what: whatOf(type, isRecord(preData) ? preData : null, isRecord(data) ? data : null),
  };
}

function whatOf(type: string, before: Json | null, after: Json | null): string {
  switch (type) {
    case 'feature-created':
      return `created, type ${textOr(after?.['type'], 'unknown')}`;
    case 'feature-environment-enabled':
      return 'switched on';
    case 'feature-environment-disabled':
      return 'switched off';
    case 'feature-archived':
      return 'archived';
    case 'feature-revived':
      return 'revived';
    case 'feature-deleted':
      return 'deleted for good';
    case 'feature-stale-on':
      return 'marked stale';
    case 'feature-stale-off':
      return 'no longer stale';
    case 'feature-strategy-add':
      return `strategy added: ${after === null ? 'unknown' : strategyText(after)}`;
    case 'feature-strategy-remove':
      return `strategy removed: ${before === null ? 'unknown' : strategyText(before)}`;
    case 'feature-strategy-update':
    case 'feature-metadata-updated':
    case 'segment-updated':
      return before === null || after === null ? 'changed' : changesText(before, after);
    case 'feature-dependency-added':
      return `depends on ${after === null ? 'unknown' : dependencyText(after)}`;
    case 'feature-dependency-removed':
    case 'feature-dependencies-removed':
      return 'depends on no parent';
    case 'feature-tagged':
      return `tagged ${tagText(after)}`;
    case 'feature-untagged':
      return `untagged ${tagText(before ?? after)}`;
    case 'segment-created':
      return `segment ${textOr(after?.['name'], 'unknown')} created`;
    case 'segment-deleted':
      return `segment ${textOr((before ?? after)?.['name'], 'unknown')} deleted`;
    default:
      return type.replaceAll('-', ' ');
  }
}

function tagText(tag: Json | null): string {
  return `${String(tag?.['type'])}:${String(tag?.['value'])}`;
}

/** `rollout 10 % -> 25 %, title "a" -> "b"` */
function changesText(before: Json, after: Json): string {
  const changes = differences(flat(before), flat(after));
  const more = changes.length > CHANGES_NAMED ? [`… ${changes.length - CHANGES_NAMED} more`] : [];
  return changes.length === 0 ? 'nothing visible' : [...changes.slice(0, CHANGES_NAMED), ...more].join(', ');
}

function differences(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].flatMap((name) => {
    const [from, to] = [before.get(name) ?? 'none', after.get(name) ?? 'none'];
    return from === to ? [] : [`${name} ${from} -> ${to}`];
  });
}

/** Parameters stand beside the other members; lists and objects as short texts. */
function flat(value: Json): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const [name, member] of Object.entries(value)) {
    if (name === 'parameters' && isRecord(member)) {
      for (const [parameter, text] of Object.entries(member))
        texts.set(parameter, parameter === 'rollout' ? `${String(text)} %` : memberText(parameter, text));
    } else if (!isNothing(member)) {
      texts.set(name, memberText(name, member));
    }
  }
  return texts;
}

/** Absent, null and an empty list mean the same in a flag. */
function isNothing(member: unknown): boolean {
  return member === undefined || member === null || (Array.isArray(member) && member.length === 0);
}

function memberText(name: string, member: unknown): string {
  if (name === 'constraints') return `[${recordsOf(member).map(constraintText).join('; ')}]`;
  const text = JSON.stringify(member) ?? 'none';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
