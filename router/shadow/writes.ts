/** Copies of requests that change something: what they are marked with, and whether a dry run may be trusted. */
import { createHmac } from 'node:crypto';
import { changes } from '../core/choose.ts';
import { valuesOf } from '../core/headers.ts';
import type { Log, Replay, Replayed } from '../core/ports.ts';
import type { Fields, Group, Route, ShadowJob, SkipReason, WritePlan } from '../core/types.ts';

export interface Writes {
  /** Why no such request of the route is copied now, or null. `today`: ISO date, asked for only when it matters. */
  refusal(group: Group, route: Route, method: string, today: () => string): SkipReason | null;
  /** What a copy is sent with. */
  marked(job: ShadowJob): Replay;
  /** The request that asks whether dry runs are honoured, where that is not known for this build; else null. */
  probe(job: ShadowJob, build: string): Replay | null;
  /** What the answer to the probe says; null: the copy may be sent. */
  probed(job: ShadowJob, build: string, replayed: Replayed): SkipReason | null;
  /** What the answer to a copy says: one that does not honour the dry run ends the mode for the route. */
  answered(job: ShadowJob, replayed: Replayed): SkipReason | null;
}

/** Routes and builds that are remembered; above it the oldest are asked again. */
const KNOWN_MAX = 4_096;

/** `key`: secret of this installation. */
export function createWrites(key: Uint8Array, log: Log): Writes {
  const honoured = new Set<string>();
  /** Until the program starts again: somebody has to look first. */
  const refused = new Set<string>();

  function refuse(job: ShadowJob, why: string): SkipReason {
    const { group, route } = job;
    log.warn('shadow.dry-run-refused', { group: group.name, route: route.label, why });
    remember(refused, nameOf(group, route));
    return 'dry-run-refused';
  }

  function isDryRun({ route, request }: ShadowJob): boolean {
    return planOf(route, request.method)?.mode === 'dry-run';
  }

  return {
    refusal(group, route, method, today) {
      const plan = planOf(route, method);
      if (plan === null) return null;
      if (plan.expires < today()) return 'unsafe-method';
      return plan.mode === 'dry-run' && refused.has(nameOf(group, route)) ? 'dry-run-refused' : null;
    },
    marked(job) {
      const plan = planOf(job.route, job.request.method);
      return plan === null ? job : { ...job, marks: marksOf(job, plan, key) };
    },
    probe(job, build) {
      if (!isDryRun(job) || honoured.has(nameOf(job.group, job.route, build))) return null;
      const { target, fields } = job.request;
      const host = valuesOf(fields, 'host')[0] ?? '';
      const authorization = valuesOf(fields, 'authorization').flatMap((value) => ['Authorization', value]);
      const request = {
        method: 'OPTIONS',
        target,
        fields: ['Host', host, ...authorization],
        body: new Uint8Array(),
      };
      return { ...job, request, marks: DRY_RUN };
    },
    probed(job, build, replayed) {
      if (replayed.kind !== 'answer') return replayed.kind === 'aborted' ? 'draining' : 'dry-run-refused';
      if (!replayed.dryRun) return refuse(job, 'the probe was not answered with Fig-Dry-Run: honoured');
      remember(honoured, nameOf(job.group, job.route, build));
      return null;
    },
    answered(job, replayed) {
      if (!isDryRun(job) || replayed.kind !== 'answer' || replayed.dryRun) return null;
      return refuse(job, 'an answer came without Fig-Dry-Run: honoured');
    },
  };
}

const DRY_RUN: Fields = ['Fig-Dry-Run', '1'];

function planOf(route: Route, method: string): WritePlan | null {
  return changes(method, route) ? route.writes : null;
}

/** The key of the copy can never be that of a request: it is a digest with a secret of ours. */
function marksOf({ request, requestId }: ShadowJob, { mode }: WritePlan, key: Uint8Array): Fields {
  const original = valuesOf(request.fields, 'idempotency-key')[0] ?? requestId;
  const digest = createHmac('sha256', key)
    .update(JSON.stringify([original, 'shadow']))
    .digest('hex');
  const marks = ['Idempotency-Key', digest.slice(0, 32)];
  return mode === 'dry-run' ? [...marks, ...DRY_RUN] : marks;
}

function nameOf({ name }: Group, { label }: Route, build = ''): string {
  return JSON.stringify([name, label, build]);
}

function remember(names: Set<string>, name: string): void {
  const [oldest] = names;
  if (names.size >= KNOWN_MAX && oldest !== undefined) names.delete(oldest);
  names.add(name);
}
