import { defineConfig } from 'strangler-fig/config';

/** The Old Oak shop behind the router. `demo/story.ts` says where its parts listen. */
const {
  OAK_LEGACY = 'http://127.0.0.1:3000',
  OAK_CATALOG = 'http://127.0.0.1:4001',
  OAK_REVIEWS = 'http://127.0.0.1:4002',
} = process.env;

const DAY_MS = 86_400_000;
/** Rules are looked at again after a month. */
const expires = new Date(Date.now() + 30 * DAY_MS).toISOString().slice(0, 10);
const owner = 'team-catalog';

const unit = [{ cookie: 'OAKSESS' }];
const shadow = { perSecondMax: 500, inFlightMax: 16 };
const build = { header: 'x-oak-build' };

export default defineConfig({
  legacy: { url: OAK_LEGACY, rewrite: { location: { [OAK_LEGACY]: 'public' } } },
  services: {
    catalog: { url: OAK_CATALOG, build, rewrite: { location: { [OAK_CATALOG]: 'public' } } },
    reviews: { url: OAK_REVIEWS, build, rewrite: { location: { [OAK_REVIEWS]: 'public' } } },
  },
  groups: {
    catalog: {
      service: 'catalog',
      unit,
      shadow,
      routes: [
        'GET /product.php',
        'GET /api/v1/products',
        'GET /api/v1/products/:id',
        'GET /api/v2/products/:id',
      ],
      compare: {
        rules: [
          { path: '/body/rid', action: 'ignore-value', owner, reason: 'random request id', expires },
          {
            path: '/body/product/also_like/*',
            action: 'ignore-value',
            owner,
            reason: 'drawn at random on each side',
            expires,
          },
          {
            path: '/body/product/views',
            action: 'ignore-value',
            owner,
            reason: 'a live counter, copied with a delay',
            expires,
          },
        ],
      },
    },
    search: {
      service: 'catalog',
      unit,
      shadow,
      routes: ['GET /search', 'GET /api/v1/suggest'],
      compare: {
        rules: [{ path: '/body/rid', action: 'ignore-value', owner, reason: 'random request id', expires }],
      },
    },
    reviews: {
      service: 'reviews',
      unit,
      shadow,
      routes: ['GET /api/v1/products/:id/reviews'],
      compare: {
        rules: [
          {
            path: '/body/rid',
            action: 'ignore-value',
            owner: 'team-reviews',
            reason: 'random request id',
            expires,
          },
          {
            path: '/body/as_of',
            action: 'timestamp',
            pattern: 'DD/MM/YYYY HH:mm:ss.ffffff',
            zone: 'Europe/London',
            toleranceMs: 60_000,
            owner: 'team-reviews',
            reason: 'each side reads its own clock',
            expires,
          },
        ],
      },
    },
  },
});
