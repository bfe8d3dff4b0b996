/** The shape of a configuration: every option with its bounds, its default and what it means. */
import { z } from 'zod';
import { parseCidr } from '../core/address.ts';
import type { RuleInput } from '../core/rules/rule-input.ts';
import { PROXY_DEFAULTS as D } from '../proxy/options.ts';

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const HEADER_NAME = /^[A-Za-z0-9-]{1,64}$/;
const AUTHORITY = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/;
const HOST = /^([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
/** What may stand in an attribute of a cookie (RFC 6265 §4.1.1). */
const ATTRIBUTE = /^[\x20-\x3a\x3c-\x7e]*$/;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const MIB = 1_048_576;

function whole(fallback: number, min: number, max: number, meaning: string) {
  return z.int().min(min).max(max).default(fallback).describe(meaning);
}

function choice(fallback: boolean, meaning: string) {
  return z.boolean().default(fallback).describe(meaning);
}

const addressText = z
  .string()
  .regex(/^(\[[0-9a-fA-F:]+\]|[^:[\]]+):\d{1,5}$/, {
    error: 'expected HOST:PORT, for example "127.0.0.1:8080"',
    abort: true,
  })
  .refine(
    (text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535,
    'expected a port from 0 to 65535',
  );

const origin = z.string().refine(isOrigin, 'expected http://HOST:PORT or https://HOST:PORT without a path');
const file = z.string().min(1, 'expected the name of a file');

const rewrite = z.strictObject({
  location: z
    .record(origin, z.union([z.literal('public'), origin]))
    .describe(
      'Origins in Location and Content-Location of answers, from -> to; "public" is the origin the client used.',
    )
    .default({}),
  cookieDomain: z
    .record(z.string().regex(ATTRIBUTE), z.string().regex(ATTRIBUTE, 'expected a domain'))
    .describe('Domain of Set-Cookie, from -> to; "*" is any, an empty text drops the attribute.')
    .default({}),
  cookiePath: z
    .record(
      z.string().regex(ATTRIBUTE),
      z
        .string()
        .regex(ATTRIBUTE)
        .refine((text) => text === '' || text.startsWith('/'), 'expected a path that starts with /, or ""'),
    )
    .describe('Path of Set-Cookie, from -> to; "*" is any, an empty text drops the attribute.')
    .default({}),
});

export const upstream = z.union([
  origin,
  z.strictObject({
    url: origin.describe('Scheme, host and port; never a path.'),
    host: z
      .string()
      .regex(AUTHORITY, 'expected "preserve", "target" or HOST[:PORT]')
      .default('preserve')
      .describe('Host it is sent: "preserve" = as received, "target" = that of its URL, or a literal one.'),
    tls: z
      .strictObject({
        ca: file.optional().describe('PEM file of the authorities to trust instead of those of the system.'),
        cert: file.optional().describe('PEM file of our client certificate.'),
        key: file.optional().describe('PEM file of its key.'),
      })
      .optional()
      .describe('For https: only. Verification is always on.'),
    rewrite: rewrite.optional(),
    build: z
      .strictObject({ header: z.string().regex(HEADER_NAME, 'expected a header name') })
      .describe('Answer header that names the build; a new build starts its evidence anew.')
      .optional(),
    shadow: origin
      .optional()
      .describe('Instances with data of their own, for copies of writes of mode "shadow-database".'),
  }),
]);

export const routeInput = z.union([
  z.string(),
  z.strictObject({
    match: z.string().describe('METHOD /path with :parameters, or a trailing *.'),
    effects: z.boolean().default(false).describe('A safe method that changes something: treated as a write.'),
    writes: z
      .strictObject({
        mode: z
          .enum(['off', 'dry-run', 'shadow-database', 'idempotent'])
          .describe(
            '"dry-run": the service honours Fig-Dry-Run; "shadow-database": copies go to services.<s>.shadow; "idempotent": PUT and DELETE that may run twice.',
          ),
        owner: z.string().min(1).describe('Who answers for it.'),
        reason: z.string().min(1),
        ticket: z.string().min(1).optional(),
        expires: z.string().regex(DAY, 'expected a date, YYYY-MM-DD').describe('At most 90 days away.'),
      })
      .optional()
      .describe('Copies of requests that change something; without it there are none.'),
  }),
]);

const unitSource = z.union([
  z.strictObject({ header: z.string().regex(HEADER_NAME, 'expected a header name') }),
  z.strictObject({
    cookie: z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'expected a cookie name'),
  }),
]);

const shadow = z.strictObject({
  perSecondMax: whole(50, 1, 100_000, 'Copies started per second and group, over all workers.'),
  inFlightMax: whole(8, 1, 64, 'Copies running at once per group, over all workers.'),
  bodyBytesMax: whole(
    262_144,
    0,
    16 * MIB,
    'Bytes of a copied request or answer; above it the copy is skipped.',
  ),
  timeoutMs: whole(
    2_000,
    100,
    30_000,
    'How long a copy may take at least; three times the primary if that is longer.',
  ),
  answerBytesMax: z
    .int()
    .min(0)
    .max(64 * MIB)
    .optional()
    .describe(
      'Bytes read of the answer to a copy; above it the service is `oversize`. Default: 4 × bodyBytesMax.',
    ),
  connectTimeoutMs: whole(500, 10, 30_000, 'Until the side of a copy is connected; else it is a `timeout`.'),
  queueAgeMsMax: whole(2_000, 10, 60_000, 'A copy that waited longer is not sent any more: `stale`.'),
  sampleBy: z
    .enum(['unit', 'request'])
    .optional()
    .describe(
      '"unit": all requests of a unit or none (default where the group has a unit); "request": each by itself.',
    ),
  thin: z
    .number()
    .min(0.0001)
    .max(1)
    .default(1)
    .describe('Share of the sample that is copied, for less than 1 %: hashes the same key once more.'),
  conditional: z
    .enum(['remove', 'as-is'])
    .default('remove')
    .describe(
      'If-None-Match and If-Modified-Since of a copy: a validator belongs to the side that issued it.',
    ),
  host: z
    .enum(['preserve', 'target'])
    .default('preserve')
    .describe('Host of a copy: as received, or that of the side it goes to.'),
  dropHeaders: z
    .array(z.string().regex(HEADER_NAME, 'expected a header name'))
    .max(64)
    .default([])
    .describe('Fields a copy goes without, for a service outside the zone of trust.'),
  baseline: z
    .strictObject({
      first: whole(200, 0, 100_000, 'Of every route, so many copies first.'),
      rate: z.number().min(0).max(1).default(0.05).describe('After them this share.'),
      perSecondMax: z
        .number()
        .min(0)
        .max(1_000)
        .default(5)
        .describe('Second calls per second and group, over all workers; 0 = none.'),
    })
    .prefault({})
    .describe(
      'Legacy is asked a second time, so that what differs by itself is not held against the service.',
    ),
});

/** Its shape is a type for whoever writes it; what is wrong with one is said by the rules themselves. */
const rule = z.custom<RuleInput>((value) => typeof value === 'object' && value !== null, {
  error: 'expected a rule: path, action, owner, reason and expires',
});

export const group = z.strictObject({
  service: z.string(),
  routes: z.array(routeInput).min(1, 'expected at least one route'),
  unit: z
    .array(unitSource)
    .max(8)
    .default([])
    .describe(
      'Where the sticky id is read from, first match wins; nothing found: the request stays on legacy.',
    ),
  shadow: shadow.default(() => shadow.parse({})),
  compare: z
    .strictObject({
      rules: z.array(rule).max(200).default([]),
      budget: z
        .number()
        .gt(0)
        .lt(1)
        .default(0.001)
        .describe('Share of requests that may differ, 0.001 = 0.1 %; what evidence is measured against.'),
      showValues: z
        .array(z.string())
        .max(64)
        .default([])
        .describe('Paths as in rules, below which examples show values; personal data is masked even there.'),
      build: z
        .enum(['known', 'ignore'])
        .default('known')
        .describe('"ignore": evidence counts although no answer says which build gave it.'),
    })
    .prefault({}),
  timeouts: z
    .strictObject({
      upstreamHeadMs: z.int().min(100).max(HOUR).optional().describe('Instead of timeouts.upstreamHeadMs.'),
      totalMs: z.int().min(0).max(HOUR).optional().describe('Instead of timeouts.totalMs; 0 = no limit.'),
    })
    .prefault({}),
  limits: z
    .strictObject({
      requestBodyBytesMax: z
        .int()
        .min(0)
        .optional()
        .describe('Instead of limits.requestBodyBytesMax; 0 = no limit.'),
    })
    .prefault({}),
  paths: z
    .strictObject({
      onDisagree: z
        .enum(['refuse', 'legacy'])
        .default('refuse')
        .describe('A path whose readings lead to different groups: refused with 400, or answered by legacy.'),
    })
    .prefault({}),
});

const unleash = z.strictObject({
  unleash: z.url().describe('The API of the Unleash server, https://…/api/'),
  tokenEnv: z
    .string()
    .default('UNLEASH_TOKEN')
    .describe('Environment variable with the backend (client) token.'),
  adminTokenEnv: z
    .string()
    .optional()
    .describe('Environment variable with the admin token; without it flags are read but never written.'),
  environment: z.string().default('production'),
  refreshMs: z.int().min(250).max(15_000).default(1_000),
});

const timeouts = z.strictObject({
  clientHeadMs: whole(D.clientHeadMs, 100, 5 * MINUTE, 'First byte of a request head to its end; else 408.'),
  clientIdleMs: whole(D.clientIdleMs, 100, HOUR, 'A connection without a request is closed.'),
  clientBodyIdleMs: whole(D.clientBodyIdleMs, 100, HOUR, 'Between two pieces of a request body; else 408.'),
  clientWriteStallMs: whole(
    D.clientWriteStallMs,
    100,
    HOUR,
    'The client does not read its answer: the connection is destroyed.',
  ),
  lingerMs: whole(D.lingerMs, 0, MINUTE, 'From our end of a connection to its end.'),
  queueWaitMs: whole(D.queueWaitMs, 0, MINUTE, 'Waiting for a free connection to the upstream; else 503.'),
  connectMs: whole(D.connectMs, 50, MINUTE, 'Until the upstream is connected, TLS included; else 504.'),
  upstreamSendStallMs: whole(
    D.upstreamSendStallMs,
    100,
    HOUR,
    'The upstream does not read the request; else 504.',
  ),
  upstreamHeadMs: whole(
    D.upstreamHeadMs,
    100,
    HOUR,
    'From the last byte of the request to the head of the answer; else 504.',
  ),
  upstreamBodyIdleMs: whole(D.upstreamBodyIdleMs, 100, HOUR, 'Between two pieces of an answer.'),
  streamIdleMs: whole(
    D.streamIdleMs,
    100,
    24 * HOUR,
    'Between two pieces of an answer of text/event-stream.',
  ),
  tunnelIdleMs: whole(D.tunnelIdleMs, 100, 24 * HOUR, 'A WebSocket without a byte is closed.'),
  tunnelHalfCloseMs: whole(
    D.tunnelHalfCloseMs,
    100,
    HOUR,
    'From the end of one direction of a WebSocket to the end of both.',
  ),
  totalMs: whole(
    D.totalMs,
    0,
    24 * HOUR,
    'From the head of a request to the last byte of its answer; 0 = no limit.',
  ),
});

const limits = z.strictObject({
  clientConnectionsMax: whole(
    D.clientConnectionsMax,
    1,
    MIB,
    'Open client connections of one worker; more are answered 503.',
  ),
  requestsPerConnectionMax: whole(
    D.requestsPerConnectionMax,
    1,
    MIB,
    'Requests of one connection; it is closed after the last one.',
  ),
  targetBytesMax: whole(D.targetBytesMax, 256, MIB, 'Bytes of a request target; else 414.'),
  headBytesMax: whole(D.headBytesMax, 1_024, MIB, 'Bytes of a request head; else 431.'),
  fieldsMax: whole(D.fieldsMax, 8, 4_096, 'Field lines of a request head; else 431.'),
  requestBodyBytesMax: z
    .int()
    .min(0)
    .default(D.requestBodyBytesMax)
    .describe('Bytes of a request body; else 413. 0 = no limit.'),
  upstreamHeadBytesMax: whole(
    D.upstreamHeadBytesMax,
    1_024,
    16 * MIB,
    'Bytes of the head of an answer; else 502.',
  ),
  upstreamFieldsMax: whole(D.upstreamFieldsMax, 8, 16_384, 'Field lines of an answer; else 502.'),
  interimAnswersMax: whole(
    D.interimAnswersMax,
    0,
    1_024,
    'Interim (1xx) answers before the final one; else 502.',
  ),
  lingerBytesMax: whole(
    D.lingerBytesMax,
    0,
    1_024 * MIB,
    'Bytes of an unwanted request body that are read and thrown away before closing.',
  ),
  tunnelsMax: whole(D.tunnelsMax, 0, MIB, 'Open WebSockets of one worker; more are answered 503.'),
  shadowBytesMax: z.int().min(MIB).default(D.shadowBytesMax).describe('Memory for the copies of one worker.'),
});

const pool = z.strictObject({
  connectionsMax: whole(
    D.upstreamConnectionsMax,
    1,
    65_535,
    'Connections of one worker to one upstream, without tunnels.',
  ),
  queueMax: whole(
    D.upstreamQueueMax,
    0,
    65_535,
    'Requests that wait for one of them; more are answered 503.',
  ),
  idleMs: whole(
    D.upstreamIdleMs,
    0,
    HOUR,
    'An unused connection is closed; stay below the keep-alive of the upstream.',
  ),
  ageMs: whole(D.upstreamAgeMs, SECOND, 24 * HOUR, 'A connection is not used again once it is this old.'),
  unsafeIdleMs: whole(
    D.unsafeIdleMs,
    0,
    HOUR,
    'A request that may not be repeated takes no connection that was unused for longer.',
  ),
  retryShare: z
    .number()
    .min(0)
    .max(1)
    .default(D.retryShare)
    .describe('Retries on stale connections, as a share of requests.'),
});

const headers = z.strictObject({
  viaName: z
    .string()
    .regex(TOKEN, 'expected a token of 1-64 characters')
    .default(D.viaName)
    .describe('Our name in Via; two proxies in one chain need two names.'),
  viaResponse: choice(D.viaResponse, 'Via on answers as well.'),
  forwarded: choice(D.forwarded, 'Adds a Forwarded element (RFC 7239) as well.'),
  requestId: z
    .enum(['pass', 'create', 'off'])
    .default(D.requestId)
    .describe('"pass": a valid one of the client is kept, else one is made; "create": always made; "off".'),
});

const paths = z.strictObject({
  caseFold: choice(D.caseFold, 'Paths that differ only in case are one (Windows back ends).'),
  trailingDots: choice(
    D.trailingDots,
    'Dots and spaces at the end of a segment are no part of it (Windows back ends).',
  ),
});

const upgrade = z.strictObject({
  closeOnRollback: choice(D.closeOnRollback, 'WebSockets to a service are closed when its group goes back.'),
  spreadMs: whole(
    D.tunnelSpreadMs,
    0,
    10 * MINUTE,
    'Over this time, so that they do not all return at once.',
  ),
});

const drain = z.strictObject({
  leadMs: whole(
    D.drainLeadMs,
    0,
    5 * MINUTE,
    'From not being ready to the end of accepting: longer than the check interval of the load balancer.',
  ),
  tunnelMs: whole(D.drainTunnelMs, 0, HOUR, 'After it WebSockets are closed.'),
  deadlineMs: whole(D.drainDeadlineMs, 0, HOUR, 'After it everything still open is cut.'),
});

export const schema = z.strictObject({
  listen: addressText.optional(),
  admin: addressText.optional(),
  data: z.string().min(1).default('.fig').describe('Folder for everything that is written.'),
  workers: whole(1, 1, 64, 'Processes that answer requests; 1 = everything in one process.'),
  tls: z
    .strictObject({
      cert: file.describe('PEM file of the certificate, followed by those that lead to its authority.'),
      key: file.describe('PEM file of its key, without a passphrase.'),
    })
    .optional()
    .describe('Traffic is https.'),
  legacy: upstream,
  services: z.record(z.string(), upstream).default({}),
  flags: z
    .union([
      z.literal('embedded'),
      z.strictObject({ embedded: z.strictObject({ listen: addressText }) }),
      unleash,
    ])
    .default('embedded'),
  groups: z.record(z.string(), group).default({}),
  trustedProxies: z
    .array(
      z
        .string()
        .refine(
          (text) => parseCidr(text) !== null,
          'expected an address or a CIDR block, for example "10.0.0.0/8"',
        ),
    )
    .max(64)
    .default([...D.trustedProxies])
    .describe('CIDRs of proxies whose X-Forwarded-* is believed.'),
  hosts: z
    .array(z.string().regex(HOST, 'expected a host without port'))
    .max(1_024)
    .default([...D.hosts])
    .describe('Hosts that are served, others get 421; empty = any.'),
  timeouts: timeouts.prefault({}),
  limits: limits.prefault({}),
  upstream: pool.prefault({}).describe('Connections to upstreams.'),
  headers: headers.prefault({}),
  paths: paths.prefault({}),
  upgrade: upgrade.prefault({}),
  fallback: z
    .strictObject({
      enabled: choice(D.fallback, 'Legacy answers a safe request when the service gave no answer at all.'),
    })
    .prefault({}),
  drain: drain.prefault({}).describe('What happens at the end.'),
  evidence: z
    .strictObject({
      memoryBytesMax: whole(
        64 * MIB,
        MIB,
        1_024 * MIB,
        'Memory for evidence of all groups; above it the least used makes room.',
      ),
      fileBytesMax: whole(
        256 * MIB,
        8 * MIB,
        65_536 * MIB,
        'Size of fig.db above which evidence and causes make room; the ledger never does.',
      ),
    })
    .prefault({})
    .describe('How much of comparing is kept.'),
  debug: z
    .strictObject({ errorCode: choice(D.errorCode, '`Fig-Error: CODE` on the answers made here.') })
    .prefault({}),
});

export type ConfigInput = z.input<typeof schema>;
export type Config = z.output<typeof schema>;
export type UpstreamInput = z.output<typeof upstream>;
export type GroupInput = z.output<typeof group>;
export type RouteInput = z.output<typeof routeInput>;

function isOrigin(text: string): boolean {
  // Only the plain form: a URL parser would also take "http:h:1" or a trailing "?", which no Location ever equals.
  return /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?\/?$/i.test(text) && URL.canParse(text);
}
