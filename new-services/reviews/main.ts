/** The reviews service as a process: `node new-services/reviews/main.ts --port 4002 --db FILE`. */
import { runService } from '../chassis/run.ts';
import { REVIEWS_PLAN } from './plan.ts';

await runService(REVIEWS_PLAN, import.meta.dirname, 4002);
