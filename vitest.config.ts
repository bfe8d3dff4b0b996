import { defineConfig } from 'vitest/config';

/** Tests that measure nothing and bound no wait closely: two of them may share two processors. */
const CALM = [
  'core',
  'http1',
  'config',
  'store',
  'control',
  'cli',
  'flags/server',
  'legacy',
  'new-services',
].map((folder) => `test/${folder}/**/*.test.ts`);
const REAL_UNLEASH = 'test/unleash/**/*.test.ts';

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: { name: 'calm', include: CALM, maxWorkers: 2, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: 'fig',
          include: ['test/**/*.test.ts'],
          exclude: [...CALM, REAL_UNLEASH],
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'unleash',
          include: [REAL_UNLEASH],
          globalSetup: ['test/unleash/servers.ts'],
          // These tests wait for a server's own second, they do not work: more of them than processors may run.
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
