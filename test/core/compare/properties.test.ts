import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchBipartite } from '../../../router/core/compare/align.ts';
import { checkRules } from '../../../router/core/compare/rules.ts';
import { templateOf } from '../../../router/core/compare/trail.ts';
import { readExactJson } from '../../../router/core/json.ts';
import type { Captured } from '../../../router/core/types.ts';
import { compared, json, type RuleText, text, told } from './answers.ts';

const SEED = 20_261_124;
const runs = (numRuns: number) => ({ seed: SEED, numRuns });

const documents = fc.json({ maxDepth: 4 });
const word = fc.constantFrom('a', 'b', 'item', 'x-y');
const xml = fc.letrec<{ node: string }>((tie) => ({
  node: fc
    .tuple(
      word,
      fc.constantFrom('', ' k="1"', " j='2' k='1'", ' xmlns="urn:x"'),
      fc.array(
        fc.oneof({ depthSize: 'small' }, fc.constantFrom('t', ' ', '&amp;', '<!-- c -->'), tie('node')),
        {
          maxLength: 4,
        },
      ),
    )
    .map(([name, attributes, inside]) => `<${name}${attributes}>${inside.join('')}</${name}>`),
})).node;
const typed = (type: string, bodies: fc.Arbitrary<string>) =>
  bodies.map((body) => text(body, ['Content-Type', type]));
const answers: fc.Arbitrary<Captured> = fc.oneof(
  typed('application/json', documents),
  typed(
    'application/x-ndjson',
    fc.array(documents, { maxLength: 4 }).map((lines) => lines.join('\n')),
  ),
  typed('application/xml', xml),
  typed('text/html', xml),
  typed('text/plain', fc.string()),
  typed('application/octet-stream', fc.string({ unit: 'binary' })),
);
const HTML: readonly RuleText[] = [{ path: '/body', action: 'html' }];

test('every answer is the same as itself in another coding, whatever reads it', () => {
  fc.assert(
    fc.property(answers, fc.constantFrom([], HTML, [{ path: '/body', action: 'sse' }]), (answer, rules) => {
      const coded = {
        ...answer,
        fields: ['Content-Encoding', 'gzip', ...answer.fields],
        body: gzipSync(answer.body),
      };
      expect(told(compared(answer, answer, rules))).toEqual(['same']);
      expect(told(compared(answer, coded, rules))).toEqual(['same']);
    }),
    runs(600),
  );
});

test('turned round, missing is extra and everything else stays', () => {
  const swapped = (lines: readonly string[]) =>
    lines.map((line) =>
      line.replace(/ (missing|extra)$/, (_all, kind) => (kind === 'missing' ? ' extra' : ' missing')),
    );
  const kinds = (pair: readonly [Captured, Captured], rules: readonly RuleText[]) =>
    told(compared(...pair, rules)).map((line) => line.split(' ').slice(0, 2).join(' '));
  // Objects only: which of several equally long alignments of two arrays is told may depend on the side.
  const flat = fc.dictionary(word, fc.oneof(fc.nat(2), fc.string({ maxLength: 2 }), fc.constant(null)));
  const nested = fc.dictionary(word, fc.oneof(flat, fc.nat(2))).map((value) => json(value));
  fc.assert(
    fc.property(nested, nested, (a, b) => {
      expect(swapped(kinds([b, a], [])).toSorted()).toEqual(kinds([a, b], []).toSorted());
    }),
    runs(500),
  );
});

test('whether answers match does not depend on who is legacy, whatever they are', () => {
  fc.assert(
    fc.property(answers, answers, fc.constantFrom([], HTML), (a, b, rules) => {
      expect(compared(a, b, rules).outcome).toBe(compared(b, a, rules).outcome);
    }),
    runs(1000),
  );
});

test('the lossless reader accepts exactly what JSON.parse accepts', () => {
  const mutant = fc
    .tuple(
      documents,
      fc.nat(),
      fc.nat(2),
      fc.constantFrom('"', '{', ']', ',', ':', '0', '-', 'e', '\\', '\n', '\u00a0', 'u'),
    )
    .map(([body, place, cut, piece]) => {
      const at = place % (body.length + 1);
      return body.slice(0, at) + piece + body.slice(at + cut);
    });
  fc.assert(
    fc.property(mutant, (body) => {
      let accepted = true;
      try {
        JSON.parse(body);
      } catch {
        accepted = false;
      }
      expect(readExactJson(body).kind).toBe(accepted ? 'value' : 'malformed');
    }),
    runs(3000),
  );
});

test('members in any order are the same, at every depth', () => {
  const reversed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(reversed);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .reverse()
        .map(([key, member]) => [key, reversed(member)]),
    );
  };
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      return compared(json(value ?? null), json(reversed(value ?? null))).outcome === 'same';
    }),
    runs(500),
  );
});

test('one element inserted anywhere is one extra at its place', () => {
  const place = fc.tuple(fc.uniqueArray(fc.nat(1000), { maxLength: 60 }), fc.nat());
  fc.assert(
    fc.property(place, ([list, at]) => {
      const index = at % (list.length + 1);
      const longer = list.toSpliced(index, 0, -1);
      expect(told(compared(json(list), json(longer)))).toEqual(['different', `/body/${index} extra`]);
      expect(told(compared(json(longer), json(list)))).toEqual(['different', `/body/${index} missing`]);
    }),
    runs(300),
  );
});

test('one XML element inserted anywhere is one extra', () => {
  const place = fc.tuple(fc.uniqueArray(fc.nat(1000), { minLength: 1, maxLength: 30 }), fc.nat());
  const list = (numbers: readonly number[]) =>
    text(`<r>${numbers.map((n) => `<i>${n}</i>`).join('')}</r>`, ['Content-Type', 'text/xml']);
  fc.assert(
    fc.property(place, ([numbers, at]) => {
      const index = at % (numbers.length + 1);
      expect(told(compared(list(numbers), list(numbers.toSpliced(index, 0, -1))))).toEqual([
        'different',
        `/body/r/i/${index} extra`,
      ]);
    }),
    runs(200),
  );
});

test('unordered matching leaves as few elements alone as any pairing can', () => {
  /** Most pairs within the tolerance, by trying everything. */
  const best = (left: readonly number[], right: readonly number[], abs: number): number => {
    const [first, ...rest] = left;
    if (first === undefined) return 0;
    const without = best(rest, right, abs);
    return right.reduce((most, value, index) => {
      if (Math.abs(value - first) > abs) return most;
      return Math.max(most, 1 + best(rest, right.toSpliced(index, 1), abs));
    }, without);
  };
  const lists = fc.array(fc.nat(12), { maxLength: 6 });
  fc.assert(
    fc.property(lists, lists, fc.nat(3), (left, right, abs) => {
      const partners = matchBipartite(left.length, right.length, (l, s) => {
        return Math.abs((left[l] ?? 0) - (right[s] ?? 0)) <= abs;
      });
      const pairs = partners.filter((partner) => partner !== null);
      expect(new Set(pairs).size).toBe(pairs.length);
      expect(pairs.length).toBe(best(left, right, abs));
      const rules = [
        { path: '/body', action: 'unordered' },
        { path: '/body/*', action: 'number', abs },
      ];
      const comparison = compared(json(left), json(right), rules);
      const alone = left.length + right.length - 2 * pairs.length;
      expect(comparison.outcome === 'skipped' ? -1 : comparison.count).toBe(alone);
    }),
    runs(400),
  );
});

test('a template of a difference is a valid rule path, and a rule with exactly that path silences it', () => {
  fc.assert(
    fc.property(answers, answers, fc.constantFrom([], HTML), (a, b, reading) => {
      const comparison = compared(a, b, reading);
      if (comparison.outcome !== 'different') return;
      for (const { trail, kind } of comparison.differences) {
        const rule = { path: templateOf(trail), action: 'ignore' };
        expect(checkRules([rule], null)).toEqual([]);
        // How long an array is and what was not read to its end is silenced by no rule of its own.
        if ((kind === 'missing' || kind === 'extra') && typeof trail.segment === 'number') continue;
        const silenced = compared(a, b, [...reading, rule]);
        const left = silenced.outcome === 'skipped' ? [] : silenced.differences;
        expect(left.map((each) => `${templateOf(each.trail)} ${each.kind}`)).not.toContain(
          `${rule.path} ${kind}`,
        );
      }
    }),
    runs(400),
  );
});
