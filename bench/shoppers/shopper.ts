import { type Catalogue, PER_PAGE } from './catalogue.ts';
import type { Incoming, Outgoing } from './client.ts';
import { createRandom, type Random } from './random.ts';
import type { Kind } from './schedule.ts';

/** A step as a request: its label for counting, and the one status it must get. */
export interface Step {
  readonly route: string;
  readonly expected: number;
  readonly outgoing: Outgoing;
}

/** One visitor with cookies and a memory of the last answers. */
export interface Shopper {
  /** Whether it has been handed a session; before that its first request is `opening()`. */
  opened(): boolean;
  opening(): Step;
  step(kind: Kind, draw: number): Step;
  /** Takes what an answer says: cookies, form tokens, the next page of reviews. */
  learn(kind: Kind | 'opening', answer: Incoming): void;
}

const COOKIES_MAX = 20;
const FIRST_USER = 8;
const USERS = 600;
const MISSING_IDS_FROM = 90_000_000;
const TAGS = ['sale', 'new', 'eco', 'gift'] as const;
const SORTS = ['', '', '&sort=price', '&sort=-price'] as const;

/** `number` is the shopper's own, from 0; it decides which account it logs in with. */
export function createShopper(number: number, origin: string, catalogue: Catalogue): Shopper {
  const cookies = new Map<string, string>();
  let csrf = '';
  let reading: { readonly id: string; readonly next: string } | null = null;
  let viewing = '';

  function headers(): Record<string, string> {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    return cookie === '' ? {} : { Cookie: cookie };
  }

  function get(route: string, path: string, expected = 200, more: Record<string, string> = {}): Step {
    return {
      route: `GET ${route}`,
      expected,
      outgoing: { method: 'GET', path, headers: { ...headers(), ...more }, body: null },
    };
  }

  function post(route: string, path: string, fields: Record<string, string>): Step {
    const form = { 'Content-Type': 'application/x-www-form-urlencoded', ...headers() };
    const body = new URLSearchParams({ csrf, ...fields }).toString();
    return { route: `POST ${route}`, expected: 302, outgoing: { method: 'POST', path, headers: form, body } };
  }

  function list(random: Random): Step {
    const sort = random.pick(SORTS);
    const category = random.unit() < 0.5 ? `&category=${catalogue.category(random)}` : '';
    const page = 1 + random.below(category === '' ? catalogue.pages : 5);
    return get('/api/v1/products', `/api/v1/products?page=${page}&per_page=${PER_PAGE}${category}${sort}`);
  }

  function reviews(random: Random): Step {
    const id = reading?.id ?? catalogue.popular(random).id;
    const after = reading === null ? '' : `?after=${encodeURIComponent(reading.next)}`;
    reading = { id, next: '' };
    return get('/api/v1/products/:id/reviews', `/api/v1/products/${id}/reviews${after}`);
  }

  function search(random: Random): Step {
    const tag = random.unit() < 0.3 ? `&tag=${random.pick(TAGS)}` : '';
    const format = random.unit() < 0.5 ? '&format=json' : '';
    return get('/search', `/search?q=${encodeURIComponent(catalogue.word(random))}${tag}${format}`);
  }

  function page(random: Random, unread: boolean): Step {
    const { id, slug } = unread ? catalogue.unread(random) : catalogue.popular(random);
    if (unread) viewing = `/p/${id}-${slug}`;
    return get('/p/:ref', `/p/${id}-${slug}`);
  }

  function suggest(random: Random): Step {
    const letters = [...catalogue.word(random)].slice(0, 1 + random.below(3)).join('');
    return get('/api/v1/suggest', `/api/v1/suggest?q=${encodeURIComponent(letters)}`);
  }

  function product(version: 'v1' | 'v2', id: string): Step {
    return get(`/api/${version}/products/:id`, `/api/${version}/products/${id}`);
  }

  function head(id: string): Step {
    const step = product('v1', id);
    return { ...step, route: 'HEAD /api/v1/products/:id', outgoing: { ...step.outgoing, method: 'HEAD' } };
  }

  function login(): Step {
    const user = FIRST_USER + (number % (USERS - FIRST_USER));
    return post('/login', '/login', { email: `user${user}@old-oak.example`, password: `oak-${user}` });
  }

  const steps: Readonly<Record<Kind, (random: Random) => Step>> = {
    list,
    'list-ties': (random) => get('/api/v1/products', `/api/v1/products?page=${catalogue.tiesPage(random)}`),
    product: (random) => product('v1', catalogue.popular(random).id),
    'product-missing': (random) => product('v1', String(MISSING_IDS_FROM + random.below(1_000_000))),
    'product-v2': (random) => product('v2', catalogue.popular(random).id),
    'product-v2-large': (random) => product('v2', catalogue.large(random).id),
    'product-head': (random) => head(catalogue.popular(random).id),
    reviews,
    search,
    suggest,
    home: () => get('/', '/'),
    category: (random) => get('/c/:category', `/c/${catalogue.category(random)}?page=${1 + random.below(5)}`),
    page: (random) => page(random, false),
    'old-address': (random) => get('/product.php', `/product.php?id=${catalogue.popular(random).id}`, 301),
    'cart-add': (random) =>
      get('/cart/add', `/cart/add?sku=${catalogue.popular(random).sku}&qty=1`, 302, {
        Referer: `${origin}/`,
      }),
    'login-form': () => get('/login', '/login'),
    login,
    'page-unread': (random) => page(random, true),
    'post-review': () =>
      post('/p/:ref/reviews', `${viewing}/reviews`, {
        stars: '5',
        title: 'Lovely',
        body: 'Would <b>buy</b> again.',
      }),
  };

  function learn(kind: Kind | 'opening', { setCookies, text }: Incoming): void {
    for (const line of setCookies) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split('=');
      if (cookies.has(name) || cookies.size < COOKIES_MAX) cookies.set(name, value);
    }
    if (kind === 'login-form' || kind === 'page-unread') {
      csrf = /name="csrf" value="([0-9a-f]+)"/.exec(text)?.[1] ?? '';
    }
    if (kind === 'reviews') {
      const next = /"next":"([^"]+)"/.exec(text)?.[1];
      reading = next === undefined || reading === null ? null : { id: reading.id, next };
    }
  }

  return {
    opened: () => cookies.has('OAKSESS'),
    opening: () => get('/', '/'),
    step: (kind, draw) => steps[kind](createRandom(draw)),
    learn,
  };
}
