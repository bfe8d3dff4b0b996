import { describe, expect, test } from 'vitest';
import { startFigProxy } from '../helpers/fig.ts';
import { type Answer, parseAnswers, rawClient, values } from '../helpers/raw-http.ts';
import { ok, type RawUpstream, rawUpstream, type Script } from '../helpers/upstream.ts';

/** Fields that belong to one hop, and those a proxy or a clock adds. */
const OF_THE_HOP = new Set([
  ...['connection', 'keep-alive', 'transfer-encoding', 'trailer', 'via', 'date', 'x-request-id'],
]);
const EVERY_BYTE = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));

interface Conversation {
  readonly send: string;
  /** Of the requests in `send`. */
  readonly methods: readonly string[];
  readonly answer: Script;
}

async function pair(script: Script, at: 'head' | 'whole' = 'whole') {
  const upstream = await rawUpstream(script, at);
  return { upstream, proxy: await startFigProxy(upstream.origin) };
}

/** Says everything at once; resolves with the answers when all are complete or the connection is closed. */
async function talk(port: number, { send, methods }: Omit<Conversation, 'answer'>) {
  const client = rawClient(port);
  client.send(send);
  await Promise.race([client.until((text) => isWhole(text, methods)).catch(() => ''), client.closed()]);
  return parseAnswers(client.text(), methods);
}

function isWhole(text: string, methods: readonly string[]): boolean {
  const finals = parseAnswers(text, methods).filter(({ status }) => status >= 200);
  return finals.length === methods.length && finals.every(({ complete }) => complete);
}

/** What must not differ between direct and proxied. */
function seen(answers: readonly Answer[]) {
  return answers.map(({ start, fields, body, trailers }) => ({
    status: start.slice('HTTP/1.1 '.length),
    fields: fields.filter(([name]) => !OF_THE_HOP.has(name)),
    body,
    trailers,
  }));
}

async function bothWays(conversation: Conversation) {
  const { upstream, proxy } = await pair(conversation.answer);
  const direct = await talk(upstream.port, conversation);
  const proxied = await talk(proxy.port, conversation);
  return { upstream, direct, proxied };
}

function get(fields = '', version = '1.1'): Pick<Conversation, 'send' | 'methods'> {
  return { send: `GET /x HTTP/${version}\r\nHost: a\r\n${fields}\r\n`, methods: ['GET'] };
}

function bodyless(method: string): Pick<Conversation, 'send' | 'methods'> {
  return { send: `${method} /x HTTP/1.1\r\nHost: a\r\n\r\n`, methods: [method] };
}

function chunk(data: string): string {
  return `${data.length.toString(16)}\r\n${data}\r\n`;
}

function chunkedOk(chunks: readonly string[], trailers = '', fields = ''): string {
  return `HTTP/1.1 200 OK\r\n${fields}Transfer-Encoding: chunked\r\n\r\n${chunks.map(chunk).join('')}0\r\n${trailers}\r\n`;
}

function closing(bytes: string): Script {
  return ({ socket }) => void socket.end(bytes, 'latin1');
}

describe('what a client sees through the proxy is what it sees directly:', () => {
  const FIELDS =
    'ETag: "1"\r\nSet-Cookie: a=1\r\nX-Empty:\r\nSet-Cookie: b=2; Path=/\r\nx-Latin: caf\xe9\r\n';
  test.each<[string, Conversation]>([
    ['a body of every byte value', { ...get(), answer: ok(EVERY_BYTE, FIELDS) }],
    ['an empty body', { ...get(), answer: ok('', FIELDS) }],
    [
      'a reason phrase of its own',
      { ...get(), answer: 'HTTP/1.1 299 Not As Usual\r\nContent-Length: 0\r\n\r\n' },
    ],
    [
      'HEAD with the length of the body it leaves out',
      {
        ...bodyless('HEAD'),
        answer: `HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n${FIELDS}\r\n`,
      },
    ],
    [
      'HEAD of a chunked resource',
      {
        ...bodyless('HEAD'),
        answer: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
      },
    ],
    [
      '304 with the length of the body it leaves out',
      {
        ...get('If-None-Match: "1"\r\n'),
        answer: `HTTP/1.1 304 Not Modified\r\nContent-Length: 12345\r\n${FIELDS}\r\n`,
      },
    ],
    ['204', { ...bodyless('DELETE'), answer: `HTTP/1.1 204 No Content\r\n${FIELDS}\r\n` }],
    [
      'a range',
      {
        ...get('Range: bytes=2-5\r\n'),
        answer:
          'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-5/10\r\nContent-Length: 4\r\n\r\n2345',
      },
    ],
    [
      'several ranges',
      {
        ...get('Range: bytes=0-1,4-5\r\n'),
        answer: `HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=b\r\nContent-Length: 17\r\n\r\n--b\r\n\r\n01\r\n--b--\r\n`,
      },
    ],
    [
      'an answer that ends with its connection',
      {
        ...get('Connection: close\r\n'),
        answer: closing(`HTTP/1.1 200 OK\r\n${FIELDS}\r\n${EVERY_BYTE}`),
      },
    ],
    [
      'a coded body, left as it is',
      {
        ...get('Accept-Encoding: gzip\r\n'),
        answer: ok('\x1f\x8b\x08 not even gzip', 'Content-Encoding: gzip\r\n'),
      },
    ],
    [
      'an error with its body',
      {
        ...get(),
        answer: 'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy',
      },
    ],
    [
      'trailers to one who asked',
      {
        ...get('TE: trailers\r\nConnection: TE\r\n'),
        answer: chunkedOk(['data'], 'X-Sum: 9\r\nX-Sum: 10\r\n', 'Trailer: X-Sum\r\n'),
      },
    ],
    [
      'an answer after early hints',
      {
        ...get(),
        answer: `HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\n\r\n${ok('page')}`,
      },
    ],
    [
      'an answer after 16 interim ones',
      {
        ...get(),
        answer: `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(16)}${ok('done')}`,
      },
    ],
  ])('%s', async (_, conversation) => {
    const { direct, proxied } = await bothWays(conversation);
    expect(direct.at(-1)?.status).toBeGreaterThanOrEqual(200);
    expect(seen(proxied)).toEqual(seen(direct));
  });

  test('chunks of every size, however the sizes are written', async () => {
    const sizes = [1, 2, 3, 9, 10, 15, 16, 17, 255, 256, 257, 4_095, 4_096, 4_097, 65_535, 65_536, 65_537, 1];
    const chunks = sizes.map((size, i) => EVERY_BYTE.repeat(257).slice(i, i + size));
    const spelled = chunks.map((data, i) => {
      const size = data.length.toString(16);
      const line = [size, size.toUpperCase(), `000${size}`, `${size};name=value`, `${size};q="a;b"`][i % 5];
      return `${line}\r\n${data}\r\n`;
    });
    const answer = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${spelled.join('')}0\r\n\r\n`;
    const { direct, proxied } = await bothWays({ ...get(), answer });
    expect(direct[0]?.body).toBe(chunks.join(''));
    expect(seen(proxied)).toEqual(seen(direct));
  });

  test('a chunked answer cut into segments at every byte', async () => {
    const bytes = chunkedOk(['a', EVERY_BYTE, 'bc'], 'X-Sum: 9\r\n');
    const answer: Script = ({ socket }) => {
      socket.setNoDelay(true);
      const say = (at: number): void => {
        if (at >= bytes.length) return;
        socket.write(bytes[at] ?? '', 'latin1', () => setImmediate(say, at + 1));
      };
      say(0);
      return undefined;
    };
    const { direct, proxied } = await bothWays({ ...get('TE: trailers\r\nConnection: TE\r\n'), answer });
    expect(seen(proxied)).toEqual(seen(direct));
  });

  test('answers to pipelined requests, in their order', async () => {
    const answer: Script = ({ start, body }) => {
      const method = start.split(' ')[0] ?? '';
      if (method === 'HEAD') return 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n';
      if (method === 'DELETE') return 'HTTP/1.1 204 No Content\r\n\r\n';
      return method === 'POST' ? chunkedOk([start, body]) : ok(start);
    };
    const send = [
      'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n',
      'POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
      'HEAD /3 HTTP/1.1\r\nHost: a\r\n\r\n',
      'POST /4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n',
      'DELETE /5 HTTP/1.1\r\nHost: a\r\n\r\n',
      'GET /6 HTTP/1.1\r\nHost: a\r\n\r\n',
    ].join('');
    const methods = ['GET', 'POST', 'HEAD', 'POST', 'DELETE', 'GET'];
    const { direct, proxied } = await bothWays({ send, methods, answer });
    expect(direct).toHaveLength(6);
    expect(seen(proxied)).toEqual(seen(direct));
  });

  test.each([
    ['a length', ok('old')],
    ['chunks', chunkedOk(['o', 'ld'])],
    ['interim answers before it', `HTTP/1.1 103 Early Hints\r\n\r\n${ok('old')}`],
  ])('by HTTP/1.0, an answer with %s: no chunks, no interim answers, and then the end', async (_, answer) => {
    const { proxy } = await pair(answer);
    const client = rawClient(proxy.port);
    client.send('GET /x HTTP/1.0\r\nHost: a\r\n\r\n');
    const answers = parseAnswers(await client.closed(), ['GET']);
    expect(answers).toMatchObject([{ status: 200, body: 'old' }]);
    expect(answers[0]?.framing).not.toBe('chunked');
  });
});

test('field names keep their case, and field lines their order', async () => {
  const { upstream, proxy } = await pair(ok('x', 'X-b: 1\r\nx-A: 2\r\nX-B: 3\r\n'));
  const client = rawClient(proxy.port);
  client.send('GET /x HTTP/1.1\r\nHost: a\r\nX-z: 1\r\nx-Y: 2\r\nX-Z: 3\r\n\r\n');
  expect(await client.until('\r\n\r\nx')).toContain('X-b: 1\r\nx-A: 2\r\nX-B: 3\r\n');
  expect(upstream.bytes()).toContain('X-z: 1\r\nx-Y: 2\r\nX-Z: 3\r\n');
});

test('an answer that ends with its connection keeps the connection of an HTTP/1.1 client', async () => {
  const { proxy } = await pair(closing('HTTP/1.1 200 OK\r\n\r\nall of it'));
  const client = rawClient(proxy.port);
  for (const n of [1, 2]) {
    client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until((text) => isWhole(text, Array(n).fill('GET')));
  }
  expect(parseAnswers(client.text(), ['GET', 'GET'])).toMatchObject([
    { body: 'all of it', framing: 'chunked' },
    { body: 'all of it', framing: 'chunked' },
  ]);
});

test('trailers are not given to a client that did not ask for them', async () => {
  const answer = chunkedOk(['data'], 'X-Sum: 9\r\n', 'Trailer: X-Sum\r\n');
  const { proxied } = await bothWays({ ...get(), answer });
  expect(proxied).toMatchObject([{ status: 200, body: 'data', trailers: [], complete: true }]);
  expect(proxied[0]?.fields.filter(([name]) => name === 'x-sum')).toEqual([]);
});

test('routing, content and cookie fields are taken out of trailers', async () => {
  const trailers = 'X-Sum: 9\r\nHost: evil\r\nSet-Cookie: evil=1\r\nContent-Type: text/evil\r\n';
  const { proxied } = await bothWays({
    ...get('TE: trailers\r\nConnection: TE\r\n'),
    answer: chunkedOk(['data'], trailers),
  });
  expect(proxied).toMatchObject([{ body: 'data', trailers: [['x-sum', '9']] }]);
});

test('trailers of a chunked upload reach the upstream', async () => {
  const { upstream, proxy } = await pair(ok('thanks'));
  const client = rawClient(proxy.port);
  client.send(
    'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\ndata\r\n0\r\nX-Sum: 9\r\n\r\n',
  );
  await client.until('thanks');
  expect(upstream.heard[0]?.body).toBe('data');
  expect(upstream.bytes()).toMatch(/\r\n0\r\nX-Sum: 9\r\n\r\n$/);
});

test('early hints come before the answer exists', async () => {
  const { upstream, proxy } = await pair('HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n');
  const client = rawClient(proxy.port);
  client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until('Link: </a.css>; rel=preload\r\n');
  upstream.say(ok('page'));
  await client.until('page');
});

test('the 17th interim answer is one too many: 502', async () => {
  const answer = `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(17)}${ok('done')}`;
  const { proxied } = await bothWays({ ...get(), answer });
  expect(proxied.at(-1)?.status).toBe(502);
  expect(proxied.filter(({ status }) => status === 102).length).toBeLessThanOrEqual(16);
});

describe('Expect: 100-continue', () => {
  const HEAD = 'POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n';

  async function asked(answer: string) {
    const { upstream, proxy } = await pair(answer, 'head');
    const client = rawClient(proxy.port);
    client.send(HEAD);
    const heard = await upstream.request(1);
    return { upstream, client, heard };
  }

  test('the question goes to the upstream, and nobody but the upstream consents', async () => {
    const { upstream, client, heard } = await asked('');
    expect(values(heard, 'expect')).toEqual(['100-continue']);
    expect(client.text()).toBe('');
    upstream.say('HTTP/1.1 100 Continue\r\n\r\n');
    await client.until(/^HTTP\/1\.1 100 /);
    client.send('hello');
    await upstream.received('\r\n\r\nhello');
    upstream.say(ok('thanks'));
    await client.until('thanks');
    expect(parseAnswers(client.text(), ['POST'])).toMatchObject([
      { status: 100 },
      { status: 200, body: 'thanks' },
    ]);
  });

  test('a refusal is relayed without a 100, and the connection ends', async () => {
    const refusal =
      'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 2\r\n\r\nno';
    const { upstream, client } = await asked(refusal);
    const answers = parseAnswers(await client.closed(), ['POST']);
    expect(answers).toMatchObject([{ status: 401, body: 'no' }]);
    expect(values(answers[0] ?? { fields: [] }, 'connection')).toEqual(['close']);
    await upstream.allClosed();
  });

  test('a body that does not wait for consent is sent on', async () => {
    const { upstream, client } = await asked('');
    client.send('hello');
    await upstream.received('\r\n\r\nhello');
    upstream.say(ok('thanks'));
    await client.until('thanks');
    expect(parseAnswers(client.text(), ['POST']).map(({ status }) => status)).toEqual([200]);
  });

  test('of HTTP/1.0 it is ignored', async () => {
    const { upstream, proxy } = await pair(ok('thanks'));
    const client = rawClient(proxy.port);
    client.send(`${HEAD.replace('HTTP/1.1', 'HTTP/1.0')}hello`);
    expect(parseAnswers(await client.closed(), ['POST'])).toMatchObject([{ status: 200, body: 'thanks' }]);
    expect(values(upstream.heard[0] ?? { fields: [] }, 'expect')).toEqual([]);
  });
});

test('a client that half-closes after its request gets its answer', async () => {
  const { upstream, proxy } = await pair('', 'head');
  const client = rawClient(proxy.port);
  client.send('GET /x HTTP/1.1\r\nHost: a\r\n\r\n');
  client.end();
  await upstream.request(1);
  upstream.say(ok('late'));
  expect(parseAnswers(await client.closed(), ['GET'])).toMatchObject([{ status: 200, body: 'late' }]);
});

/** The bodies of all requests an upstream was sent. */
function bodies(upstream: RawUpstream): readonly string[] {
  return upstream.heard.map(({ body }) => body);
}

test('uploads reach the upstream byte by byte the same, by length and in chunks', async () => {
  const { upstream, proxy } = await pair(ok('thanks'));
  const client = rawClient(proxy.port);
  client.send(`POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 256\r\n\r\n${EVERY_BYTE}`);
  await client.until('thanks');
  client.send(
    `POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('a')}${chunk(EVERY_BYTE)}0\r\n\r\n`,
  );
  await upstream.request(2);
  expect(bodies(upstream)).toEqual([EVERY_BYTE, `a${EVERY_BYTE}`]);
});
