import { type Command, InvalidArgumentError } from 'commander';
import type { AddedRulesData, RemovedRuleData, RulesData } from '../router/control/api.ts';
import { connect, dataFolder } from './client.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { addedText, findingLines, rulesTable } from './rule-text.ts';
import { print } from './ui.ts';

interface DataOptions {
  readonly data?: string;
  readonly json?: boolean;
}

/** What every command that adds rules takes. */
export interface AddOptions extends DataOptions {
  readonly owner: string;
  readonly message: string;
  readonly expires: string;
  readonly ticket?: string;
  readonly preview?: boolean;
  readonly force?: string;
  readonly second?: string;
}

interface RuleOptions extends AddOptions {
  readonly route?: readonly string[];
  readonly status?: readonly number[];
}

const DAY_MS = 86_400_000;
const PARAMETERS = `
Parameters are name=value; what is JSON is read as JSON: abs=0.01, key=id, pairs='[["Y",true]]'.

  ignore            ignore-value      allow-extra       null-equals-missing
  unordered [key]   number [abs, rel] number-lexeme     timestamp toleranceMs [unit, pattern, zone]
  uuid [version]    pattern regex     url [ignore]      unicode form
  newlines          mask regex        embedded-json     jwt [ignoreClaims]
  rename group      html [ignore]     sse               multipart
  parse-as as       equivalent pairs

A rule that silences is refused with a code when it hides what never differed (NEVER_DRIFTED, OVER_BROAD), a change of
structure (STRUCTURAL), a whole part (ROOT), what protects users (SECURITY), a known bug (TRIAGED_BUG), when fewer than 50
pairs were compared (TOO_FEW), or when nobody answers for it (UNOWNED). --force needs a second person and is shown beside
every verdict the rule touches.`;

export function addRules(program: Command): void {
  const rules = program
    .command('rules')
    .description('comparison rules: which differences are meant or harmless')
    .helpCommand(false);
  withData(rules.command('list').argument('<group>'))
    .description('all rules of a group, their hits, and what is wrong with them')
    .action(list);
  withAdd(rules.command('add').argument('<group>').argument('<path>').argument('<action>'))
    .argument('[parameters...]', 'name=value', parameterArgument, {})
    .option('--route <route>', 'only this route of the group; may be repeated', collected, [])
    .option('--status <code>', 'only for this status of legacy; may be repeated', statusArgument, [])
    .description('adds a rule; it is in force at once and until it expires')
    .addHelpText('after', PARAMETERS)
    .action(add);
  withData(rules.command('remove').argument('<group>').argument('<rule>', 'its name, r3'))
    .option('-m, --message <reason>', 'why; stored in the ledger')
    .description('takes back a rule that was added')
    .action(remove);
}

function withData(command: Command): Command {
  return command.option('--data <folder>', 'data folder of the server').option('--json', 'print JSON');
}

export function withAdd(command: Command): Command {
  return withData(command)
    .requiredOption('--owner <name>', 'who answers for it')
    .requiredOption('-m, --message <reason>', 'why the difference is meant or harmless')
    .requiredOption(
      '--expires <date>',
      'last day it applies, YYYY-MM-DD or 30d; at most 90 days ahead',
      expiry,
    )
    .option('--ticket <id>', 'where it is followed up')
    .option('--preview', 'only say what it would do')
    .option('--force <reason>', 'add it although it is refused')
    .option('--second <name>', 'with --force: who else agreed');
}

async function list(group: string, options: DataOptions): Promise<void> {
  const reply = await connect(dataFolder(options.data)).get<RulesData>(rulesPath(group));
  if (options.json) return print(JSON.stringify(reply));
  const { rules, findings } = reply.data;
  print(rules.length === 0 ? 'no rules' : rulesTable(rules, reply.at));
  for (const line of findingLines(findings)) print(line);
}

async function add(
  group: string,
  path: string,
  action: string,
  parameters: Readonly<Record<string, unknown>>,
  options: RuleOptions,
): Promise<void> {
  const { route = [], status = [] } = options;
  const scope = {
    ...(route.length === 0 ? {} : { routes: route }),
    ...(status.length === 0 ? {} : { statuses: status }),
  };
  await carryOut(
    group,
    { rules: [{ path, action, ...parameters, ...paperwork(options), ...scope }] },
    options,
  );
}

/** Owner, reason, expiry and ticket as the API takes them. */
export function paperwork({ owner, message, expires, ticket }: AddOptions): Record<string, string> {
  return { owner, reason: message, expires, ...(ticket === undefined ? {} : { ticket }) };
}

/** Asks for rules and prints what became of them. */
export async function carryOut(group: string, body: object, options: AddOptions): Promise<void> {
  const { preview = false, force, second } = options;
  if ((force === undefined) !== (second === undefined))
    throw new CommandFailure('--force REASON and --second NAME belong together', EXIT.usage);
  const forced = force === undefined ? {} : { force: { reason: force, second } };
  const client = connect(dataFolder(options.data));
  const reply = await client.post<AddedRulesData>(rulesPath(group), { ...body, ...forced, preview });
  print(options.json ? JSON.stringify(reply) : addedText(reply.data));
}

async function remove(
  group: string,
  rule: string,
  options: DataOptions & { readonly message?: string },
): Promise<void> {
  const reason = options.message === undefined ? {} : { reason: options.message };
  const reply = await connect(dataFolder(options.data)).delete<RemovedRuleData>(
    `${rulesPath(group)}/${encodeURIComponent(rule)}`,
    reason,
  );
  const { name, inForce } = reply.data;
  print(options.json ? JSON.stringify(reply) : `${name} removed with snapshot ${inForce.snapshot}`);
}

function rulesPath(group: string): string {
  return `/api/v1/groups/${encodeURIComponent(group)}/rules`;
}

/** `2026-12-31`, or `30d` from today (UTC). The server says whether it can be. */
function expiry(text: string): string {
  const days = /^(\d{1,3})d$/.exec(text)?.[1];
  return days === undefined ? text : new Date(Date.now() + Number(days) * DAY_MS).toISOString().slice(0, 10);
}

function parameterArgument(
  text: string,
  before: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const found = /^([A-Za-z]+)=(.*)$/su.exec(text);
  if (found?.[1] === undefined) throw new InvalidArgumentError('expected name=value');
  return { ...before, [found[1]]: parameterOf(found[2] ?? '') };
}

function parameterOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text; // What is not JSON is a text.
  }
}

function collected(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

function statusArgument(text: string, before: readonly number[]): readonly number[] {
  if (!/^[1-5]\d\d$/.test(text)) throw new InvalidArgumentError('expected a status code, 100 to 599');
  return [...before, Number(text)];
}
