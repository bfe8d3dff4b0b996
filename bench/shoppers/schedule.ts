import { createRandom } from './random.ts';

/** One thing a shopper does; each is one request. */
export const KINDS = [
  'list',
  'list-ties',
  'product',
  'product-missing',
  'product-v2',
  'product-v2-large',
  'product-head',
  'reviews',
  'search',
  'suggest',
  'home',
  'category',
  'page',
  'old-address',
  'cart-add',
  'login-form',
  'login',
  'page-unread',
  'post-review',
] as const;
export type Kind = (typeof KINDS)[number];

/** A request that is due `atMs` after the start, by the shopper of that number. */
export interface Slot {
  readonly atMs: number;
  readonly session: number;
  readonly kind: Kind;
  /** Seed of whatever the step still has to draw. */
  readonly draw: number;
}

/** Whoever writes a review logs in first: two requests to log in, twice a page and its form. */
const POSTER: readonly Kind[] = [
  'login-form',
  'login',
  'page-unread',
  'post-review',
  'page-unread',
  'post-review',
];
/** Posters among 200 requests; they make six of them. */
const POSTER_EVERY = 200;

/** Requests out of 97; the other 3 in a hundred are the posters'. */
const SINGLES: readonly (readonly [Kind, number])[] = [
  ['list', 12],
  ['list-ties', 3],
  ['product', 17],
  ['product-missing', 3],
  ['product-v2', 8],
  ['product-v2-large', 2],
  ['product-head', 4],
  ['reviews', 19],
  ['search', 8],
  ['suggest', 6],
  ['home', 3],
  ['category', 3],
  ['page', 3],
  ['old-address', 4],
  ['cart-add', 2],
];

/**
 * Exactly rate x duration requests at equal distances, computed from the seed alone. Steps of one errand keep their
 * order; everything else is shuffled.
 */
export function buildSchedule(plan: {
  readonly seed: number;
  readonly rate: number;
  readonly durationSeconds: number;
  readonly sessions: number;
}): readonly Slot[] {
  const random = createRandom(plan.seed);
  const total = plan.rate * plan.durationSeconds;
  const posters = Math.floor(total / POSTER_EVERY);
  const numbers = random.shuffle(Array.from({ length: plan.sessions }, (_, index) => index));
  const errands = [
    ...Array.from({ length: posters }, (_, index) => errand(numbers[index % numbers.length] ?? 0, POSTER)),
    ...singleKinds(total - posters * POSTER.length).map((kind) =>
      errand(random.below(plan.sessions), [kind]),
    ),
  ];
  const turns = random.shuffle(errands.flatMap((item) => item.kinds.map(() => item)));
  return turns.map((item, index) => ({
    atMs: (index * 1_000) / plan.rate,
    session: item.session,
    kind: item.next(),
    draw: random.below(0x1_0000_0000),
  }));
}

function errand(session: number, kinds: readonly Kind[]) {
  const left = kinds.values();
  const next = (): Kind => {
    const { value } = left.next();
    if (value === undefined) throw new Error('an errand has as many turns as steps');
    return value;
  };
  return { session, kinds, next };
}

/** So many kinds in the proportions of the mix; what rounding leaves goes to the largest remainders. */
function singleKinds(count: number): readonly Kind[] {
  const weights = SINGLES.reduce((sum, [, weight]) => sum + weight, 0);
  const shares = SINGLES.map(([kind, weight]) => {
    const exact = (count * weight) / weights;
    return { kind, whole: Math.floor(exact), rest: exact - Math.floor(exact) };
  });
  let missing = count - shares.reduce((sum, { whole }) => sum + whole, 0);
  for (const share of shares.toSorted((left, right) => right.rest - left.rest)) {
    if (missing === 0) break;
    share.whole += 1;
    missing -= 1;
  }
  return shares.flatMap(({ kind, whole }) => Array.from({ length: whole }, () => kind));
}
