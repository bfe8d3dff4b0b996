import { expect, inject, test } from 'vitest';
import { differenceLines, replay } from '../flags/golden.ts';

test('the recorded session is what a real Unleash 7.5.1 still does, step for step', async () => {
  const { url, adminToken, clientTokens } = inject('emptyUnleash');
  const differences = await replay({ url, adminToken, clientToken: clientTokens.development });
  expect(differenceLines(differences)).toEqual([]);
});

test('what a server does otherwise is a difference, said in one line', async () => {
  const { url, adminToken, clientTokens } = inject('emptyUnleash');
  const differences = await replay({
    url,
    adminToken,
    clientToken: clientTokens.development,
    exceptions: { 67: { status: 503 } },
    selected: (step) => step === 67,
  });
  expect(differenceLines(differences)).toEqual(['67 GET /health status: recorded 503, is 200']);
});
