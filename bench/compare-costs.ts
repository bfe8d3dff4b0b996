/**
 * What comparing costs in the thread that does it: `node bench/compare-costs.ts SECONDS` judges every kind of pair in
 * turn, from the bytes that were handed over to the redacted verdict, and prints {@link CompareCosts}.
 */
import { isDeepStrictEqual } from 'node:util';
import { createJudge } from '../router/shadow/judge.ts';
import { type Pair, packPair, unpackPair } from '../router/shadow/pair.ts';

/** Milliseconds of CPU per pair, median of many short stretches, by kind of pair. */
export type CompareCosts = Readonly<Record<string, number>>;

const RULES_ID = 1;
const WARM_SHARE = 0.3;
const STRETCH_MS = 20;

const { judge } = createJudge({ key: Buffer.alloc(32, 1), decodedBytesMax: 8 * 1024 * 1024 });

const small = products(2 * 1024);
const large = products(1024 * 1024);
const markup = listItems(10 * 1024);
const html = [{ path: '/body', action: 'html', owner: 'b', reason: 'b', expires: '2099-12-31' }];

const cases: readonly (readonly [string, () => unknown])[] = [
  ['equal, 2 KiB', judged(pairOf('application/json', small, small), 'same')],
  ['JSON, 2 KiB', judged(pairOf('application/json', small, edited(small)), 'different')],
  ['JSON, 1 MiB', judged(pairOf('application/json', large, edited(large)), 'different')],
  ['XML, 10 KiB', judged(pairOf('application/xml', markup, edited(markup)), 'different')],
  ['HTML, 10 KiB', judged(pairOf('text/html', markup, edited(markup)), 'different', html)],
  [
    'JSON.parse and isDeepStrictEqual, 2 KiB',
    () => isDeepStrictEqual(JSON.parse(small), JSON.parse(edited(small))),
  ],
];

const samples = new Map<string, number[]>(cases.map(([name]) => [name, []]));
const until = performance.now() + Number(process.argv[2] ?? '5') * 1_000;
while (performance.now() < until) for (const [name, work] of cases) samples.get(name)?.push(cpuMs(work));
const costs: CompareCosts = Object.fromEntries([...samples].map(([name, each]) => [name, median(each)]));
console.log(JSON.stringify(costs));

/** Judges the pair as the thread does, and makes sure of the verdict. */
function judged(pair: Pair, outcome: string, rules: Parameters<typeof judge>[1] = []): () => unknown {
  const buffer = packPair(pair);
  const found = judge(unpackPair(buffer), rules, RULES_ID + rules.length).outcome;
  if (found !== outcome) throw new Error(`a pair was judged ${found}, not ${outcome}`);
  return () => judge(unpackPair(buffer), rules, RULES_ID + rules.length);
}

function pairOf(type: string, legacy: string, service: string): Pair {
  const answer = (body: string, id: string) => ({
    status: 200,
    fields: headOf(type, id),
    body: Buffer.from(body),
    truncated: false,
  });
  return {
    meta: {
      group: 'catalog',
      route: { label: 'GET /api/products', segments: [] },
      request: {
        method: 'GET',
        target: '/api/products?page=1',
        url: 'http://shop.example/api/products?page=1',
        fields: [],
        hasBody: false,
        bytes: 0,
      },
      internalHosts: ['127.0.0.1:3000', '127.0.0.1:4001'],
      today: '2026-01-01',
      showValues: [],
      selfTest: null,
    },
    legacy: answer(legacy, 'a'),
    service: { kind: 'answer', answer: answer(service, 'b'), oversize: false },
  };
}

/** What never says anything differs, as it does between any two servers. */
function headOf(type: string, id: string): readonly string[] {
  return [
    ...['Content-Type', type, 'Cache-Control', 'private, max-age=60', 'Vary', 'Accept, Cookie'],
    ...['ETag', `"${id}"`, 'Date', `Thu, 01 Jan 2026 00:00:00 GMT ${id}`, 'X-Request-Id', id, 'Server', id],
    ...['X-Content-Type-Options', 'nosniff', 'Strict-Transport-Security', 'max-age=31536000'],
  ];
}

function products(bytes: number): string {
  const item = (id: number) =>
    JSON.stringify({
      id,
      sku: `SKU-${id}`,
      name: `Product ${id}`,
      price: id + 0.99,
      tags: ['a', 'b'],
      last: 0,
    });
  return `{"items":[${repeated(item, bytes, ',')}],"last":1}`;
}

function listItems(bytes: number): string {
  const item = (id: number) => `<li id="i${id}"><b class="name">Product ${id}</b> <i>${id}.99</i></li>`;
  return `<ul>${repeated(item, bytes, '\n')}<li>"last":1</li></ul>`;
}

function repeated(item: (id: number) => string, bytes: number, by: string): string {
  const items: string[] = [];
  for (let size = 0; size < bytes; size += (items.at(-1) ?? '').length + 1) items.push(item(items.length));
  return items.join(by);
}

/** The same with its last value changed. */
function edited(body: string): string {
  return body.replace('"last":1', '"last":2');
}

/** CPU of one call, over as many as fit into a stretch: what others do on the machine is not in it. */
function cpuMs(work: () => unknown): number {
  const before = process.cpuUsage();
  const end = performance.now() + STRETCH_MS;
  let calls = 0;
  do {
    work();
    calls += 1;
  } while (performance.now() < end);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / calls;
}

function median(numbers: readonly number[]): number {
  // The first stretches are those of a cold engine.
  const warm = numbers.slice(Math.floor(numbers.length * WARM_SHARE)).sort((a, b) => a - b);
  return warm[Math.floor(warm.length / 2)] ?? Number.NaN;
}
