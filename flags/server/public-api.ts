import { Router } from 'express';
import { VERSION } from './admin/fixed.ts';
import { BODY_BYTES_MAX, jsonBody } from './body.ts';
import { openApi } from './openapi.ts';
import type { TokenRow } from './store.ts';
import type { Tokens } from './tokens.ts';
import { bodyOf, list, need, string } from './validate.ts';

const DOCUMENT = openApi(VERSION);

/** What is answered without a token: health, what the API is, and whether tokens that one holds are valid. */
export function createPublicApi(tokens: Pick<Tokens, 'find'>): Router {
  const router = Router();
  router.get(['/health', '/ready'], (_request, response) => {
    response.json({ health: 'GOOD' });
  });
  router.get('/docs/openapi.json', (_request, response) => {
    response.json(DOCUMENT);
  });
  router.post('/edge/validate', jsonBody(BODY_BYTES_MAX), (request, response) => {
    const secrets = need(bodyOf(request.body), '/body', 'tokens', list(string));
    const valid = secrets.flatMap((secret) => {
      const token = tokens.find(secret);
      return token === null ? [] : [validated(secret, token)];
    });
    response.json({ tokens: valid });
  });
  return router;
}

function validated(token: string, { type, project, environment }: TokenRow) {
  return { token, type, projects: [project], environment };
}
