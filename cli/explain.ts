import type { Command } from 'commander';
import type { Explanation } from '../router/control/api.ts';
import type { FlagExplained } from '../router/core/flags.ts';
import type { FlagStatus } from '../router/core/ports.ts';
import { cookieArgument, headerArgument, requestArgument } from './arguments.ts';
import { connect, dataFolder } from './client.ts';
import { duration, percent, print, table } from './ui.ts';

interface ExplainOptions {
  readonly header: readonly (readonly [string, string])[];
  readonly cookie: readonly string[];
  readonly data?: string;
  readonly json?: boolean;
}

export function addExplain(program: Command): void {
  program
    .command('explain')
    .argument('<request>', "'GET /path'", requestArgument)
    .option('-H, --header <line>', "a header, 'Name: value'; repeatable", headerArgument, [])
    .option('--cookie <pair>', 'a cookie, name=value; repeatable', cookieArgument, [])
    .option('--data <folder>', 'data folder of the server')
    .option('--json', 'print JSON')
    .description('say where a request would go and why; nothing is sent')
    .action(async (request: { method: string; target: string }, options: ExplainOptions) => {
      const cookies = options.cookie.length === 0 ? [] : [['Cookie', options.cookie.join('; ')] as const];
      const headers = [...options.header, ...cookies];
      const reply = await connect(dataFolder(options.data)).post<Explanation>('/api/v1/explain', {
        ...request,
        headers,
      });
      if (options.json) print(JSON.stringify(reply));
      else print(explanationText(reply.data));
    });
}

/** Said only when the flags may not be those of now. */
function ageText({ data, stale, ageMs, lastError }: FlagStatus): string {
  if (data === 'none') return `; no flag was read yet${lastError === null ? '' : `: ${lastError}`}`;
  const since = ageMs === null ? '' : `, ${duration(ageMs)} old`;
  const error = lastError === null ? '' : `; ${lastError}`;
  if (data === 'backup') return `; flags of an earlier run${since}${error}`;
  return stale ? `; stale${since}${error}` : '';
}

/** `fig.orders.serve off: strategy 1 flexibleRollout: bucket 34 of 100, rollout 25: off` */
function flagLines({ name, answer, why, strategies }: FlagExplained): string[] {
  if (why !== null) return [`${name} ${answer}: ${why}`];
  return strategies.map((strategy) => {
    const which = strategies.length === 1 ? '' : `strategy ${strategy.number} `;
    return `${name} ${answer}: ${which}${strategy.name}: ${strategy.why}: ${strategy.answer}`;
  });
}

function explanationText(e: Explanation): string {
  if (e.refused !== null)
    return table([['refused', `${e.refused.status} ${e.refused.code}: ${e.refused.text}`]]);
  const rows = [
    [
      'route',
      e.route === null ? 'none: legacy answers, unwatched' : `${e.route.label}, group ${e.route.group}`,
    ],
  ];
  if (e.route !== null) {
    const looked = e.unitSources.join(', ') || 'none configured';
    rows.push([
      'unit',
      e.unit === null
        ? `none (looked at: ${looked})`
        : `${e.unit.key.slice(0, 8)}… from ${e.unit.source}, position ${e.unit.position.toFixed(2)} of 100`,
    ]);
  }
  if (e.flag !== null) {
    const share = typeof e.flag.share === 'number' ? percent(e.flag.share) : e.flag.share;
    rows.push(
      [
        'flag',
        `serve ${e.flag.serve}, shadow ${e.flag.shadow} (${e.flag.cause}; share ${share})${ageText(e.flag.status)}`,
      ],
      ...[e.flag.why.serve, e.flag.why.shadow].flatMap(flagLines).map((line) => ['', line]),
    );
  }
  if (e.ledger !== null) {
    rows.push([
      'ledger',
      `stage ${e.ledger.stage}, ceiling ${percent(e.ledger.ceiling)}, rev ${e.ledger.rev}; stops: ${e.ledger.stopped ?? 'none'}`,
    ]);
  }
  rows.push(
    ['answer', `${e.answer.side.toUpperCase()} ${e.answer.target}  reason ${e.answer.reason}`],
    ['shadow', e.shadow],
  );
  return table(rows);
}
