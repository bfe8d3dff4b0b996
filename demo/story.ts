/**
 * The main job, end to end, on an embedded default:
 *   npm start [-- --keep] [-- --fixed-bugs B04]
 * Brings up the Old Oak shop, its new services, the router and a bounded stream of seeded shoppers, and migrates one
 * group of endpoints. Every number is measured. Exit 0 when every expectation held, 1 otherwise.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { alarms, found, type SeededBug, seededBugs } from './evidence.ts';
import { createFig, type Fig } from './fig.ts';
import { createProcesses, type Part, type Processes } from './processes.ts';

const ROOT = resolve(import.meta.dirname, '..');
const SEED = 7;
const RATE = 120;
const BROKEN = ['B01', 'B02', 'B04', 'B06', 'B08', 'B13'] as const;
/** Without a difference among so many, at most 1 % differ (95 %, Clopper-Pearson). */
const CLEAN_PAIRS = 299;
/** 503 for half a minute after 150 real requests. */
const FAULT = 'B28:150:30';

class StoryFailure extends Error {}

const { values: options } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    'fixed-bugs': { type: 'string', default: '' },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'old-oak-'));
const processes = createProcesses(ROOT);
const started = performance.now();
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interrupted = true;
    void end(130);
  });
}

try {
  const shop = await openShop(processes, folder);
  await play(shop);
  say(`\nEverything above was measured in ${seconds(performance.now() - started)}. All expectations held.`);
  if (options.keep) await keep(shop);
  await end(0);
} catch (error) {
  if (!interrupted) {
    console.error(
      `\nFAILED  ${error instanceof StoryFailure ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    await end(1);
  }
}

interface Shop {
  readonly fig: Fig;
  readonly traffic: string;
  readonly urls: Readonly<Record<string, string>>;
  readonly reviews: Deployable;
  readonly catalog: Deployable;
}

/** A service whose next build takes over the port and the data of the one before. */
interface Deployable {
  deploy(bugs: string): Promise<void>;
}

interface Shopping {
  readonly requests: number;
  readonly unexpected: number;
  readonly unexpectedBy: Readonly<Record<string, number>>;
  readonly late: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function openShop(on: Processes, at: string): Promise<Shop> {
  chapter('The Old Oak shop opens');
  const oakTime = { OAK_NOW: '2026-07-14T10:00:00Z', OAK_EPOCH: String(Date.now()) };
  const service = async (name: 'catalog' | 'reviews'): Promise<Deployable & { port: number }> => {
    const start = (port: number, bugs: string): Promise<Part> =>
      on.start(
        name,
        [`new-services/${name}/main.ts`, '--port', String(port), '--db', join(at, `${name}.db`)],
        { ...oakTime, SEEDED_BUGS: bugs },
      );
    const bugs = BROKEN.filter((bug) => (bug === 'B13') === (name === 'reviews')).join(',');
    let running = await start(0, bugs);
    const port = portOf(running);
    return {
      port,
      async deploy(next) {
        const old = running;
        running = await start(port, next);
        await old.stop();
      },
    };
  };
  const [legacy, catalog, reviews] = await Promise.all([
    on.start('legacy', ['legacy/main.ts', '--port', '0', '--db', join(at, 'legacy.db')], oakTime),
    service('catalog'),
    service('reviews'),
  ]);
  const url = (port: number) => `http://127.0.0.1:${port}`;
  const urls = { legacy: url(portOf(legacy)), catalog: url(catalog.port), reviews: url(reviews.port) };
  await on.start(
    'relay',
    [
      'new-services/relay/main.ts',
      '--legacy-db',
      join(at, 'legacy.db'),
      '--catalog',
      urls.catalog,
      '--reviews',
      urls.reviews,
      '--port',
      '0',
    ],
    oakTime,
  );
  const data = join(at, '.fig');
  const up = await on.start('fig', ['cli/fig.js', 'up', '--config', 'demo/fig.config.ts', '--data', data], {
    OAK_LEGACY: urls.legacy,
    OAK_CATALOG: urls.catalog,
    OAK_REVIEWS: urls.reviews,
    FIG_LOG_LEVEL: 'warn',
  });
  const traffic = String(up.ready['traffic']);
  say(`legacy ${urls.legacy}, catalog ${urls.catalog}, reviews ${urls.reviews}, filled from legacy's data`);
  say(`router ${traffic}, admin API ${up.ready['admin']}, flag server ${up.ready['flags']}`);
  return {
    fig: createFig(on, data),
    traffic,
    urls: { ...urls, traffic, admin: String(up.ready['admin']), data },
    reviews,
    catalog,
  };
}

async function play(shop: Shop): Promise<void> {
  await onLegacy(shop);
  await shadowed(shop);
  await fixed(shop);
  for (const share of [10, 50, 100]) await shifted(shop, share);
  await takenBack(shop);
}

async function onLegacy({ fig, traffic }: Shop): Promise<void> {
  chapter('Everything on legacy: the router is in front and nobody notices');
  const first = await fetch(`${traffic}/`);
  await first.arrayBuffer();
  expect(first.status === 200, `the first request is answered with 200, was ${first.status}`);
  say(`moving traffic ${seconds(performance.now() - started)} after the start`);
  const shopping = await shop(traffic, 4, 200);
  report(shopping);
  expect(
    shopping.unexpected === 0,
    `no shopper sees anything unexpected, saw ${JSON.stringify(shopping.unexpectedBy)}`,
  );
  const groups = await fig.status();
  const served = groups.reduce((sum, group) => sum + group.traffic.service.requests, 0);
  const stages = groups.map((group) => `${group.group} ${group.stage}`).join(', ');
  say(`${stages}; requests answered by a service: ${served}`);
  expect(served === 0, 'no request reaches a service');
}

async function shadowed({ fig, traffic }: Shop): Promise<void> {
  chapter(
    'catalog and reviews shadowed: the new services get copies, their answers are compared and thrown away',
  );
  await fig.show('shadow', 'catalog', 'on');
  await fig.show('shadow', 'reviews', 'on');
  const shopping = await shop(traffic, 14, 400);
  report(shopping);
  expect(
    shopping.unexpected === 0,
    `shadowing changes nothing for shoppers, saw ${JSON.stringify(shopping.unexpectedBy)}`,
  );
  await fig.show('diffs', 'catalog');
  await fig.show('diffs', 'reviews');
  const causes = [...(await fig.causes('catalog')), ...(await fig.causes('reviews'))];
  const bugs = seededBugs(BROKEN);
  const missed = bugs.filter((bug) => !found(bug, causes));
  say(
    `seeded faults found: ${names(bugs.filter((bug) => found(bug, causes)))} (${bugs.length - missed.length} of ${bugs.length}), in ${causes.length} causes`,
  );
  expect(missed.length === 0, `every seeded fault is found, missed ${names(missed)}`);
  const noise = alarms(bugs, causes);
  say(`harmless differences reported: ${noise.length}`);
  expect(noise.length === 0, `decoys stay silent, reported ${noise.join(', ')}`);
}

async function fixed({ fig, traffic, catalog, reviews }: Shop): Promise<void> {
  chapter('The fixed build is deployed: its evidence starts anew');
  await Promise.all([catalog.deploy(options['fixed-bugs']), reviews.deploy('')]);
  const shopping = await shop(traffic, 8, 400);
  report(shopping);
  expect(
    shopping.unexpected === 0,
    `a deploy behind the router is not noticed, saw ${JSON.stringify(shopping.unexpectedBy)}`,
  );
  for (const group of ['catalog', 'reviews']) {
    await fig.show('diffs', group);
    const { comparisons } = await fig.group(group);
    const compared = comparisons.same + comparisons.ignored + comparisons.different;
    expect(
      comparisons.different === 0,
      `${group} shadows clean, ${comparisons.different} of ${compared} answers differ`,
    );
    if (group === 'catalog')
      expect(
        compared >= CLEAN_PAIRS,
        `at least ${CLEAN_PAIRS} answers of ${group} are compared, were ${compared}`,
      );
  }
}

async function shifted({ fig, traffic }: Shop, share: number): Promise<void> {
  chapter(`${share} % of the users of catalog move to the service`);
  await fig.show('shift', 'catalog', `${share}%`);
  const shopping = await shop(traffic, 6, 500);
  report(shopping);
  expect(shopping.unexpected === 0, `no user notices, saw ${JSON.stringify(shopping.unexpectedBy)}`);
  const { share: shares, traffic: counts } = await fig.group('catalog');
  const { measured } = shares;
  expect(measured !== null, 'units are seen');
  if (measured === null) return;
  say(
    `asked ${share} %, effective ${shares.effective} %, measured ${measured.percent.toFixed(1)} % of ${measured.units} users [${measured.lower.toFixed(1)}, ${measured.upper.toFixed(1)}]`,
  );
  say(`requests: legacy ${counts.legacy.requests}, service ${counts.service.requests}`);
  expect(shares.effective === share, `the share in force is the one asked for, is ${shares.effective} %`);
  // Four standard errors: a right split is outside once in 16,000 runs.
  const tolerance = 400 * Math.sqrt(((share / 100) * (1 - share / 100)) / measured.units);
  expect(
    Math.abs(measured.percent - share) <= tolerance,
    `the measured share is within ${tolerance.toFixed(1)} points of ${share} %`,
  );
}

async function takenBack({ fig, traffic, catalog }: Shop): Promise<void> {
  chapter('A fault is switched on in the service, and one command puts catalog back');
  await catalog.deploy(FAULT);
  const halt = new AbortController();
  const shopping = shop(traffic, 40, 500, halt.signal);
  const before = await fig.group('catalog');
  const failing = await fig.until(
    'catalog',
    (group) => group.traffic.service.failures > before.traffic.service.failures,
  );
  say(
    `the service fails: ${failing.traffic.service.failures} of ${failing.traffic.service.requests} requests`,
  );
  const back = await fig.show('rollback', 'catalog', '-m', 'the service answers 503');
  const receipt = await fig.group('catalog');
  say(`the command took ${Math.round(back.ms)} ms, its start included`);
  halt.abort();
  const during = await shopping;
  say(`shoppers saw ${during.unexpected} failed answers until then, of ${during.requests} requests`);
  expect(during.unexpected > 0, 'the fault was real: shoppers saw it');
  expect(
    receipt.share.effective === 0,
    `nothing is on the service any more, is ${receipt.share.effective} %`,
  );
  const after = await shop(traffic, 4, 500);
  report(after);
  expect(
    after.unexpected === 0,
    `everybody is served by legacy again, saw ${JSON.stringify(after.unexpectedBy)}`,
  );
  const { traffic: counts } = await fig.group('catalog');
  expect(
    counts.service.requests === 0,
    `no request reached the service after the rollback, ${counts.service.requests} did`,
  );
  await fig.show('history', 'catalog', '--limit', '12');
}

async function shop(
  target: string,
  duration: number,
  sessions: number,
  signal?: AbortSignal,
): Promise<Shopping> {
  const args = [
    'bench/shoppers/main.ts',
    '--target',
    target,
    '--seed',
    String(SEED),
    '--rate',
    String(RATE),
    '--duration',
    String(duration),
    '--sessions',
    String(sessions),
    '--json',
  ];
  const { stdout, stderr } = await processes.run(args, {}, signal);
  if (!stdout.startsWith('{')) throw new StoryFailure(`the shoppers did not shop: ${stderr}`);
  return JSON.parse(stdout);
}

function report(shopping: Shopping): void {
  const { requests, unexpected, late, p50Ms, p99Ms } = shopping;
  say(
    `shoppers: ${requests} requests, ${unexpected} unexpected answers, ${late} late, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
  );
}

async function keep({ urls }: Shop): Promise<void> {
  say(`\nIt keeps running. Try, in another terminal:
  curl ${urls['traffic']}/api/v1/products/12
  npm run fig -- status --data ${urls['data']}
  npm run fig -- shift catalog 25% --data ${urls['data']}
  npm run shoppers -- --target ${urls['traffic']} --duration 20
Ctrl-C ends everything.`);
  await new Promise<never>(() => setInterval(() => undefined, 60_000));
}

async function end(exit: number): Promise<void> {
  await processes.stopAll();
  rmSync(folder, { recursive: true, force: true });
  process.exit(exit);
}

function expect(held: boolean, what: string): void {
  if (!held) throw new StoryFailure(`expected: ${what}`);
}

function names(bugs: readonly SeededBug[]): string {
  return bugs.map((bug) => bug.id).join(' ') || 'none';
}

function portOf(part: Part): number {
  return Number(part.ready['port']);
}

function chapter(title: string): void {
  say(`\n== ${title}`);
}

function say(text: string): void {
  console.log(text);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
