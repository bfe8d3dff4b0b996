import { expect, test } from 'vitest';
import { createJudge } from '../../router/shadow/judge.ts';
import { ASKED_NOTHING } from '../helpers/batches.ts';

function differing(group: string) {
  const answer = (body: string) => ({
    status: 200,
    fields: ['Content-Type', 'application/json'],
    body: Buffer.from(body),
    truncated: false,
  });
  return {
    meta: {
      group,
      route: { label: 'GET /', segments: [] },
      request: { method: 'GET', target: '/', url: 'http://shop.example/', ...ASKED_NOTHING },
      internalHosts: [],
      today: '2026-01-01',
      showValues: [],
      selfTest: null,
    },
    legacy: answer('{"a":1}'),
    service: { kind: 'answer', answer: answer('{"a":2}'), oversize: false },
  } as const;
}

test('of one cause the first eight pairs give an example, and then one in 32', () => {
  const { judge } = createJudge({ key: Buffer.alloc(32, 7), decodedBytesMax: 65_536 });
  const given = Array.from({ length: 100 }, (_, n) => n).filter(() => {
    const judged = judge(differing('catalog'), [], 1);
    return judged.outcome === 'different' && judged.example !== null;
  });
  expect(given).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 32, 64, 96]);
  expect(judge(differing('other'), [], 1)).toMatchObject({ example: expect.any(String) });
});
