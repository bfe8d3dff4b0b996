import { type AdmitPolicy, admit } from '../core/admit.ts';
import { type Folding, mayGoToLegacy, readingsOf } from '../core/agree.ts';
import { type ChooseDeps, choose } from '../core/choose.ts';
import { ERRORS, type ErrorCode } from '../core/errors.ts';
import type { FlagReader } from '../core/ports.ts';
import type { Fields, Snapshot, UnitSource } from '../core/types.ts';
import { unitId } from '../core/unit.ts';
import type { ExplainRequest, Explanation } from './api.ts';

export interface ExplainDeps extends ChooseDeps {
  readonly flags: Pick<FlagReader, 'read' | 'intent' | 'explain' | 'status'>;
  readonly policy: AdmitPolicy;
  /** What the servers behind us fold together. */
  readonly folding: Folding;
}

/** What the data plane would do with a request, by the same functions, without sending anything. */
export function explain(snapshot: Snapshot, request: ExplainRequest, deps: ExplainDeps): Explanation {
  const { method, target, headers } = request;
  const host = headers.some(([name]) => name.toLowerCase() === 'host')
    ? []
    : ['Host', deps.policy.defaultHost];
  const admission = admit(
    { method, target, version: '1.1', fields: [...host, ...headers.flat()] },
    deps.policy,
  );
  if (!admission.ok) return refusal(snapshot, admission.code);
  const { admitted } = admission;
  const readings = readingsOf(snapshot.table, admitted.method, admitted.path, deps.folding);
  const ungrouped = readings !== 'agreed' && mayGoToLegacy(readings, snapshot);
  if (readings !== 'agreed' && !ungrouped) return refusal(snapshot, 'CLIENT_PATH_AMBIGUOUS');
  const chosen = choose(snapshot, admitted, 'explain', deps, ungrouped);
  const { route, group, unit, position, intent, decision } = chosen;
  return {
    refused: null,
    route: route === null ? null : { label: route.label, group: route.group },
    unit:
      unit === null || position === null
        ? null
        : { key: unit, position, source: sourceOf(admitted.fields, group?.unit ?? []) },
    unitSources: (group?.unit ?? []).map(sourceText),
    flag:
      group === null
        ? null
        : {
            serve: intent.serve,
            shadow: intent.shadow,
            cause: intent.cause,
            share: deps.flags.intent(group.name).serve,
            why: deps.flags.explain(group.name, { unit, requestId: 'explain', properties: {} }),
            status: deps.flags.status(),
          },
    ledger:
      group === null
        ? null
        : { stage: group.stage, ceiling: group.ceiling, rev: group.rev, stopped: group.stopped },
    answer: { side: decision.side, target: chosen.target.name, reason: decision.reason },
    shadow:
      chosen.shadow === null
        ? 'not compared in this stage'
        : chosen.shadow === 'copy'
          ? 'copied to the other side'
          : `skipped: ${chosen.shadow}`,
  };
}

function refusal(snapshot: Snapshot, code: ErrorCode): Explanation {
  const { status, text } = ERRORS[code];
  const answer = { side: 'legacy', target: snapshot.legacy.name, reason: 'refused' } as const;
  return {
    refused: { code, status, text },
    route: null,
    unit: null,
    unitSources: [],
    flag: null,
    ledger: null,
    answer,
    shadow: 'refused',
  };
}

function sourceOf(fields: Fields, sources: readonly UnitSource[]): string {
  const source = sources.find((candidate) => unitId(fields, [candidate]) !== null);
  return source === undefined ? 'nothing' : sourceText(source);
}

function sourceText(source: UnitSource): string {
  return 'header' in source ? `header ${source.header}` : `cookie ${source.cookie}`;
}
