import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { adminClient, fig, spawnFig } from '../helpers/fig.ts';
import { readyOf } from '../helpers/fig-process.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { webServer } from '../helpers/world.ts';

/** Each of its own kind, and none of them a word that the product would write by itself. */
const CANARIES = {
  bearer: 'canaryBearer2f7d1c9e0b8a4455',
  jwt: 'eyJjYW5hcnkiOjF9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5',
  cookie: 'canarycookie81726354',
  session: 'canarysession5566778899',
  mail: 'canary.person@example.org',
  card: '4111111111111111',
  iban: 'DE89370400440532013000',
  phone: '+4917012345678',
  path: 'canarypathsegment',
  query: 'canaryqueryvalue55443322',
  header: 'canaryheadervalue',
  text: 'The secret words of canary',
  key: 'tok_canary_99887766554433',
  file: 'canary-tax-return.pdf',
  attribute: 'canaryattributevalue',
  body: 'canaryrequestbody',
} as const;

const {
  bearer,
  jwt,
  cookie,
  session,
  mail,
  card,
  iban,
  phone,
  path,
  query,
  header,
  text,
  key,
  file,
  attribute,
} = CANARIES;

/** What both sides say, never quite the same: `side` is 0 for legacy and 1 for the service. */
const BODIES: Readonly<Record<string, (side: 0 | 1) => readonly [type: string, body: string]>> = {
  json: (side) => [
    'application/json',
    JSON.stringify({
      mail: `${side}${mail}`,
      card: side === 0 ? card : Number(card),
      iban,
      token: `${jwt}${side}`,
      note: `${text} ${side}`,
      list: [`${phone}${side}`, { text }],
      [key]: side,
      [mail]: { [iban]: side, [phone]: side },
      nested: JSON.stringify({ mail, side }),
    }),
  ],
  scalar: (side) => ['application/json', JSON.stringify(`${text} ${side}`)],
  broken: (side) => ['application/json', side === 0 ? JSON.stringify({ mail }) : `{"mail": "${mail}`],
  lines: (side) => ['application/x-ndjson', `{"mail":"${mail}"}\n{"note":"${text} ${side}"}\n`],
  xml: (side) => ['application/xml', `<a b="${attribute}${side}" c='${mail}'><d>${text} ${side}</d></a>`],
  html: (side) => [
    'text/html',
    `<p title="${attribute}${side}">${text} ${side} <a href="mailto:${mail}">x</a></p>`,
  ],
  plain: (side) => ['text/plain', `${text} ${card} ${side}`],
  csv: (side) => ['text/csv', `name,iban\n${text},${iban}${side}\n`],
  events: (side) => ['application/x-events', `id: ${session}\ndata: ${mail} ${side}\n\n`],
  form: (side) => [
    'multipart/form-data; boundary=canaryboundary',
    `--canaryboundary\r\nContent-Disposition: form-data; name="f"; filename="${file}"\r\n\r\n${text} ${side}\r\n--canaryboundary--\r\n`,
  ],
  bytes: (side) => ['application/octet-stream', `\u0000${bearer}${side}`],
  mixed: (side) =>
    side === 0 ? ['application/json', JSON.stringify({ text })] : ['text/html', `<p>${text}</p>`],
};

function answer(side: 0 | 1, request: IncomingMessage, response: ServerResponse): void {
  const kind = new URL(request.url ?? '/', 'http://x').pathname.split('/')[2] ?? '';
  response.setHeader('X-Auth-Token', `${bearer}${side}`);
  response.setHeader('X-Customer', `${header} ${mail} ${side}`);
  response.setHeader('Set-Cookie', [
    `sid=${cookie}; Path=/${path}${side}`,
    `${session}=${session}; HttpOnly${side === 0 ? '; Secure' : ''}`,
  ]);
  response.setHeader('Location', `http://shop.example/${path}?${query}=${query}${side}`);
  response.setHeader('WWW-Authenticate', `Bearer realm="${header}${side}"`);
  response.setHeader('Content-Disposition', `attachment; filename="${file}${side}"`);
  const found = BODIES[kind]?.(side);
  if (found !== undefined) {
    response.setHeader('Content-Type', found[0]);
    const packed = request.url?.includes('packed') === true;
    if (packed) response.setHeader('Content-Encoding', 'gzip');
    response.end(packed ? gzipSync(found[1]) : found[1]);
  } else if (kind === 'same') {
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Set-Cookie', `${session}=${cookie}; HttpOnly`);
    response.end(JSON.stringify({ mail, note: text, [key]: [phone], list: [card, iban] }));
  } else if (kind === 'cut') {
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Content-Length', '5000');
    response.write(JSON.stringify({ mail, text }));
    if (side === 0) response.end('x'.repeat(5000 - JSON.stringify({ mail, text }).length));
    else response.socket?.end();
  } else if (kind === 'huge') {
    response.setHeader('Content-Type', 'text/plain');
    response.end(side === 0 ? text : `${text} `.repeat(100_000));
  } else if (side === 1 && kind === 'dead') request.socket.resetAndDestroy();
  else if (side === 1 && kind === 'odd') request.socket.end(`HTTP/1.1 200 ${text}\r\n${header}\r\n\r\n`);
  else
    response.writeHead(side === 0 ? 200 : 500, { 'Content-Type': 'text/plain' }).end(`at ${text} (${mail})`);
}

/** As it is, and as it would look in a URL, in a JSON text, in base64 or in hex. */
function formsOf(canary: string): readonly string[] {
  return [
    canary,
    canary.toLowerCase(),
    encodeURIComponent(canary),
    Buffer.from(canary).toString('base64').replaceAll('=', '').slice(0, -2),
    Buffer.from(canary).toString('hex'),
  ];
}

function leaks(where: string, content: string): readonly string[] {
  const folded = content.toLowerCase();
  return Object.entries(CANARIES).flatMap(([name, canary]) =>
    formsOf(canary).some((form) => folded.includes(form.toLowerCase())) ? [`${name} in ${where}`] : [],
  );
}

const PATHS = [...Object.keys(BODIES), 'same', 'cut', 'huge', 'dead', 'odd', 'error'];

test('no value of a request or an answer reaches a file, the log, a command or the admin API', {
  timeout: 60_000,
}, async () => {
  const [legacy, service] = await Promise.all([
    webServer((request, response) => answer(0, request, response)),
    webServer((request, response) => answer(1, request, response)),
  ]);
  const folder = temporaryFolder();
  const config = join(folder, 'fig.config.json');
  const owned = {
    owner: 'team',
    reason: 'a test',
    expires: new Date(Date.now() + 864e5).toISOString().slice(0, 10),
  };
  writeFileSync(
    config,
    JSON.stringify({
      data: 'data',
      listen: '127.0.0.1:0',
      admin: '127.0.0.1:0',
      flags: { embedded: { listen: '127.0.0.1:0' } },
      legacy: legacy.origin,
      services: { catalog: service.origin },
      groups: {
        catalog: {
          service: 'catalog',
          routes: ['GET /api/:kind/:id', 'POST /api/:kind/:id'],
          unit: [{ cookie: 'sid' }],
          shadow: { bodyBytesMax: 65_536, timeoutMs: 1_000, perSecondMax: 1_000 },
          compare: {
            rules: [
              { path: '/body/mail', action: 'ignore-value', ...owned },
              { path: '/body/note', action: 'mask', regex: '[01]$', ...owned },
              { path: '/headers/location', action: 'url', ignore: ['fragment'], ...owned },
            ],
          },
        },
      },
    }),
  );
  const child = spawnFig(['up', '--config', config], { env: { FIG_LOG_LEVEL: 'trace' } });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      log += chunk;
    });
  const ready = await readyOf(child);
  const data = join(folder, 'data');
  const admin = adminClient(ready.admin, data);
  await admin.move('catalog', { kind: 'shadow', sample: 100, reason: 'privacy' });

  const ask = (kind: string, method = 'GET') =>
    fetch(
      `${ready.traffic}/api/${kind}/${path}?${query}=${query}&email=${mail}&${key}=1&packed=${kind === 'csv'}`,
      {
        method,
        redirect: 'manual',
        headers: {
          authorization: `Bearer ${bearer}`,
          cookie: `sid=${cookie}; ${session}=${session}`,
          accept: `application/json, text/x-${attribute}`,
          'x-customer': `${header} ${phone}`,
          'x-api-key': jwt,
          referer: `http://shop.example/${path}`,
          'content-type': 'application/json',
        },
        ...(method === 'POST' ? { body: JSON.stringify({ mail, note: CANARIES.body }) } : {}),
      },
    ).then((reply) => reply.arrayBuffer());
  // A busy machine skips some: they are asked again, until every kind of answer was compared and faults were tried.
  let asked = 0;
  const settled = async () => {
    const [group] = (await admin.until(({ groups }) => groups[0]?.comparisons.eligible === asked, 30_000))
      .groups;
    return (group?.comparisons.causes ?? 0) >= 8;
  };
  do {
    for (const kind of PATHS) await ask(kind);
    await ask('json', 'POST');
    asked += PATHS.length + 1;
  } while (!(await settled()) || asked < 3 * PATHS.length);

  const seen: (readonly [where: string, content: string])[] = [];
  const token = readFileSync(join(data, 'admin.token'), 'utf8').trim();
  const get = async (resource: string) => {
    const reply = await fetch(`${ready.admin}${resource}`, { headers: { authorization: `Bearer ${token}` } });
    const content = await reply.text();
    expect(reply.status, content).toBe(200);
    seen.push([resource, content]);
    return content;
  };
  const causes: readonly { readonly id: string }[] = JSON.parse(await get('/api/v1/groups/catalog/causes'))
    .data.causes;
  expect(causes.length).toBeGreaterThan(5);
  for (const resource of [
    'status',
    'groups/catalog',
    'groups/catalog/evidence',
    'groups/catalog/selftest',
    'groups/catalog/rules',
    'ledger',
  ])
    await get(`/api/v1/${resource}`);
  for (const resource of ['/metrics', '/readyz?verbose', '/api/v1/flags', '/api/v1/flags-history'])
    await get(resource);
  const marked = causes[0]?.id ?? '';
  for (const { id } of causes) await get(`/api/v1/groups/catalog/causes/${id}`);
  const commands = [
    ['status'],
    ['status', 'catalog'],
    ['diffs', 'catalog'],
    ['diffs', 'catalog', marked, '--mark', 'bug', '-m', 'is one'],
    ...causes.slice(0, 3).map(({ id }) => ['diffs', 'catalog', id]),
    ['evidence', 'catalog'],
    ['selftest', 'catalog'],
    ['rules', 'list', 'catalog'],
    ['history'],
  ];
  for (const command of commands) {
    const { exit, stdout, stderr } = await fig([...command, '--data', data]);
    expect(exit, stderr).toBe(0);
    seen.push([`fig ${command.join(' ')}`, `${stdout}${stderr}`]);
  }
  // There is something to be found: what these say is about exactly those requests.
  expect(seen.find(([where]) => where === 'fig selftest catalog')?.[1]).toContain('faults found');
  expect(seen.some(([, content]) => content.includes('curl -sS'))).toBe(true);
  expect(seen.find(([where]) => where === 'fig evidence catalog')?.[1]).toContain('GET /api/:kind/:id');

  child.kill('SIGTERM');
  await once(child, 'close');
  seen.push(['the log', log]);
  expect(log).toContain('"cause-read"');
  for (const entry of readdirSync(data, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) seen.push([entry.name, readFileSync(join(entry.parentPath, entry.name), 'latin1')]);
  }
  expect(seen.map(([where]) => where)).toEqual(
    expect.arrayContaining(['fig.db', 'digest.key', 'admin.token']),
  );
  expect(seen.flatMap(([where, content]) => leaks(where, content))).toEqual([]);
});
