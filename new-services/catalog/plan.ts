import { timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import type { ServicePlan } from '../chassis/service.ts';
import { addProductApi } from './product-api.ts';
import { CATALOG_TABLES, createReadModel } from './read-model.ts';
import { addSearch } from './search.ts';

/** How often the view counters that the public sees are brought up to date. */
const PUBLISH_MS = 2_000;

/** The catalog: products, search and suggestions, read from a copy of legacy's product tables. */
export function catalogPlan(adminCredentials: string): ServicePlan {
  return {
    name: 'catalog',
    tables: CATALOG_TABLES,
    outage: true,
    addRoutes: (router, kit) => {
      const model = createReadModel(kit.db);
      addProductApi(router, kit, model, (req) => carries(req, adminCredentials));
      addSearch(router, kit, model);
    },
    housekeeping: (kit) => ({ everyMs: PUBLISH_MS, run: createReadModel(kit.db).publishViews }),
  };
}

/** Whether a request carries these Basic credentials, `user:password`. */
function carries(req: Request, credentials: string): boolean {
  const encoded = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(req.headers.authorization ?? '')?.[1];
  if (encoded === undefined) return false;
  const given = Buffer.from(encoded, 'base64');
  const wanted = Buffer.from(credentials);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
