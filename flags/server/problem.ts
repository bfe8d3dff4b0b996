/** What the server answers instead of what was asked, in Unleash's words. */
export interface Detail {
  readonly message: string;
  readonly path?: string;
}

type ProblemName =
  | 'ArchivedFeatureError'
  | 'BadDataError'
  | 'ConflictError'
  | 'ContentTypeError'
  | 'ExceedsLimitError'
  | 'InvalidOperationError'
  | 'NameExistsError'
  | 'NotFoundError'
  | 'OperationDeniedError';

const STATUS = {
  ArchivedFeatureError: 400,
  BadDataError: 400,
  ConflictError: 409,
  ContentTypeError: 415,
  ExceedsLimitError: 400,
  InvalidOperationError: 403,
  NameExistsError: 409,
  NotFoundError: 404,
  OperationDeniedError: 403,
} as const satisfies Record<ProblemName, number>;

/** What a request holds is repeated in answers; they stay short all the same. */
const MESSAGE_CHARS_MAX = 1000;

/** Thrown inside a request; rolls its transaction back and becomes the answer. */
export class Problem extends Error {
  readonly status: number;
  readonly body: {
    readonly name: ProblemName;
    readonly message: string;
    readonly details: readonly Detail[];
  };

  constructor(name: ProblemName, text: string, given?: readonly Detail[]) {
    const message = text.length > MESSAGE_CHARS_MAX ? `${text.slice(0, MESSAGE_CHARS_MAX)}…` : text;
    const details = given ?? [{ message }];
    super(message);
    this.name = name;
    this.status = STATUS[name];
    this.body = { name, message, details };
  }
}

const INVALID = 'Request validation failed: your request body or params contain invalid data';

/** 400 with every fault of the body. */
export function badData(details: readonly Detail[]): Problem {
  return new Problem(
    'BadDataError',
    `${INVALID}. Refer to the \`details\` list for more information.`,
    details,
  );
}

/** 400 with the one fault that a rule beyond the schema found. */
export function badRule(message: string): Problem {
  const { body } = new Problem('BadDataError', message);
  return new Problem('BadDataError', `${INVALID}: ${body.message}`, body.details);
}

/** 400: one more would be too many. Unleash's text. */
export function exceeds(resource: string, limit: number): Problem {
  return new Problem(
    'ExceedsLimitError',
    `Failed to create ${resource}. You can't create more than the established limit of ${limit}.`,
  );
}
