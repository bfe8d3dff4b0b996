import { expect, test } from 'vitest';
import { decide } from '../../router/core/decide.ts';
import type { Answer, Decision, Reason, Side, Stage, Stop } from '../../router/core/types.ts';

const STAGES: readonly Stage[] = ['legacy', 'shadow', 'canary', 'live', 'sealed', 'retired'];
const STOPS: readonly (Stop | null)[] = [null, 'tripped', 'killed'];
const ANSWERS: readonly Answer[] = ['on', 'off', 'unknown'];

/** The table of the product, written out: stage, stop, serve -> side and reason. */
const EXPECTED: Readonly<Record<Stage, (stop: Stop | null, serve: Answer) => readonly [Side, Reason]>> = {
  legacy: () => ['legacy', 'stage'],
  shadow: () => ['legacy', 'stage'],
  canary: (stop, serve) => {
    if (stop !== null) return ['legacy', stop];
    return { on: ['service', 'flag'], off: ['legacy', 'flag'], unknown: ['legacy', 'flag-unknown'] }[
      serve
    ] as [Side, Reason];
  },
  live: (stop, serve) => {
    if (stop !== null) return ['legacy', stop];
    return { on: ['service', 'flag'], off: ['legacy', 'flag'], unknown: ['service', 'flag-unknown'] }[
      serve
    ] as [Side, Reason];
  },
  sealed: () => ['service', 'stage'],
  retired: () => ['service', 'stage'],
};

/** Copies are made in shadow, canary and live, when the flag says so, and never after a kill. */
function copies(stage: Stage, stop: Stop | null, shadow: Answer): boolean {
  return ['shadow', 'canary', 'live'].includes(stage) && shadow === 'on' && stop !== 'killed';
}

const CASES = STAGES.flatMap((stage) =>
  STOPS.flatMap((stopped) =>
    ANSWERS.flatMap((serve) => ANSWERS.map((shadow) => ({ stage, stopped, serve, shadow }))),
  ),
);

test.each(CASES)('$stage, stop $stopped, serve $serve, shadow $shadow', (signals) => {
  const [side, reason] = EXPECTED[signals.stage](signals.stopped, signals.serve);
  const expected: Decision = { side, reason, shadow: copies(signals.stage, signals.stopped, signals.shadow) };
  expect(decide(signals)).toEqual(expected);
});

test('all 162 combinations were asked', () => expect(CASES.length).toBe(6 * 3 * 3 * 3));

test('a request of no group goes to legacy, unwatched', () => {
  expect(decide(null)).toEqual({ side: 'legacy', shadow: false, reason: 'no-route' });
});
