import { isDeepStrictEqual } from 'node:util';
import { FlagServerError } from '../admin/admin-http.ts';
import { isRecord } from '../json.ts';
import { definitionsOf, type EnvironmentExport, type ExportedSegment, TransferError } from './export-file.ts';
import { partsOf } from './import-parts.ts';
import { connectTo, type ImportDeps, type ServerSegment, type Session, shownList } from './import-server.ts';
import { type Verification, verifyFlags } from './verify.ts';

/** A real Unleash serves a change up to 1 s later, so what is read back is read again before it is a difference. */
const READ_BACK_TRIES = 3;
const READ_BACK_PAUSE_MS = 1_000;
const SEED = 20_260_101;

export interface ImportedEnvironment extends Verification {
  readonly environment: string;
  /** Flags that were there before and were replaced. */
  readonly replaced: number;
  /** Segments that were created. */
  readonly created: readonly string[];
  /** Segments that the file only names: the server's own constraints were taken as true. */
  readonly assumed: readonly string[];
}

export interface ImportResult {
  readonly environments: readonly ImportedEnvironment[];
  /** What could not be tidied up, in sentences; empty when all is well. */
  readonly leftovers: readonly string[];
}

/**
 * Moves exported environments into a flag server, a real Unleash or an embedded one, and evaluates every flag on
 * what the server then gives its clients. All environments are checked before anything is changed; one import is
 * one transaction of the server (above 450 kB: several); a repeated import replaces. Credentials that it makes
 * live as long as the import and are deleted, also when it fails. TransferError when anything is refused.
 */
export async function importFlags(
  deps: ImportDeps,
  environments: readonly EnvironmentExport[],
): Promise<ImportResult> {
  const server = connectTo(deps);
  const leftovers: string[] = [];
  const session = await server.open(deps.login);
  const created: { readonly id: number; readonly name: string }[] = [];
  let progress: Progress = 'nothing';
  try {
    const known = await session.segments();
    await requireEnvironments(session, environments);
    const missing = missingSegments(environments, known);
    const plans = environments.map((one) => partsOf(one, deps.project));
    for (const segment of missing) created.push(await session.createSegment(segment));
    const replaced: number[] = [];
    for (const parts of plans) {
      let count = 0;
      for (const part of parts) count += await session.validate(part);
      replaced.push(count);
    }
    for (const parts of plans) {
      for (const part of parts) {
        if (progress === 'nothing') progress = 'perhaps';
        await session.import(part);
        progress = 'part';
      }
    }
    const results: ImportedEnvironment[] = [];
    for (const [i, one] of environments.entries()) {
      const verification = await verified(deps, session, one, leftovers);
      results.push({
        ...verification,
        environment: one.environment,
        replaced: replaced[i] ?? 0,
        created: namesOf(one.segments.filter(({ name }) => created.some((made) => made.name === name))),
        assumed: namesOf(one.segments.filter(({ constraints }) => constraints === null)),
      });
    }
    await session.close(leftovers);
    return { environments: results, leftovers };
  } catch (error) {
    const refused = error instanceof TransferError && error.fault !== 'unreachable';
    if (progress === 'perhaps' && refused) progress = 'nothing';
    if (progress === 'nothing') for (const { id } of created) await session.removeSegment(id, leftovers);
    await session.close(leftovers);
    throw failureOf(error, progress, leftovers);
  }
}

/** How much of the import the server has; `perhaps`: the answer to the first part was lost. */
type Progress = 'nothing' | 'perhaps' | 'part';

const PROGRESS: Readonly<Record<Progress, string>> = {
  nothing: 'nothing was imported',
  perhaps: 'whether anything was imported is not known: import again once that is mended',
  part: 'a part was imported: import again once that is mended',
};

function failureOf(error: unknown, progress: Progress, leftovers: readonly string[]): unknown {
  if (!(error instanceof TransferError) && !(error instanceof FlagServerError)) return error;
  const fault = error instanceof TransferError ? error.fault : 'refused';
  return new TransferError(fault, [error.message, PROGRESS[progress], ...leftovers].join('; '), error);
}

/** Reads back and evaluates, again while the server may still be serving what was before. */
async function verified(
  { clock, pause }: ImportDeps,
  session: Session,
  one: EnvironmentExport,
  leftovers: string[],
): Promise<Verification> {
  const reader = await session.clientOf(one.environment);
  try {
    const there = await session.segments();
    const constraints = one.segments.map(({ id, name, constraints: own }) => ({
      id,
      constraints: own ?? there.find((segment) => segment.name === name)?.constraints ?? [],
    }));
    const source = definitionsOf(one, constraints);
    for (let tries = 1; ; tries += 1) {
      const target = await reader.table();
      const { environment } = one;
      const verification = await verifyFlags({
        source,
        target,
        environment,
        seed: SEED,
        nowMs: clock.wall(),
      });
      if (verification.differenceCount === 0 || tries >= READ_BACK_TRIES) return verification;
      await pause(READ_BACK_PAUSE_MS);
    }
  } finally {
    await reader.close(leftovers);
  }
}

async function requireEnvironments(
  session: Session,
  environments: readonly EnvironmentExport[],
): Promise<void> {
  const there = await session.environments();
  const lacking = environments.map(({ environment }) => environment).filter((name) => !there.includes(name));
  if (lacking.length > 0)
    throw new TransferError(
      'refused',
      `the server has no environment ${shownList(lacking)}, only ${shownList(there)}: create it there, or leave it out with --environment`,
    );
}

/** Each segment once, by its name. TransferError for one that the server has with other constraints. */
function missingSegments(
  environments: readonly EnvironmentExport[],
  known: readonly ServerSegment[],
): readonly ExportedSegment[] {
  const missing = new Map<string, ExportedSegment>();
  for (const segment of environments.flatMap(({ segments }) => segments)) {
    const there = known.find(({ name }) => name === segment.name);
    const { constraints } = segment;
    if (there !== undefined) {
      if (constraints !== null && !sameConstraints(constraints, there.constraints))
        throw new TransferError(
          'refused',
          `the server has another segment "${segment.name}": rename one of them, or give both the same constraints`,
        );
    } else if (constraints === null) {
      throw new TransferError(
        'refused',
        `the server has no segment "${segment.name}" and the file does not say its constraints: create it there first`,
      );
    } else {
      missing.set(segment.name, segment);
    }
  }
  return [...missing.values()];
}

function sameConstraints(a: readonly unknown[], b: readonly unknown[]): boolean {
  return isDeepStrictEqual(a.map(constraintOf), b.map(constraintOf));
}

/** Without what is a default: servers differ in whether they say it. */
function constraintOf(value: unknown): unknown {
  if (!isRecord(value)) return value;
  const { inverted, caseInsensitive, values, ...rest } = value;
  return {
    ...rest,
    inverted: inverted === true,
    caseInsensitive: caseInsensitive === true,
    values: values ?? [],
  };
}

function namesOf(items: readonly { readonly name: string }[]): readonly string[] {
  return items.map(({ name }) => name);
}
