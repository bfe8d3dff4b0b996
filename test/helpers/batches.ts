import type { ComparisonBatch } from '../../router/core/ports.ts';

/** A batch in which nothing happened. */
export const EMPTY_BATCH: ComparisonBatch = {
  at: 1,
  counts: [],
  causes: [],
  forgotten: [],
  evidence: [],
  selfTests: [],
};

/** What is known of a request that asked for nothing in particular. */
export const ASKED_NOTHING = { fields: [], hasBody: false, bytes: 0 };
