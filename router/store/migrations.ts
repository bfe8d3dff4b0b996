import { CAUSE_MIGRATIONS, COMPARISON_MIGRATIONS } from './comparisons.ts';
import { EVIDENCE_MIGRATIONS } from './evidence.ts';
import { FLAG_REQUEST_MIGRATIONS } from './flag-requests.ts';
import { LEDGER_MIGRATIONS } from './ledger.ts';
import { NOISE_MIGRATIONS } from './noise.ts';
import { RULE_MIGRATIONS } from './rules.ts';

/** The schema of `fig.db`, oldest first. Only ever appended to: a file remembers how many it has had. */
export const MIGRATIONS: readonly string[] = [
  ...LEDGER_MIGRATIONS,
  ...COMPARISON_MIGRATIONS,
  ...FLAG_REQUEST_MIGRATIONS,
  ...RULE_MIGRATIONS,
  ...NOISE_MIGRATIONS,
  ...CAUSE_MIGRATIONS,
  ...EVIDENCE_MIGRATIONS,
];
