/** What the server answers, as a table; `/docs/openapi.json` is made of it. */

type Schema = Readonly<Record<string, unknown>>;
type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

export interface Operation {
  readonly method: Method;
  /** With its parameters in braces. */
  readonly path: string;
  readonly auth: 'admin' | 'client' | null;
  readonly summary: string;
  /** Null: no body is read. */
  readonly body: Schema | null;
  /** Names of query parameters. */
  readonly query: readonly string[];
  /** What it answers when all is well, first, and every refusal. */
  readonly statuses: readonly number[];
}

interface Details {
  readonly body?: Schema;
  readonly query?: readonly string[];
  /** Beyond the refusals that every operation of its kind has. */
  readonly refusals?: readonly number[];
  /** The type of the body is not looked at. */
  readonly anyType?: true;
  /** It goes on in read-only mode although its method says that it writes. */
  readonly always?: true;
}

const TEXT: Schema = { type: 'string' };
const NUMBER: Schema = { type: 'number' };
const WHOLE: Schema = { type: 'integer' };
const FLAG: Schema = { type: 'boolean' };
const ANYTHING: Schema = {};

const CONSTRAINT = object(
  { contextName: TEXT, operator: TEXT },
  { values: list(TEXT), value: TEXT, inverted: FLAG, caseInsensitive: FLAG },
);
const VARIANT = object(
  { name: TEXT, weight: WHOLE, weightType: TEXT, stickiness: TEXT },
  { payload: object({ type: TEXT, value: TEXT }) },
);
const STRATEGY_PARTS = {
  title: orNull(TEXT),
  disabled: orNull(FLAG),
  sortOrder: WHOLE,
  parameters: { type: 'object', additionalProperties: TEXT },
  constraints: list(CONSTRAINT),
  variants: list(VARIANT),
  segments: list(WHOLE),
};
const FEATURE_PARTS = { type: TEXT, description: orNull(TEXT), impressionData: FLAG };
const TAG = object({ type: TEXT, value: TEXT });
const NAME = object({ name: TEXT });
const SEGMENT = object(
  { name: TEXT, constraints: list(CONSTRAINT) },
  { description: orNull(TEXT), project: orNull(TEXT) },
);
const JSON_PATCH = list(object({ op: TEXT, path: TEXT }, { from: TEXT, value: ANYTHING }));
const EXPORT_DATA = object(
  { features: list(ANYTHING), featureStrategies: list(ANYTHING) },
  Object.fromEntries(
    [
      'featureEnvironments',
      'contextFields',
      'featureTags',
      'segments',
      'tagTypes',
      'dependencies',
      'links',
    ].map((name) => [name, list(ANYTHING)]),
  ),
);
const IMPORT = object({ project: TEXT, environment: TEXT, data: EXPORT_DATA });
const EVENT_FILTERS = [
  'id',
  'groupId',
  'feature',
  'project',
  'type',
  'createdBy',
  'environment',
  'from',
  'to',
  'query',
  'offset',
  'limit',
];
const FEATURE_FILTERS = [
  'project',
  'query',
  'state',
  'type',
  'tag',
  'segment',
  'createdBy',
  'createdAt',
  'lastSeenAt',
  'status',
  'archived',
  'favoritesFirst',
  'sortBy',
  'sortOrder',
  'offset',
  'limit',
];

const FEATURES = '/projects/{project}/features';
const FEATURE = `${FEATURES}/{feature}`;
const PLACE = `${FEATURE}/environments/{environment}`;
const STRATEGIES = `${PLACE}/strategies`;

export const OPERATIONS: readonly Operation[] = [
  open('get', '/health', 200, 'Whether the server answers'),
  open('get', '/ready', 200, 'The same; the port opens when the server is ready'),
  open('get', '/docs/openapi.json', 200, 'This document'),
  open('post', '/edge/validate', 200, 'Which of these secrets are valid tokens', {
    body: object({ tokens: list(TEXT) }),
  }),

  client('get', '/features', 200, 'All flags of the token', {
    query: ['project', 'namePrefix', 'tag'],
    refusals: [400],
  }),
  client('get', '/features/{feature}', 200, 'One flag', { refusals: [404] }),
  client('get', '/delta', 200, 'What changed since the ETag that the client knows', { refusals: [400] }),
  client('get', '/streaming', 200, 'Every change, as server-sent events', { refusals: [429] }),
  client('post', '/register', 202, 'An SDK introduces itself', {
    body: object({ appName: TEXT }),
    refusals: [413],
  }),
  client('post', '/metrics', 202, 'An SDK reports how often it evaluated which flag', {
    body: object({ appName: TEXT, bucket: ANYTHING }),
  }),
  client('post', '/metrics/bulk', 202, 'The same for many applications', {
    body: object({ applications: list(ANYTHING), metrics: list(ANYTHING) }),
  }),

  admin('get', '/projects', 200, 'The one project'),
  admin('get', '/projects/{project}/overview', 200, 'The project, with statistics', { refusals: [404] }),
  admin('get', '/environments', 200, 'The environments'),
  admin('get', '/feature-types', 200, 'The types of flags'),
  admin('get', '/strategies', 200, 'The types of strategies'),
  admin('get', '/tag-types', 200, 'The types of tags'),
  admin('get', '/ui-config', 200, 'Version and limits'),
  admin('get', '/maintenance', 200, 'Whether the server is read-only'),
  admin('post', '/maintenance', 204, 'Makes the server read-only, or ends it', {
    body: object({ enabled: FLAG }),
    always: true,
  }),

  admin('get', '/context', 200, 'The context fields'),
  admin('post', '/context', 201, 'Creates a context field', {
    body: object(
      { name: TEXT },
      {
        description: orNull(TEXT),
        stickiness: FLAG,
        sortOrder: WHOLE,
        legalValues: list(object({ value: TEXT }, { description: TEXT })),
      },
    ),
    refusals: [409],
  }),
  admin('post', '/context/validate', 200, 'Whether a context field may have this name', {
    body: NAME,
    refusals: [409],
    always: true,
  }),
  admin('get', '/context/{field}', 200, 'One context field', { refusals: [404] }),

  admin('post', '/features/validate', 200, 'Whether a flag may have this name', {
    body: NAME,
    refusals: [409],
    always: true,
  }),
  admin('get', FEATURES, 200, 'The flags of a project'),
  admin('post', FEATURES, 201, 'Creates a flag, off everywhere', {
    body: object({ name: TEXT }, { ...FEATURE_PARTS, tags: list(TAG) }),
    refusals: [404, 409],
  }),
  admin('get', FEATURE, 200, 'One flag with all it holds', { refusals: [404] }),
  admin('put', FEATURE, 200, 'Replaces the data of a flag', {
    body: object({}, { ...FEATURE_PARTS, stale: FLAG }),
    refusals: [404],
  }),
  admin('patch', FEATURE, 200, 'Patches the data of a flag (RFC 6902)', {
    body: JSON_PATCH,
    refusals: [404, 409],
  }),
  admin('delete', FEATURE, 202, 'Archives a flag', { refusals: [404] }),
  admin('post', `${FEATURE}/clone`, 201, 'A new flag like this one', {
    body: object({ name: TEXT }, { replaceGroupId: FLAG }),
    anyType: true,
    refusals: [404, 409],
  }),
  admin('post', '/archive/revive/{feature}', 200, 'Brings an archived flag back, off everywhere', {
    refusals: [404],
  }),
  admin('delete', '/archive/{feature}', 200, 'Deletes an archived flag for good', { refusals: [404] }),

  admin('get', PLACE, 200, 'A flag in one environment', { refusals: [404] }),
  admin('post', `${PLACE}/on`, 200, 'Switches a flag on', { refusals: [404, 409] }),
  admin('post', `${PLACE}/off`, 200, 'Switches a flag off', { refusals: [404] }),
  admin('get', `${PLACE}/variants`, 200, 'The variants of a whole flag', { refusals: [404] }),
  admin('put', `${PLACE}/variants`, 403, 'Always refused: variants belong to strategies', {
    refusals: [404],
  }),
  admin('get', STRATEGIES, 200, 'The strategies of a flag', { refusals: [404] }),
  admin('post', STRATEGIES, 200, 'Adds a strategy', {
    body: object({ name: TEXT }, STRATEGY_PARTS),
    refusals: [404],
  }),
  admin('post', `${STRATEGIES}/set-sort-order`, 200, 'Reorders strategies', {
    body: list(object({ id: TEXT, sortOrder: NUMBER })),
    refusals: [404],
  }),
  admin('get', `${STRATEGIES}/{id}`, 200, 'One strategy', { refusals: [404] }),
  admin('put', `${STRATEGIES}/{id}`, 200, 'Replaces a strategy', {
    body: object({}, { name: TEXT, ...STRATEGY_PARTS }),
    refusals: [404],
  }),
  admin('patch', `${STRATEGIES}/{id}`, 200, 'Patches a strategy (RFC 6902)', {
    body: JSON_PATCH,
    refusals: [404, 409],
  }),
  admin('delete', `${STRATEGIES}/{id}`, 200, 'Removes a strategy', { refusals: [404] }),

  admin('post', `${FEATURE}/dependencies`, 200, 'Lets a flag depend on another one', {
    body: object({ feature: TEXT }, { enabled: FLAG, variants: list(TEXT) }),
  }),
  admin('delete', `${FEATURE}/dependencies`, 200, 'Lets a flag depend on none'),
  admin('delete', `${FEATURE}/dependencies/{parent}`, 200, 'Takes one dependency away'),
  admin('get', '/features/{feature}/tags', 200, 'The tags of a flag', { refusals: [404] }),
  admin('post', '/features/{feature}/tags', 201, 'Tags a flag', { body: TAG, refusals: [404] }),
  admin('put', '/features/{feature}/tags', 200, 'Adds and takes off tags', {
    body: object({ addedTags: list(TAG), removedTags: list(TAG) }),
    refusals: [404],
  }),
  admin('delete', '/features/{feature}/tags/{type}/{value}', 200, 'Takes a tag off'),

  admin('get', '/segments', 200, 'The segments'),
  admin('post', '/segments', 201, 'Creates a segment', { body: SEGMENT, refusals: [409] }),
  admin('post', '/segments/validate', 204, 'Whether a segment may have this name', {
    body: NAME,
    refusals: [409],
    always: true,
  }),
  admin('get', '/segments/{id}', 200, 'One segment', { refusals: [400, 404] }),
  admin('put', '/segments/{id}', 204, 'Replaces a segment', { body: SEGMENT, refusals: [404, 409] }),
  admin('delete', '/segments/{id}', 204, 'Deletes a segment that nothing uses', { refusals: [400, 409] }),
  admin('get', '/segments/{id}/strategies', 200, 'Where a segment is used', { refusals: [400] }),
  admin('get', '/segments/strategies/{id}', 200, 'The segments of a strategy'),
  admin('post', '/segments/strategies', 201, 'The segments a strategy is to have', {
    body: object({ projectId: TEXT, strategyId: TEXT, environmentId: TEXT, segmentIds: list(WHOLE) }),
    refusals: [404],
  }),

  admin('get', '/search/features', 200, 'Flags by filters', { query: FEATURE_FILTERS, refusals: [400] }),
  admin('get', '/search/events', 200, 'The audit log by filters', { query: EVENT_FILTERS, refusals: [400] }),
  admin('get', '/events', 200, 'The newest events', { query: ['project'], refusals: [400] }),
  admin('get', '/events/{feature}', 200, 'The newest events of a flag'),
  admin('get', '/client-metrics/features/{feature}', 200, 'How often a flag was evaluated in the last hour'),
  admin('get', '/client-metrics/features/{feature}/raw', 200, 'The same hour by hour', {
    query: ['hoursBack'],
  }),

  admin('get', '/api-tokens', 200, 'The tokens, without their secrets'),
  admin('get', '/api-tokens/{name}', 200, 'The tokens of a name'),
  admin('post', '/api-tokens', 201, 'Makes a token; its secret is shown this once', {
    body: object(
      { tokenName: TEXT, type: TEXT },
      { environment: TEXT, projects: list(TEXT), expiresAt: TEXT },
    ),
  }),
  admin('put', '/api-tokens/{secret}', 200, 'Lets a token expire at another time', {
    body: object({ expiresAt: TEXT }),
  }),
  admin('delete', '/api-tokens/{secret}', 200, 'Deletes a token and ends its streams'),

  admin('post', '/features-batch/export', 200, 'Flags of one environment, for an import', {
    body: object(
      { environment: TEXT },
      { features: list(TEXT), tag: TEXT, project: TEXT, segmentDetails: FLAG, downloadFile: FLAG },
    ),
    refusals: [404],
    always: true,
  }),
  admin('post', '/features-batch/validate', 200, 'What an import would be refused for', {
    body: IMPORT,
    always: true,
  }),
  admin('post', '/features-batch/import', 200, 'Makes flags those of an export, all of them or none', {
    body: IMPORT,
    refusals: [404, 409],
  }),
];

/** The OpenAPI 3.1 document. */
export function openApi(version: string) {
  const paths = new Map<string, Record<string, unknown>>();
  for (const operation of OPERATIONS) {
    paths.set(operation.path, { ...paths.get(operation.path), [operation.method]: operationOut(operation) });
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Flag server',
      version,
      description: `The part of the API of Unleash ${version} that is served.`,
    },
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'Authorization' } },
      schemas: {
        error: object(
          { message: TEXT },
          { id: TEXT, name: TEXT, details: list(object({ message: TEXT }, { path: TEXT })) },
        ),
      },
    },
  };
}

function operationOut({ auth, summary, body, query, path, statuses }: Operation) {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: TEXT,
  }));
  const inQuery = query.map((name) => ({ name, in: 'query', required: false, schema: TEXT }));
  return {
    summary,
    security: auth === null ? [] : [{ token: [] }],
    parameters: [...inPath, ...inQuery],
    ...(body === null ? {} : { requestBody: { required: true, content: json(body) } }),
    responses: Object.fromEntries(statuses.map((status) => [status, responseOut(status)])),
  };
}

function responseOut(status: number) {
  return status < 400
    ? { description: 'Done' }
    : { description: 'Refused', content: json({ $ref: '#/components/schemas/error' }) };
}

function json(schema: Schema) {
  return { 'application/json': { schema } };
}

function open(
  method: Method,
  path: string,
  status: number,
  summary: string,
  details: Details = {},
): Operation {
  const refusals = details.body === undefined ? [] : [400, 413];
  return operation(null, method, path, summary, [status, ...refusals], details);
}

function client(
  method: Method,
  path: string,
  status: number,
  summary: string,
  details: Details = {},
): Operation {
  // A report is never too large: the refusal would stop the SDK.
  const refusals = details.body === undefined ? [] : [400];
  return operation('client', method, `/api/client${path}`, summary, [status, 401, 403, ...refusals], details);
}

function admin(
  method: Method,
  path: string,
  status: number,
  summary: string,
  details: Details = {},
): Operation {
  const read = details.body === undefined ? [] : [400, 413];
  const typed = details.body === undefined || details.anyType === true ? [] : [415];
  const write = method === 'get' || details.always === true ? [] : [503];
  return operation(
    'admin',
    method,
    `/api/admin${path}`,
    summary,
    [status, 401, 403, ...read, ...typed, ...write],
    details,
  );
}

function operation(
  auth: Operation['auth'],
  method: Method,
  path: string,
  summary: string,
  statuses: readonly number[],
  { body, query = [], refusals = [] }: Details,
): Operation {
  return {
    method,
    path,
    auth,
    summary,
    body: body ?? null,
    query,
    statuses: [...new Set([...statuses, ...refusals])],
  };
}

function object(
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema {
  return { type: 'object', required: Object.keys(required), properties: { ...required, ...optional } };
}

function list(items: Schema): Schema {
  return { type: 'array', items };
}

function orNull(schema: Schema): Schema {
  return { anyOf: [schema, { type: 'null' }] };
}
