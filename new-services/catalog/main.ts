/** The catalog service as a process: `node new-services/catalog/main.ts --port 4001 --db FILE`. */
import { runService } from '../chassis/run.ts';
import { catalogPlan } from './plan.ts';

const { OAK_ADMIN = 'admin@old-oak.example:oak-1' } = process.env;
await runService(catalogPlan(OAK_ADMIN), import.meta.dirname, 4001);
