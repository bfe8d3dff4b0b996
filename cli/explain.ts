import type { Command } from 'commander';
import type { Explanation } from '../router/control/api.ts';
import { cookieArgument, headerArgument, requestArgument } from './arguments.ts';
import { connect, dataFolder } from './client.ts';
import { percent, print, table } from './ui.ts';

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
    rows.push(['flag', `serve ${e.flag.serve}, shadow ${e.flag.shadow} (${e.flag.cause}; share ${share})`]);
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
