import express, { type ErrorRequestHandler, type Express, type Response } from 'express';
import type { Log } from '../../router/core/ports.ts';
import { type AdminApiDeps, createAdminApi } from './admin-api.ts';
import { clientFault } from './body.ts';
import { type ClientApiDeps, createClientApi } from './client-api.ts';
import type { Ids } from './ids.ts';
import { badRule, Problem } from './problem.ts';
import { createPublicApi } from './public-api.ts';

export interface HttpAppDeps extends ClientApiDeps, AdminApiDeps {
  readonly log: Log;
  readonly ids: Ids;
}

/** Everything that the server answers over HTTP. */
export function createHttpApp(deps: HttpAppDeps): Express {
  const { tokens, log, ids } = deps;
  const app = express();
  app.disable('x-powered-by');
  app.use(createPublicApi(tokens));
  app.use('/api/client', createClientApi(deps));
  app.use('/api/admin', createAdminApi(deps));
  app.use((request) => {
    throw new Problem('NotFoundError', `The path ${request.path} does not exist.`);
  });
  app.use(createErrorHandler(log, ids));
  return app;
}

function createErrorHandler(log: Log, ids: Ids): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error);
    } else if (error instanceof Problem) {
      answer(response, error, ids);
    } else if (clientFault(error) === 413) {
      response.status(413).json({ message: 'request entity too large' });
    } else if (clientFault(error) !== null) {
      const why =
        error instanceof URIError ? 'the path cannot be read' : 'the body is not JSON that can be read';
      answer(response, badRule(why), ids);
    } else {
      log.error('flags.request-failed', { method: request.method, error: String(error) });
      response.status(500).json({ name: 'InternalError', message: 'the flag server failed', details: [] });
    }
  };
}

function answer(response: Response, problem: Problem, ids: Ids): void {
  // As in Unleash: a fault that the schema found, with its path, carries an id; a rule's refusal does not.
  const fromSchema = problem.body.details.some(({ path }) => path !== undefined);
  const body = fromSchema ? { id: ids.uuid(), ...problem.body } : problem.body;
  response.status(problem.status).json(body);
}
