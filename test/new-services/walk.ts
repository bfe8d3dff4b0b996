import { ask } from '../legacy/ask.ts';
import type { OpenShop } from '../legacy/open-shop.ts';

/** Many catalog and search requests of every shape: all list pages, many products, odd parameters. */
export function catalogPaths(legacy: OpenShop): readonly string[] {
  const ids = legacy.db
    .prepare<[], { id: string }>(
      'SELECT CAST(id AS TEXT) AS id FROM products WHERE id % 60 = 0 OR id > 9007199254740992 OR deleted_at IS NOT NULL',
    )
    .all()
    .map(({ id }) => id);
  const pages = Array.from({ length: 24 }, (_, index) => `/api/v1/products?per_page=100&page=${index + 1}`);
  const lists = ['category=tables', 'category=rugs&page=2', 'sort=price&page=3', 'sort=-price', 'sort=odd'];
  const odd = [
    'page=0',
    'page=-1',
    'page=abc',
    'per_page=500',
    'per_page=0',
    'category=nothing',
    'page=999999',
  ];
  const repeated = [
    'category=tables&category=rugs',
    'callback=show&per_page=2',
    'callback=a(b)&per_page=2',
    'x[y]=1',
  ];
  const search = [
    'q=',
    'q=oak',
    'q=helf',
    'q=100%25',
    'q=model_',
    'q=%C3%89lan',
    "q='&tag=eco",
    'q=oak+table&tag=sale&tag=eco',
  ];
  const suggest = ['w', 'WAX', 'ob', '', '%25', '100', '%C3%A9', '+wa'];
  return [
    ...pages,
    ...[...lists, ...odd, ...repeated].map((query) => `/api/v1/products?${query}`),
    ...ids.flatMap((id) => [`/api/v1/products/${id}`, `/api/v2/products/${id}`, `/product.php?id=${id}`]),
    ...['99999999', 'abc', '7.json', '99999999999999999999', '0'].flatMap((id) => [
      `/api/v1/products/${id}`,
      `/api/v2/products/${id}`,
    ]),
    '/api/v1/products/12?fields=id,ean,price',
    '/API/V1/Products/12/',
    '/Product.PHP/?id=12&id=14',
    '/product.php',
    ...search.flatMap((query) => [`/search?${query}`, `/search?${query}&format=json`]),
    ...suggest.map((text) => `/api/v1/suggest?q=${text}`),
  ];
}

/** Every page of the reviews of some products, by following legacy's `next`, and some odd requests. */
export async function reviewPaths(legacy: OpenShop): Promise<readonly string[]> {
  const products = legacy.db
    .prepare<[], { id: string }>(
      'SELECT CAST(product_id AS TEXT) AS id FROM reviews GROUP BY product_id HAVING count(*) > 25 OR product_id > 9007199254740992',
    )
    .all();
  const paths = [
    '/api/v1/products/99999999/reviews',
    '/api/v1/products/abc/reviews',
    '/api/v1/products/12/reviews?after=x',
  ];
  for (const { id } of products) {
    let path: string | null = `/api/v1/products/${id}/reviews`;
    while (path !== null) {
      paths.push(path);
      const { next }: { next?: string } = JSON.parse((await ask(legacy.port, path)).text);
      path = next === undefined ? null : `/api/v1/products/${id}/reviews?after=${encodeURIComponent(next)}`;
    }
  }
  return paths;
}
