import type { Request, Response, Router } from 'express';
import { idOf, lastOf } from '../chassis/query.ts';
import type { Kit } from '../chassis/service.ts';
import { escapeHtml, NOT_FOUND_PAGE, page } from './html.ts';
import { moneyText } from './product-api.ts';
import type { ReadModel } from './read-model.ts';

const FOUND_MAX = 50;
const SUGGESTED_MAX = 10;
const CACHE_MS = 60_000;

/** Search, suggestions and the old product address, as legacy answers them. */
export function addSearch(router: Router, kit: Kit, model: ReadModel): void {
  const suggest = createSuggest(model, kit.monotonicMs);
  router.get('/search', (req, res) => search(req, res, kit, model));
  router.get('/api/v1/suggest', (req, res) =>
    kit.answer.json(req, res, 200, suggest(lastOf(req, 'q') ?? '')),
  );
  router.get('/product.php', (req, res) => oldAddress(req, res, kit, model));
}

function search(req: Request, res: Response, kit: Kit, model: ReadModel) {
  const text = lastOf(req, 'q') ?? '';
  const found = model.search(text, lastOf(req, 'tag') ?? '', FOUND_MAX);
  if (lastOf(req, 'format') === 'json') {
    const hits = found.map(({ id, sku, name, price_pence, category }) => {
      return { id: BigInt(id), sku, name, price: moneyText(price_pence), category };
    });
    return kit.answer.json(req, res, 200, hits);
  }
  const items = found.map(
    ({ id, slug, name, price_pence }) =>
      `<li><a href="/p/${id}-${slug}">${escapeHtml(name)}</a> &pound;${moneyText(price_pence)}</li>`,
  );
  const main = `<h2>${found.length} found</h2>\n<ul>\n${items.join('\n')}\n</ul>`;
  kit.answer.html(req, res, 200, page(`Search: ${text}`, main));
}

interface Suggestion {
  readonly [name: string]: string | number;
  readonly q: string;
  readonly hits: number;
}

/** Words that start with a text, the most frequent first; the list of words is a minute old at most. */
function createSuggest(model: ReadModel, nowMs: () => number): (text: string) => readonly Suggestion[] {
  let words: readonly Suggestion[] = [];
  let readAtMs = Number.NEGATIVE_INFINITY;
  return (text) => {
    if (nowMs() - readAtMs >= CACHE_MS) {
      words = countWords(model.names());
      readAtMs = nowMs();
    }
    const start = text.trim().toLowerCase();
    return start === '' ? [] : words.filter(({ q }) => q.startsWith(start)).slice(0, SUGGESTED_MAX);
  };
}

function countWords(names: readonly string[]): readonly Suggestion[] {
  const counts = new Map<string, number>();
  for (const name of names) {
    for (const word of new Set(name.toLowerCase().split(' '))) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts]
    .map(([q, hits]) => ({ q, hits }))
    .sort((left, right) => right.hits - left.hits || (left.q < right.q ? -1 : 1));
}

function oldAddress(req: Request, res: Response, kit: Kit, model: ReadModel) {
  const id = idOf(lastOf(req, 'id'));
  const product = id === null ? undefined : model.find(id, false);
  if (product === undefined) return kit.answer.html(req, res, 404, NOT_FOUND_PAGE);
  if (kit.bug('B08')) kit.exposures.count('B08');
  const origin = kit.bug('B08') ? 'http://catalog:4001' : kit.origin();
  kit.answer.redirect(res, 301, `${origin}/p/${product.id}-${product.slug}`);
}
