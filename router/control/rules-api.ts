import { type Response, Router } from 'express';
import { z } from 'zod';
import { assertNever } from '../core/assert.ts';
import { ADDED_MAX } from '../core/rules/stored.ts';
import type { AddRulesBody } from './api.ts';
import { invalid, operator, problem, type Reply, reason } from './reply.ts';
import type { AddResult, RemoveResult, Rules } from './rules.ts';

const RULES_MAX = 32;
/** Printed by whoever looks at rules: no control characters, which would reach their terminal. */
const PRINTABLE = /^\P{Cc}*$/u;
const text = z.string().min(1).max(1_000).regex(PRINTABLE, 'expected no control characters');
const force = z.strictObject({
  reason: text,
  second: z.string().regex(/^[\w.@-]{1,64}$/, 'expected a name of 1-64 letters, digits or . _ @ -'),
});
const common = { preview: z.boolean().optional(), force: force.optional() };
const draft = z
  .record(z.string(), z.json())
  .refine((rule) => isPrintable(rule), 'expected no control characters');
const addBody = z.union([
  z.strictObject({ ...common, rules: z.array(draft).min(1).max(RULES_MAX) }),
  z.strictObject({
    ...common,
    cause: z.strictObject({
      id: z.string().regex(/^[0-9a-f]{16}$/, 'expected the id of a cause'),
      action: text.optional(),
      owner: text,
      reason: text,
      expires: text,
      ticket: text.optional(),
    }),
  }),
]) satisfies z.ZodType<AddRulesBody>;
const removeBody = z.strictObject({ reason }).default({});

/** Comparison rules of a group: shown, previewed, added, taken back. */
export function createRuleRoutes(rules: Rules, reply: Reply, unknown: UnknownGroup): Router {
  const router = Router();
  router.get('/api/v1/groups/:group/rules', (request, response) => {
    const data = rules.list(request.params.group);
    return data === null ? unknown(response, request.params.group) : reply(response, 'fig.rules/1', data);
  });
  router.post('/api/v1/groups/:group/rules', async (request, response) => {
    const body = addBody.safeParse(request.body);
    if (!body.success) return invalid(response, body.error);
    const { group } = request.params;
    const result = await rules.add(group, body.data, operator(request));
    return result.kind === 'done'
      ? reply(response, 'fig.rules-added/1', result.data)
      : answerAdd(response, group, result, unknown);
  });
  router.delete('/api/v1/groups/:group/rules/:name', async (request, response) => {
    const body = removeBody.safeParse(request.body);
    if (!body.success) return invalid(response, body.error);
    const { group, name } = request.params;
    const result = await rules.remove(group, name, operator(request), body.data.reason ?? null);
    return result.kind === 'done'
      ? reply(response, 'fig.rule-removed/1', result.data)
      : answerRemove(response, group, name, result, unknown);
  });
  return router;
}

type UnknownGroup = (response: Response, group: string) => void;

function answerAdd(
  response: Response,
  group: string,
  result: Exclude<AddResult, { kind: 'done' }>,
  unknown: UnknownGroup,
): void {
  switch (result.kind) {
    case 'unknown-group':
      unknown(response, group);
      break;
    case 'unknown-cause':
      problem(response, 404, 'NOT_FOUND', `${group} has no such cause`, `fig diffs ${group}`);
      break;
    case 'invalid': {
      const errors = result.faults.map(({ path, text: detail }) => ({ pointer: pointerOf(path), detail }));
      problem(response, 400, 'INVALID', counted(errors.length, 'fault'), undefined, errors);
      break;
    }
    case 'refused': {
      const errors = result.refusals.map((one) => ({
        pointer: `/rules/${one.rule}`,
        detail: `${one.code}: ${one.text}`,
      }));
      // The first is the gravest; all of them are listed.
      const code = result.refusals[0]?.code ?? 'RULE_REFUSED';
      const force = 'look at it with --preview, or force it with --force REASON --second NAME';
      const next = code === 'UNOWNED' ? undefined : force;
      problem(response, 409, code, 'nothing was changed', next, errors);
      break;
    }
    case 'full':
      problem(
        response,
        409,
        'RULES_FULL',
        `${group} may have ${ADDED_MAX} added rules; nothing was changed`,
        `fig rules remove ${group} RULE`,
      );
      break;
    case 'not-recorded':
      notRecorded(response, group);
      break;
    default:
      assertNever(result);
  }
}

function answerRemove(
  response: Response,
  group: string,
  name: string,
  result: Exclude<RemoveResult, { kind: 'done' }>,
  unknown: UnknownGroup,
): void {
  switch (result.kind) {
    case 'unknown-group':
      unknown(response, group);
      break;
    case 'unknown-rule':
      problem(response, 404, 'NOT_FOUND', `${group} has no rule ${name}`, `fig rules list ${group}`);
      break;
    case 'configured':
      problem(
        response,
        409,
        'RULE_CONFIGURED',
        `${name} stands in the configuration; take it out there`,
        'fig reload',
      );
      break;
    case 'not-recorded':
      notRecorded(response, group);
      break;
    default:
      assertNever(result.kind);
  }
}

function notRecorded(response: Response, group: string): void {
  const detail = 'the ledger could not be written; nothing was changed';
  problem(response, 500, 'NOT_RECORDED', detail, `fig status ${group}`);
}

function isPrintable(value: unknown): boolean {
  if (typeof value === 'string') return PRINTABLE.test(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, inner]) => PRINTABLE.test(name) && isPrintable(inner));
}

/** `rules[0].routes[1]` as a JSON pointer. */
function pointerOf(path: string): string {
  return `/${path.replaceAll(/\[(\d+)\]/g, '.$1').replaceAll('.', '/')}`;
}

function counted(n: number, what: string): string {
  return `${n} ${n === 1 ? what : `${what}s`} in the request`;
}
