import type { Database } from 'better-sqlite3';
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type Response,
  type Router,
} from 'express';
import { type Answerer, createAnswerer } from './answer.ts';
import { type Applier, openApplier, type SyncedTable, SyncRefused } from './applier.ts';
import type { Clock } from './clock.ts';
import type { Exposures } from './exposures.ts';
import { createOutage, type Outage } from './outage.ts';
import type { Bug, Decoy, Switches } from './switches.ts';
import { countOf, membersOf, parseBatch, parseChunk, textOf, WireFault } from './wire.ts';

export interface ServiceDeps {
  readonly name: string;
  readonly build: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly switches: Switches;
  readonly exposures: Exposures;
  /** Sixteen random hex digits. */
  readonly newRid: () => string;
  /** `http://127.0.0.1:<own port>`. */
  readonly origin: () => string;
  /** Monotonic milliseconds. */
  readonly monotonicMs: () => number;
  readonly draining: () => boolean;
}

/** What the routes of a service are written with. */
export interface Kit extends ServiceDeps {
  readonly answer: Answerer;
  bug(id: Bug): boolean;
  decoy(id: Decoy): boolean;
}

/** One service: what it mirrors and what it answers. */
export interface ServicePlan {
  readonly name: string;
  readonly tables: readonly SyncedTable[];
  /** Whether B28, the outage under load, is a fault of this service. */
  readonly outage: boolean;
  addRoutes(router: Router, kit: Kit): void;
  /** Work to do now and then, or null. */
  housekeeping(kit: Kit): { readonly everyMs: number; run(): void } | null;
}

export interface Service {
  readonly app: Express;
  readonly kit: Kit;
}

const SYNC_BYTES_MAX = 4_194_304;
const OUTAGE_REQUESTS = 5_000;
const OUTAGE_SECONDS = 2;

/** A service as an Express application over its own database, whose tables are created when they are missing. */
export function createService(plan: ServicePlan, deps: ServiceDeps): Service {
  const { db, switches, exposures, newRid, build, name } = deps;
  const kit: Kit = {
    ...deps,
    answer: createAnswerer({ switches, exposures, newRid }),
    bug: (id) => switches.bugs.has(id),
    decoy: (id) => switches.decoys.has(id),
  };
  const applier = openApplier(db, plan.tables);
  const app = express();
  app.disable('x-powered-by');
  app.use((_req, res, next) => {
    res.set('X-Oak-Build', build);
    // A client with a kept connection must come back to the process that replaces this one.
    if (deps.draining()) res.set('Connection', 'close');
    next();
  });
  app.get('/healthz', (_req, res) => {
    const { complete, applied_to } = applier.cursor();
    res.json({ name, build, appliedTo: complete ? applied_to : null });
  });
  addSync(app, applier);
  addOutage(app, plan, kit);
  app.use((req, res, next) => {
    // Half a copy would answer with errors that look like facts.
    if (applier.cursor().complete) next();
    else kit.answer.json(req, res, 503, { error: 'not filled yet' });
  });
  plan.addRoutes(app, kit);
  app.use((req, res) => kit.answer.json(req, res, 404, { error: 'not found' }));
  app.use(errorAnswer);
  return { app, kit };
}

function addSync(app: Express, applier: Applier): void {
  app.use('/internal', express.json({ limit: SYNC_BYTES_MAX }));
  app.get('/internal/cursor', (_req, res) => void res.json(applier.cursor()));
  app.post('/internal/begin', (req, res) => {
    const body = membersOf(req.body);
    const { rebuild } = body;
    res.json(applier.begin(textOf(body, 'source'), rebuild === true));
  });
  app.post('/internal/rows', (req, res) => void res.json(applier.rows(parseChunk(req.body))));
  app.post('/internal/finish', (req, res) => {
    const body = membersOf(req.body);
    res.json(applier.finish(textOf(body, 'source'), countOf(body, 'from')));
  });
  app.post('/internal/apply', (req, res) => void res.json(applier.apply(parseBatch(req.body))));
}

/** Requests with the mark of a copy neither count nor suffer, so that a recovery can be proven by copies. */
function addOutage(app: Express, plan: ServicePlan, kit: Kit): void {
  const parameters = plan.outage ? kit.switches.bugs.get('B28') : undefined;
  if (parameters === undefined) return;
  const [requests = OUTAGE_REQUESTS, seconds = OUTAGE_SECONDS] = parameters;
  const outage: Outage = createOutage(requests, seconds * 1_000, kit.monotonicMs);
  app.use((req: Request, res: Response, next) => {
    if (req.get('Fig-Shadow') !== undefined || !outage.refuses()) return next();
    kit.exposures.count('B28');
    kit.answer.json(req, res, 503, { error: 'service unavailable' });
  });
}

const errorAnswer: ErrorRequestHandler = (error: unknown, _req, res, next) => {
  if (res.headersSent) return next(error);
  if (error instanceof SyncRefused) res.status(409).json({ error: error.message });
  else if (error instanceof WireFault) res.status(400).json({ error: error.message });
  else if (isClientFault(error)) res.status(400).json({ error: 'bad request' });
  else res.status(500).json({ error: 'internal error' });
};

function isClientFault(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('status' in error)) return false;
  return typeof error.status === 'number' && error.status >= 400 && error.status < 500;
}
