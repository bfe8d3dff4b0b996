import { expect, test } from 'vitest';
import type { Row, Sample } from '../../bench/bench.ts';
import { judge } from '../../bench/budgets.ts';

function front(contestant: string, ...samples: readonly Sample[]): readonly Row[] {
  const scenario = '64 connections, GET 1024';
  return samples.map((sample, n) => ({ set: 'front', scenario, contestant, round: n + 1, sample }));
}

test('medians decide, not the best or the worst round', () => {
  const rows = [
    ...front('nginx', { cpuUs: 10 }, { cpuUs: 10 }, { cpuUs: 10 }),
    ...front('http-proxy', { cpuUs: 60 }, { cpuUs: 60 }, { cpuUs: 60 }),
    ...front('fig-flags', { cpuUs: 99 }, { cpuUs: 20 }, { cpuUs: 1 }),
  ];
  expect(judge(rows, 2).map(({ value, verdict }) => [value, verdict])).toEqual([
    [2, 'held'],
    [20 / 60, 'held'],
  ]);
});

test('a ratio above its budget is missed; one without its peer is not measured', () => {
  const rows = [...front('nginx', { cpuUs: 10 }), ...front('fig-flags', { cpuUs: 21 })];
  expect(judge(rows, 2).map(({ verdict }) => verdict)).toEqual(['missed', 'not measured']);
});

test('only the sets that ran are judged', () => {
  expect(judge([], 2)).toEqual([]);
});

test('two workers are judged only where cores are free for them', () => {
  const scenario = '64 connections, GET 1024';
  const rows: Row[] = ['fig-1', 'fig-2'].map((contestant) => ({
    set: 'workers',
    scenario,
    contestant,
    round: 1,
    sample: { requestsPerSecond: 1_000 },
  }));
  expect(judge(rows, 3).map(({ verdict }) => verdict)).toEqual(['only reported']);
  expect(judge(rows, 4).map(({ verdict }) => verdict)).toEqual(['missed']);
});
