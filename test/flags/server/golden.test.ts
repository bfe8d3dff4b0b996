import { expect, test } from 'vitest';
import { differenceLines, type Exception, replay } from '../golden.ts';
import { startServer, TOKENS } from '../world.ts';

const CLIENT = { ...TOKENS, client: `default:development.${'c'.repeat(32)}` };

/** What the embedded server does otherwise on purpose, or cannot have. */
const EXCEPTIONS: Readonly<Record<number, Exception>> = {
  // The context field that stickiness of ours names.
  4: { extra: ['figUnit'] },
  40: { optional: ['collaborators', 'createdBy'] },
  // PostgreSQL gives flags in the order in which its rows happen to lie.
  43: { unordered: ['features'] },
  44: { unordered: ['features'] },
  // An admin token is not taken where SDKs ask.
  45: { skip: true },
  61: { optional: ['collaborators', 'createdBy'] },
  65: { only: ['name'] },
  // Fewer keys, and bounds of our own.
  66: { only: ['version', 'environment'] },
};

test('answers and events of the recorded session are those of Unleash, step for step', async () => {
  const { url } = await startServer({ tokens: CLIENT, policy: 'unleash' });
  const options = { url, adminToken: CLIENT.admin, clientToken: CLIENT.client };
  expect(differenceLines(await replay({ ...options, exceptions: EXCEPTIONS }))).toEqual([]);
});

test('what is stricter than Unleash shows in the session where it is meant to', async () => {
  const { url } = await startServer({ tokens: CLIENT });
  const differences = await replay({
    url,
    adminToken: CLIENT.admin,
    clientToken: CLIENT.client,
    exceptions: {
      ...EXCEPTIONS,
      // A rollout of 101 %, and one that is left out.
      15: { status: 400 },
      16: { status: 400 },
      // The event that tells clients of a strategy's new segments.
      29: { status: 201 },
      // Usage that names no application: any other answer stops an SDK for good.
      51: { status: 202 },
    },
    selected: (step) => !FOLLOWING.has(step),
  });
  expect(differenceLines(differences)).toEqual([]);
});

/** Steps that show what 15 and 16 stored. */
const FOLLOWING: ReadonlySet<number> = new Set([22, 23, 39, 40, 43, 44, 46, 47, 55, 61, 62, 63]);
