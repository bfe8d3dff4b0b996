import { expect, test } from 'vitest';
import { BODY, below, HEADERS, type Trail, templateOf } from '../../router/core/compare/trail.ts';
import { parsePattern } from '../../router/core/match.ts';
import { masked } from '../../router/shadow/detectors.ts';
import { createRedactor, showsBelow } from '../../router/shadow/redact.ts';

const redactor = createRedactor(Buffer.alloc(32, 7));
const ASKED = { fields: [], hasBody: false, bytes: 1 };

const body = (...keys: (string | number)[]) => keys.reduce<Trail>(below, BODY);

function redacted(trail: Trail, text: string, shows: readonly string[] = [], template = templateOf(trail)) {
  const sample = { type: 'string', text, length: text.length } as const;
  const difference = { trail, kind: 'value', detail: null, severity: 'medium', rule: null } as const;
  return redactor.difference(
    { ...difference, legacy: sample, service: { ...sample, text: `${text}!` } },
    template,
    showsBelow(shows),
  );
}

test.each<[what: string, text: string, shown: string]>([
  ['an e-mail address', 'to ana.b+c@example.org now', 'to <email> now'],
  ['an e-mail address in a URL', 'u=ana%40example.org', 'u=<email>'],
  ['a card number', 'card 4111 1111 1111 1111.', 'card <card>.'],
  ['an IBAN', 'DE89 3704 0044 0532 0130 00', '<iban>'],
  ['a JWT', 'eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl', '<jwt>'],
  ['a bearer token', 'Bearer abcdef0123456789', '<bearer>'],
  ['a phone number', 'call +49 (170) 123-4567', 'call <phone>'],
  ['a phone number without a prefix', 'call 555-123-4567', 'call <phone>'],
])('%s is masked even where values are shown', (_what, text, shown) => {
  expect(masked(text)).toBe(shown);
});

test.each([
  '4111111111111112',
  '19.90',
  '2026-01-01T00:00:00Z',
  'GB00 WEST 1234 5698 7654 AB',
  'Oak table, 2 m',
])('%s is nothing of the kind', (text) => {
  expect(masked(text)).toBe(text);
});

test('a value is shown only below a path that says so, and clipped', () => {
  expect(redacted(body('price'), '19.90').legacy).not.toHaveProperty('value');
  const shows = ['/body/items/*/price'];
  expect(redacted(body('items', 3, 'price'), '19.90', shows)).toMatchObject({
    legacy: { value: '19.90' },
    service: { value: '19.90!' },
  });
  expect(redacted(body('items', 3, 'name'), 'Oak', shows).legacy).not.toHaveProperty('value');
  expect(redacted(body('text'), 'long '.repeat(100), ['/body/text']).legacy?.value).toHaveLength(200);
});

test('a scalar without a name above it stays a digest, whatever may be shown', () => {
  for (const trail of [BODY, body(0), body('17', 2)])
    expect(redacted(trail, 'Oak', ['/body', '/body/**']).legacy).not.toHaveProperty('value');
});

test.each([
  below(HEADERS, 'authorization'),
  below(below(HEADERS, 'set-cookie'), 'sid'),
  below(HEADERS, 'x-api-key'),
  below(HEADERS, 'x-session-id'),
  body('user', 'accessToken'),
  body('clientSecret', 0),
])('what is secret by its name leaves not even a digest', (trail) => {
  expect(redacted(trail, 'value', ['/body/**', '/headers/**']).legacy).toEqual({ type: 'string', length: 0 });
});

test('a key of a dictionary is a digest, also where it looks like a name', () => {
  expect(redacted(body('users', 'ana', 'age'), '7').path).toBe('/body/users/ana/age');
  expect(redacted(body('users', 'ana', 'age'), '7', [], '/body/users/*/age').path).toMatch(
    /^\/body\/users\/#[0-9a-f]{8}\/age$/,
  );
});

test.each(['ana@example.org', '4f1c', '2026-01-01', 'two words', 'tok_0123456789abcdef', '', 'x'.repeat(65)])(
  'the key %j is written as a digest unless it is a plain name',
  (name) => {
    expect(redactor.nameOf(name)).toMatch(/^#[0-9a-f]{8}$/);
  },
);

test('equal values have equal digests, and another installation has others', () => {
  const digestOf = (text: string, by = redactor) => {
    const sample = { type: 'string', text, length: text.length } as const;
    const trail = body('a');
    const difference = { trail, kind: 'value', detail: null, severity: 'medium', rule: null } as const;
    return by.difference({ ...difference, legacy: sample, service: null }, '/body/a', () => false).legacy
      ?.digest;
  };
  expect(digestOf('x')).toBe(digestOf('x'));
  expect(digestOf('x')).not.toBe(digestOf('y'));
  expect(digestOf('x', createRedactor(Buffer.alloc(32, 8)))).not.toBe(digestOf('x'));
});

test('of a request the route, short numbers and names are shown, all else is a placeholder', () => {
  const pattern = parsePattern('/api/users/:user/orders/:order/*') ?? [];
  const target = '/api/users/ana/orders/17/x/y?page=2&e%6Dail=a%40b.c&4111111111111111=1';
  const { target: shown } = redactor.request('GET', target, pattern, ASKED);
  expect(shown).toMatch(
    /^\/api\/users\/\{user\}\/orders\/17\/\{path6\}\/\{path7\}\?page=\{page\}&email=\{email\}&#[0-9a-f]{8}=\{_[0-9a-f]{8}\}$/,
  );
});
