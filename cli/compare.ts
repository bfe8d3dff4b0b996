import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import {
  type AnswersCompared,
  compareAnswers,
  faultsOfRules,
  type ShownDifference,
} from '../router/compare-answers.ts';
import type { Captured, CompareRule } from '../router/core/types.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { isUrl, readAnswer } from './saved-answer.ts';
import { count, plain, print, table } from './ui.ts';

interface CompareOptions {
  readonly rules?: string;
  readonly url?: string;
  readonly json?: boolean;
}

export function addCompare(program: Command): void {
  program
    .command('compare')
    .argument('<legacy>', 'file with a saved response, or a URL to GET')
    .argument('<service>', 'the same of the other side')
    .option('--rules <file>', 'JSON list of rules, as in compare.rules')
    .option('--url <url>', 'what was asked for, the base of `url` rules; default: legacy, where it is a URL')
    .option('--json', 'print JSON')
    .description('compare two saved answers as shadowing would; needs no server')
    .addHelpText(
      'after',
      `
A file holds a raw HTTP response, as \`curl -i\` prints it, or JSON: { "status", "headers", "body", "bodyEncoding" }.
A URL is asked once, for 10 s at most; redirects are not followed.

Exit codes: 0 same, or all differences are ignored by rules; 1 different; 2 not comparable.`,
    )
    .action(async (legacy: string, service: string, options: CompareOptions) => {
      const rules = options.rules === undefined ? [] : rulesOf(options.rules);
      const url = options.url ?? (isUrl(legacy) ? legacy : 'http://legacy.example/');
      if (!URL.canParse(url)) throw unusable(url, 'is no absolute URL');
      const [a, b] = [await answerOf(legacy), await answerOf(service)];
      const compared = compareAnswers(a, b, rules, url);
      if (compared.outcome === 'skipped')
        throw new CommandFailure(`cannot be compared: ${compared.reason}`, EXIT.usage);
      print(options.json ? JSON.stringify(compared) : comparedText(compared, rules));
      if (compared.outcome === 'different') process.exitCode = EXIT.failed;
    });
}

async function answerOf(source: string): Promise<Captured> {
  try {
    return await readAnswer(source);
  } catch (error) {
    throw unusable(source, error instanceof Error ? error.message : String(error));
  }
}

function rulesOf(file: string): readonly CompareRule[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw unusable(file, error instanceof Error ? error.message : String(error));
  }
  if (!Array.isArray(parsed)) throw unusable(file, 'is no list of rules');
  const faults = faultsOfRules(parsed);
  if (faults.length > 0)
    throw unusable(file, faults.map(({ path, text }) => `${path}: ${text}`).join('\n     '));
  return parsed;
}

function unusable(what: string, why: string): CommandFailure {
  return new CommandFailure(`${what}: ${why}`, EXIT.usage);
}

type Compared = Exclude<AnswersCompared, { outcome: 'skipped' }>;

function comparedText(
  { outcome, differences, count: all, ignored, ignoredCount }: Compared,
  rules: readonly CompareRule[],
): string {
  const lines: string[] = [];
  if (differences.length > 0)
    lines.push(table([['PATH', 'KIND', 'SEVERITY', 'LEGACY', 'SERVICE', 'DETAIL'], ...differences.map(row)]));
  if (all > differences.length) lines.push(`and ${count(all - differences.length)} more`);
  for (const [index, n] of countsOf(ignored)) {
    const { action = '', path = '' } = rules[index] ?? {};
    lines.push(plain(`ignored by rule ${index + 1} (${action} at ${path}): ${count(n)}`));
  }
  if (outcome === 'different')
    lines.push(`different: ${count(all)} ${all === 1 ? 'difference' : 'differences'}`);
  else lines.push(outcome === 'same' ? 'same' : `same under the rules: ${count(ignoredCount)} ignored`);
  return lines.join('\n');
}

function row({ path, kind, severity, legacy, service, detail }: ShownDifference): string[] {
  return [path, kind, severity, shortened(legacy), shortened(service), detail ?? ''];
}

const CELL_CHARS_MAX = 40;

function shortened(text: string | null): string {
  if (text === null) return '-';
  return text.length > CELL_CHARS_MAX ? `${text.slice(0, CELL_CHARS_MAX - 1)}…` : text;
}

function countsOf(ignored: readonly ShownDifference[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const { rule } of ignored) if (rule !== null) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return counts;
}
