import { expect, test } from 'vitest';
import { createJournal } from '../../../flags/server/journal.ts';

const NOTHING = { features: [], segments: [] };

test('a journal tells what changed after a revision, each thing once', () => {
  const journal = createJournal(10, 5);
  journal.touch({ features: ['a', 'b'], segments: [1] }, 6);
  journal.touch({ features: ['a'], segments: [2] }, 9);
  expect(journal.since(5)).toEqual({ features: ['b', 'a'], segments: [1, 2] });
  expect(journal.since(6)).toEqual({ features: ['a'], segments: [2] });
  expect(journal.since(9)).toEqual(NOTHING);
});

test('before its first revision it knows nothing', () => {
  expect(createJournal(10, 5).since(4)).toBeNull();
  expect(createJournal(10, 5).since(5)).toEqual(NOTHING);
});

test('what changed longest ago is forgotten first, and the journal says so', () => {
  const journal = createJournal(2, 0);
  journal.touch({ features: ['a'], segments: [] }, 1);
  journal.touch({ features: ['b'], segments: [] }, 2);
  journal.touch({ features: ['a'], segments: [] }, 3);
  expect(journal.since(0)).toEqual({ features: ['b', 'a'], segments: [] });
  journal.touch({ features: [], segments: [1] }, 4);
  expect(journal.since(1)).toBeNull();
  expect(journal.since(2)).toEqual({ features: ['a'], segments: [1] });
});

test('a change of more things than it remembers is not told in part', () => {
  const journal = createJournal(2, 0);
  journal.touch({ features: ['a', 'b', 'c'], segments: [] }, 1);
  expect(journal.since(0)).toBeNull();
  expect(journal.since(1)).toEqual(NOTHING);
});
