import { Router } from 'express';
import { BODY_BYTES_MAX, jsonBody } from './body.ts';
import type { TokenRow } from './store.ts';
import type { Tokens } from './tokens.ts';
import { bodyOf, list, need, string } from './validate.ts';

/** What is answered without a token: health, and whether tokens that one holds are valid. */
export function createPublicApi(tokens: Pick<Tokens, 'find'>): Router {
  const router = Router();
  router.get(['/health', '/ready'], (_request, response) => {
    response.json({ health: 'GOOD' });
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
