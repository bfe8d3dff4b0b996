/** The narrowest rule that could silence one kind of difference at one place. */
import type { Detail } from '../compare/comparison.ts';
import type { CauseEntry } from '../ports.ts';
import { templatePath } from './path-language.ts';

/** Action and parameters; nobody's yet. */
export type Suggestion = Readonly<Record<string, unknown>> & {
  readonly path: string;
  readonly action: string;
};

/** Null where no narrow rule exists (structure, status, no answer), or where a name of the path is not known. */
export function suggestedRule({ template, kind, detail }: CauseEntry): Suggestion | null {
  // Paths of which a name is hidden read otherwise than they are written.
  if (templatePath(template).some((segment, n) => segment.kind === 'one' && !isStar(template, n)))
    return null;
  if (kind === 'value')
    return { path: template, ...(detail === null ? ANY_VALUE : (BY_DETAIL[detail] ?? ANY_VALUE)) };
  if (kind === 'order') return { path: template, action: 'unordered' };
  return kind === 'extra' ? { path: template, action: 'allow-extra' } : null;
}

function isStar(template: string, segment: number): boolean {
  return template.split('/')[segment + 1] === '*';
}

type Narrow = Readonly<Record<string, unknown>> & { readonly action: string };

const ANY_VALUE: Narrow = { action: 'ignore-value' };
const BY_DETAIL: Readonly<Partial<Record<Detail, Narrow>>> = {
  uuid: { action: 'uuid' },
  'numeric-close': { action: 'number', rel: 1e-9 },
  'instant-equal': { action: 'timestamp', toleranceMs: 0 },
  'clock-skew': { action: 'timestamp', toleranceMs: 2_000 },
  'unicode-form': { action: 'unicode', form: 'NFC' },
  'url-host': { action: 'url', ignore: ['scheme', 'host', 'port'] },
  'url-query-order': { action: 'url', ignore: ['query-order'] },
  nonce: { action: 'mask', regex: "'nonce-[^']+'" },
};
