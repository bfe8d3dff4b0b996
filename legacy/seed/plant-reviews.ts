import type { Database } from 'better-sqlite3';
import type { Random } from './random.ts';
import { SENTENCES, TITLES } from './words.ts';

const REVIEW_COUNTS = {
  total: 9_000,
  twins: 200,
  ambiguous: 4,
  links: 300,
  apostrophes: 150,
} as const;

interface Review {
  readonly product: bigint;
  readonly posted: string;
}

/** Clock changes in the two years of reviews: an hour that does not exist, and one that exists twice. */
const SKIPPED_HOURS = ['2025-03-30 01', '2026-03-29 01'];
const AMBIGUOUS_HOUR = '2025-10-26 01';
const FIRST_DAY_MS = Date.UTC(2024, 6, 14);
const DAYS = 729;

/**
 * Reviews over 24 months, stored as local London text without a zone and numbered in that order: 200 pairs of one
 * product share a second, 4 lie in the hour that the clocks repeat. `live` are product ids, `users` a count.
 */
export function plantReviews(db: Database, random: Random, live: readonly bigint[], users: number): void {
  const insert = db.prepare(
    'INSERT INTO reviews (id, product_id, user_id, stars, title, body, posted) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const reviews = draw(random, random.shuffle(live));
  const order = random.shuffle(reviews.map((_, index) => index));
  const linked = new Set(order.slice(0, REVIEW_COUNTS.links));
  const quoted = new Set(order.slice(REVIEW_COUNTS.links, REVIEW_COUNTS.links + REVIEW_COUNTS.apostrophes));
  for (const [index, review] of reviews.entries()) {
    const title = random.pick(TITLES);
    insert.run(
      BigInt(index + 1),
      review.product,
      BigInt(2 + random.below(users - 1)),
      1 + random.below(5),
      quoted.has(index) ? `It's ${title.toLowerCase()}` : title,
      body(random, linked.has(index) ? `https://example.org/oak/${index}?a=1&b=2` : null),
      review.posted,
    );
  }
}

function draw(random: Random, ranked: readonly bigint[]): Review[] {
  const reviews: Review[] = [];
  const singles = REVIEW_COUNTS.total - 2 * REVIEW_COUNTS.twins;
  for (let index = 0; index < singles + REVIEW_COUNTS.twins; index += 1) {
    // Squared: a few products have hundreds of reviews, most have one or two.
    const product = ranked[Math.floor(random.unit() ** 2 * ranked.length)] ?? 0n;
    const review = {
      product,
      posted: index < REVIEW_COUNTS.ambiguous ? ambiguous(random) : plainTime(random),
    };
    reviews.push(review);
    if (index >= singles) reviews.push(review);
  }
  return reviews.sort((left, right) =>
    left.posted < right.posted ? -1 : left.posted > right.posted ? 1 : 0,
  );
}

function ambiguous(random: Random): string {
  return `${AMBIGUOUS_HOUR}:${twoDigits(random.below(60))}:${twoDigits(random.below(60))}`;
}

function plainTime(random: Random): string {
  const ms = FIRST_DAY_MS + random.below(DAYS) * 86_400_000 + random.below(86_400) * 1_000;
  const text = new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
  const hour = text.slice(0, 13);
  if (hour !== AMBIGUOUS_HOUR && !SKIPPED_HOURS.includes(hour)) return text;
  return `${text.slice(0, 11)}03${text.slice(13)}`;
}

function body(random: Random, link: string | null): string {
  const sentences: string[] = random.shuffle(SENTENCES).slice(0, 1 + random.below(3));
  if (link !== null) sentences.push(`See ${link} for a picture.`);
  return sentences.join(random.unit() < 0.3 ? '\n' : ' ');
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}
