/** How rules and what they would do are printed. */
import type { AddedRulesData, RuleRow } from '../router/control/api.ts';
import type { BlastRadius } from '../router/core/rules/blast-radius.ts';
import type { Finding } from '../router/core/rules/findings.ts';
import type { CompareRule } from '../router/core/types.ts';
import { age, count, plain, table } from './ui.ts';

const PLACES_MAX = 50;
const PAPERWORK = ['path', 'action', 'owner', 'reason', 'ticket', 'expires', 'routes', 'statuses'];

export function findingLines(findings: readonly Finding[]): readonly string[] {
  return findings.map(({ code, rule, text }) => plain(`${code}${rule === null ? '' : ` ${rule}`}: ${text}`));
}

export function rulesTable(rows: readonly RuleRow[], now: string): string {
  const each = rows.map(({ name, rule, added, hits, lastHitAt, inForce }) => [
    name,
    plain(`${ruleText(rule)}${inForce ? '' : '  (expired)'}`),
    plain(rule.owner),
    rule.expires,
    hits === 0 || lastHitAt === null ? '0' : `${count(hits)}, last ${age(lastHitAt, now)} ago`,
    added === null ? 'configuration' : `${plain(added.by)} ${added.at}`,
    plain(rule.reason),
  ]);
  return table([['RULE', 'WHAT', 'OWNER', 'EXPIRES', 'HITS', 'ADDED', 'WHY'], ...each]);
}

/** `number /body/total abs=0.01 for GET /x` */
function ruleText(rule: CompareRule): string {
  const parameters = Object.entries(rule)
    .filter(([name]) => !PAPERWORK.includes(name))
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const { action, path, routes, statuses } = rule;
  const where = routes === undefined ? '' : ` for ${routes.join(', ')}`;
  const when = Array.isArray(statuses) ? ` with status ${statuses.join(', ')}` : '';
  return `${action} ${path}${parameters.join('')}${where}${when}`;
}

export function addedText({ saved, rules, preview, refusals, inForce, group }: AddedRulesData): string {
  const lines = rules.map(({ name, rule }) => plain(`${name ?? 'would add'}  ${ruleText(rule)}`));
  lines.push(previewText(preview));
  for (const { code, text, rule } of refusals) {
    const which = rules.length > 1 ? ` (${rules[rule]?.rule.path})` : '';
    lines.push(plain(`${saved ? 'forced past' : 'refused:'} ${code}${which}: ${text}`));
  }
  if (inForce !== null) {
    const { running, confirmed } = inForce.planes;
    const where = running === 1 && confirmed === 1 ? '' : ` in ${confirmed} of ${running} workers`;
    lines.push(
      `in force with snapshot ${inForce.snapshot}${where}; take it back: fig rules remove ${group} RULE`,
    );
  }
  if (!saved) lines.push('a preview: nothing was changed');
  return lines.join('\n');
}

function previewText({ compared, turned, silenced, untouched, leaves }: BlastRadius): string {
  const { atLeast, atMost } = turned;
  const turning = atLeast === atMost ? count(atMost) : `${count(atLeast)} to ${count(atMost)}`;
  const values = atLeast === atMost ? '' : ' (values decide)';
  const lines = [`of ${count(compared)} pairs compared, ${turning} turn from different to ignored${values}`];
  const shown = silenced
    .slice(0, PLACES_MAX)
    .map((place) => [
      plain(place.template),
      place.kind,
      `${count(place.count)} pairs`,
      place.certain ? 'silenced' : 'silenced where the values allow it',
      place.causes.join(' '),
      place.triage.join(' '),
      plain(place.route),
    ]);
  if (shown.length > 0)
    lines.push(table([['PLACE', 'KIND', 'SEEN', '', 'CAUSES', 'TRIAGE', 'ROUTE'], ...shown]));
  if (silenced.length > shown.length) lines.push(`and ${count(silenced.length - shown.length)} more places`);
  if (untouched !== null && untouched.length > 0)
    lines.push(plain(`also matched, never differed: ${untouched.join(', ')}`));
  if (leaves !== null) lines.push(`covers ${count(leaves.covered)} of ${count(leaves.known)} known places`);
  return lines.join('\n');
}
