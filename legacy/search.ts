import type { Request, Response, Router } from 'express';
import { sendHtml, sendJson } from './answer.ts';
import type { Clock } from './clock.ts';
import { escapeHtml, page } from './html.ts';
import { moneyText } from './money.ts';
import type { Product, Products } from './products.ts';
import { lastOf } from './query.ts';

const FOUND_MAX = 50;
const SUGGESTED_MAX = 10;
const CACHE_MS = 60_000;

export interface SearchDeps {
  readonly products: Products;
  readonly clock: Clock;
}

/** GET /search in HTML or JSON, and the suggestions of the search box. */
export function addSearch(router: Router, { products, clock }: SearchDeps) {
  const suggest = createSuggest(products, clock);
  router.get('/search', (req, res) => search(req, res, products));
  router.get('/api/v1/suggest', (req, res) => {
    const hits = suggest(lastOf(req, 'q') ?? '');
    sendJson(req, res, 200, hits);
  });
}

/** `%` and `_` of the visitor reach LIKE as they are; an empty text finds everything. */
function search(req: Request, res: Response, products: Products) {
  const text = lastOf(req, 'q') ?? '';
  const found = products.search(text, lastOf(req, 'tag') ?? '', FOUND_MAX);
  if (lastOf(req, 'format') === 'json') return sendJson(req, res, 200, found.map(hit));
  const items = found.map(
    (product) =>
      `<li><a href="/p/${product.id}-${product.slug}">${escapeHtml(product.name)}</a> &pound;${moneyText(product.price_pence)}</li>`,
  );
  sendHtml(
    req,
    res,
    200,
    page(`Search: ${text}`, `<h2>${found.length} found</h2>\n<ul>\n${items.join('\n')}\n</ul>`),
  );
}

function hit(product: Product) {
  return {
    id: BigInt(product.id),
    sku: product.sku,
    name: product.name,
    price: moneyText(product.price_pence),
    category: product.category,
  };
}

type Suggestion = { readonly q: string; readonly hits: number };

/** Words of product names that start with a text, the most frequent first. The word list is a minute old at most. */
function createSuggest(products: Products, clock: Clock): (text: string) => readonly Suggestion[] {
  let words: readonly Suggestion[] = [];
  let readAtMs = Number.NEGATIVE_INFINITY;
  return (text) => {
    if (clock.nowMs() - readAtMs >= CACHE_MS) {
      words = countWords(products.names());
      readAtMs = clock.nowMs();
    }
    const start = text.trim().toLowerCase();
    if (start === '') return [];
    return words.filter(({ q }) => q.startsWith(start)).slice(0, SUGGESTED_MAX);
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
