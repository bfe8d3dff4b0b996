import { applyPatch, PatchRefused } from '../patch.ts';
import { badRule, Problem } from '../problem.ts';
import type { Body } from '../validate.ts';

/** What a JSON Patch makes of a document. 409 when a `test` does not hold, 400 when the patch does not fit. */
export function patched(document: object, patch: unknown): Body {
  try {
    return applyPatch(document, patch);
  } catch (error) {
    if (!(error instanceof PatchRefused)) throw error;
    throw error.reason === 'test-failed'
      ? new Problem('ConflictError', error.message)
      : badRule(error.message);
  }
}
