import type { Client } from './client.ts';
import { createRandom, type Random } from './random.ts';

interface Item {
  /** Decimal text: a double cannot hold every id. */
  readonly id: string;
  readonly sku: string;
  readonly name: string;
  readonly slug: string;
  readonly category: string;
}

/** What shoppers know about the shop: what its API lists to anybody. */
export interface Catalogue {
  /** A product, the popular ones far more often (Zipf, exponent 1). */
  popular(random: Random): Item;
  /** One of the products that nobody reads and reviews are posted on. */
  unread(random: Random): Item;
  /** A product with an id above 2^53. */
  large(random: Random): Item;
  /** A page, 2 or later, of the list of all products on which equal names stand side by side. */
  tiesPage(random: Random): number;
  category(random: Random): string;
  word(random: Random): string;
  readonly pages: number;
  /** Requests it took to learn all this. */
  readonly requests: number;
}

export const PER_PAGE = 20;
const LEARN_PER_PAGE = 100;
const LEARN_PAGES_MAX = 100;
const UNREAD = 100;
const LARGE_ABOVE = 2n ** 53n;

/** Reads the whole product list through the API. Throws when an answer is not a list of products. */
export async function learnCatalogue(client: Client, seed: number): Promise<Catalogue> {
  const items: Item[] = [];
  let pages = 1;
  for (let page = 1; page <= pages; page += 1) {
    const path = `/api/v1/products?per_page=${LEARN_PER_PAGE}&page=${page}`;
    const { status, text } = await client.send({ method: 'GET', path, headers: {}, body: null });
    if (status !== 200) throw new Error(`cannot learn the catalogue: ${path} was answered ${status}`);
    const answer = parseList(text);
    pages = Math.min(answer.pages, LEARN_PAGES_MAX);
    items.push(...answer.items);
  }
  return createCatalogue(items, seed, pages);
}

/** A catalogue from items in list order. Throws RangeError when the shop lacks what the mix needs. */
function createCatalogue(items: readonly Item[], seed: number, requests: number): Catalogue {
  const ranked = createRandom(seed).shuffle(items);
  const read = ranked.slice(0, -UNREAD);
  const unread = ranked.slice(-UNREAD);
  const large = items.filter(({ id }) => BigInt(id) > LARGE_ABOVE);
  const ties = tiesPages(items);
  const categories = [...new Set(items.map(({ category }) => category))];
  const words = [...new Set(items.flatMap(({ name }) => name.split(' ')))];
  const lists = { read, unread, large, ties, categories, words };
  for (const [name, list] of Object.entries(lists)) {
    if (list.length === 0) throw new RangeError(`the shop at the target has no products for: ${name}`);
  }
  const sums = zipfSums(read.length);
  const at = <T>(list: readonly T[], index: number): T => {
    const item = list[index];
    if (item === undefined) throw new RangeError(`no item ${index} of ${list.length}`);
    return item;
  };
  return {
    popular: (random) => at(read, rankOf(sums, random.unit())),
    unread: (random) => at(unread, random.below(unread.length)),
    large: (random) => at(large, random.below(large.length)),
    tiesPage: (random) => at(ties, random.below(ties.length)),
    category: (random) => at(categories, random.below(categories.length)),
    word: (random) => at(words, random.below(words.length)),
    pages: Math.ceil(items.length / PER_PAGE),
    requests,
  };
}

function tiesPages(items: readonly Item[]): readonly number[] {
  const pages = new Set<number>();
  for (const [index, { name }] of items.entries()) {
    const page = Math.floor(index / PER_PAGE) + 1;
    if (page > 1 && index % PER_PAGE > 0 && items[index - 1]?.name === name) pages.add(page);
  }
  return [...pages];
}

function zipfSums(count: number): readonly number[] {
  let sum = 0;
  return Array.from({ length: count }, (_, rank) => {
    sum += 1 / (rank + 1);
    return sum;
  });
}

/** The first rank whose cumulated weight lies above a point, 0 <= point < 1 of the whole. */
function rankOf(sums: readonly number[], point: number): number {
  const wanted = point * (sums.at(-1) ?? 0);
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] ?? 0) > wanted) high = middle;
    else low = middle + 1;
  }
  return low;
}

function parseList(text: string): { readonly pages: number; readonly items: readonly Item[] } {
  // Quoted before parsing, or ids above 2^53 would be rounded.
  const answer: unknown = JSON.parse(text.replaceAll(/"id":(\d+)/g, '"id":"$1"'));
  if (typeof answer === 'object' && answer !== null && 'products' in answer && 'pages' in answer) {
    const { pages, products } = answer;
    if (typeof pages === 'number' && Array.isArray(products)) return { pages, items: products.map(itemOf) };
  }
  throw new Error('the answer of the product list has no products and pages');
}

function itemOf(value: unknown): Item {
  const members = new Map(Object.entries(typeof value === 'object' && value !== null ? value : {}));
  const text = (name: string): string => {
    const member: unknown = members.get(name);
    if (typeof member !== 'string') throw new Error(`a listed product has no ${name}`);
    return member;
  };
  return {
    id: text('id'),
    sku: text('sku'),
    name: text('name'),
    slug: text('slug'),
    category: text('category'),
  };
}
