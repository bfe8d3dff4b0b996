import { expect } from 'vitest';
import type { FlagServer } from '../../../flags/server/app.ts';
import { call, tempDir } from '../world.ts';
import { storedIn, writtenAt } from './stored.ts';

export interface Endpoint {
  readonly method: string;
  readonly path: string;
  /** A body that is taken. */
  readonly body: unknown;
}

/** Attempts on a server, each looked at for traces it should not leave. */
export function attempts({ url, file, server }: { url: string; file: string; server: FlagServer }) {
  const dir = tempDir();
  let before = { at: writtenAt(file), rows: storedIn(file, dir) };

  /** Sends JSON text; a refusal must have Unleash's shape and leave every table and the revision as they were. */
  async function attempt(method: string, path: string, text: string): Promise<number> {
    const revision = server.revision();
    const answer = await call(url, method, path, text);
    const about = `${method} ${path} ${text.slice(0, 200)}`;
    const at = writtenAt(file);
    const after = at === before.at ? before : { at, rows: storedIn(file, dir) };
    if (answer.status >= 300) {
      expect(after.rows, about).toEqual(before.rows);
      expect(server.revision(), about).toBe(revision);
      expect([400, 403, 404, 409], about).toContain(answer.status);
      expect(answer.body, about).toMatchObject({
        name: expect.any(String),
        message: expect.any(String),
        details: expect.arrayContaining([expect.objectContaining({ message: expect.any(String) })]),
      });
      expect(JSON.stringify(answer.body).length, about).toBeLessThan(4096);
    }
    before = after;
    return answer.status;
  }

  return { url, file, server, attempt, stored: () => storedIn(file, dir) };
}

/** JSON texts; some are no value that JavaScript could write. */
export const HOSTILE: readonly string[] = [
  'null',
  'true',
  '0',
  '-1',
  '1.5',
  '1e308',
  '9007199254740993',
  '""',
  '"a b"',
  '".."',
  '"__proto__"',
  '"constructor"',
  '"\\u0000"',
  '"\\ud800"',
  JSON.stringify('x'.repeat(101)),
  JSON.stringify('x'.repeat(5000)),
  '[]',
  '[null]',
  '[[]]',
  '{}',
  '{"__proto__":{"name":"x"},"constructor":1,"toString":null}',
  `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
  `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
];
export const MARK = '"\u0001"';

/** The body as text, once for every place in it, with `MARK` there. */
export function marked(body: unknown): readonly string[] {
  return [MARK, ...inside(body).map((value) => JSON.stringify(value).replace('"\\u0001"', MARK))];
}

function inside(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => ['\u0001', ...inside(item)].map((one) => value.with(index, one)));
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) =>
    ['\u0001', ...inside(item)].map((one) => ({ ...value, [name]: one })),
  );
}

/** The body without one of its properties, once for each at any depth. */
export function lacking(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => lacking(item).map((one) => value.with(index, one)));
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => [
    Object.fromEntries(Object.entries(value).filter(([other]) => other !== name)),
    ...lacking(item).map((one) => ({ ...value, [name]: one })),
  ]);
}
