import { createToken, deleteToken, tokenOut, updateToken } from '../change/token.ts';
import { parseExpiry, parseToken } from '../parse/token.ts';
import type { TokenRow } from '../store.ts';
import type { Streams } from '../stream.ts';
import type { Tokens } from '../tokens.ts';
import { bodyOf } from '../validate.ts';
import { type Admin, jsonOf } from './routes.ts';

/** Tokens of SDKs. */
export function addTokens(
  { at, store, rules, change }: Admin,
  tokens: Tokens,
  streams: Pick<Streams, 'closeOf'>,
): void {
  const listed = () =>
    store
      .tokens()
      .toSorted((a, b) => Number(a.type === 'admin') - Number(b.type === 'admin'))
      .map(tokenOut);

  at.get('/api-tokens', (_request, response) => {
    response.json({ tokens: listed() });
  });
  at.get('/api-tokens/:name', (request, response) => {
    const { name } = request.params;
    response.json({ tokens: listed().filter(({ tokenName }) => tokenName === name) });
  });
  at.post('/api-tokens', (request, response) => {
    const wanted = parseToken(bodyOf(jsonOf(request)));
    const token = change(response, (changes) => createToken(changes, wanted, rules));
    tokens.refresh();
    response.status(201).location('api-tokens').json(token);
  });
  at.put('/api-tokens/:secret', (request, response) => {
    const { secret } = request.params;
    const expiresAt = parseExpiry(bodyOf(jsonOf(request)));
    ended(change(response, (changes) => updateToken(changes, secret, expiresAt)));
    response.status(200).end();
  });
  at.delete('/api-tokens/:secret', (request, response) => {
    const { secret } = request.params;
    ended(change(response, (changes) => deleteToken(changes, secret)));
    response.status(200).end();
  });

  /** Streams hold the token that they were opened with: whoever may comes back with the new one. */
  function ended(token: TokenRow | null): void {
    tokens.refresh();
    if (token !== null) streams.closeOf(token.hash);
  }
}
