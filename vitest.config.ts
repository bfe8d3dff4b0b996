import { defineConfig } from 'vitest/config';

const REAL_UNLEASH = 'test/unleash/**/*.test.ts';

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 20_000,
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: { name: 'fig', include: ['test/**/*.test.ts'], exclude: [REAL_UNLEASH] },
      },
      {
        extends: true,
        test: {
          name: 'unleash',
          include: [REAL_UNLEASH],
          globalSetup: ['test/unleash/servers.ts'],
          // These tests wait for a server's own second, they do not work: more of them than processors may run.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
