/** Vectors of the statistics: paired test and e-value, upper bound, and the rule of Diffy as a yardstick. */
import { clopperPearsonUpper } from '../../router/core/noise/bounds.ts';
import { lnPairedE, pairedP } from '../../router/core/noise/paired.ts';
import { diffyFlags } from '../helpers/diffy.ts';
import type { CaseResult } from './cases.ts';

type Vector = Readonly<Record<string, unknown>>;
type Value = number | boolean;

/** What each kind of vector is asked, per name of an expected value. Names that are none of these are refused. */
interface Section {
  readonly inputs: readonly string[];
  readonly answer: (name: string, input: (name: string) => number) => Value | null;
}

const SECTIONS: ReadonlyMap<string, Section> = new Map([
  ['discordant', { inputs: ['b', 'c'], answer: discordant }],
  ['upper', { inputs: ['k', 'n', 'alpha'], answer: upper }],
  ['diffyRule', { inputs: ['raw', 'noise', 'total'], answer: diffy }],
]);
/** Relative; the vectors have six significant digits. */
const TOLERANCE = 1e-5;

/** Runs every vector of a parsed file; throws TypeError when it is not a file of noise vectors. */
export function runNoiseVectors(file: unknown): readonly CaseResult[] {
  if (!isRecord(file)) throw new TypeError('not an object of noise vectors');
  const lists = Object.entries(file).filter(([, content]) => Array.isArray(content));
  if (lists.length === 0) throw new TypeError('no list of noise vectors');
  return lists.flatMap(([name, list]) => {
    const section = SECTIONS.get(name);
    if (section === undefined) throw new TypeError(`unknown kind of noise vectors: ${name}`);
    if (!Array.isArray(list) || !list.every(isRecord))
      throw new TypeError(`${name} is not a list of noise vectors`);
    return list.map((vector) => resultOf(name, section, vector));
  });
}

function resultOf(kind: string, { inputs, answer }: Section, vector: Vector): CaseResult {
  const id = `${kind} ${inputs.map((name) => `${name}=${vector[name]}`).join(' ')}`;
  const input = (name: string) => numberOf(vector, name);
  const names = Object.keys(vector).filter((name) => !inputs.includes(name));
  if (names.length === 0) throw new TypeError(`${id} expects nothing`);
  const wrong = names.flatMap((name) => {
    const got = answer(name, input);
    return got !== null && agrees(vector[name], got) ? [] : [{ name, got: got ?? 'unknown name' }];
  });
  if (wrong.length === 0) return { id, failure: null };
  const expected = wrong.map(({ name }) => `${name} ${vector[name]}`).join(', ');
  return { id, failure: { expected, got: wrong.map(({ name, got }) => `${name} ${got}`).join(', ') } };
}

function discordant(name: string, input: (name: string) => number): Value | null {
  const [b, c] = [input('b'), input('c')];
  if (name === 'p') return pairedP(b, c);
  if (name === 'e') return Math.exp(lnPairedE(b, c));
  const [, test, alpha] = /^reject_([ep])_at_(0\.\d+)$/.exec(name) ?? [];
  if (test === undefined) return null;
  return test === 'e' ? lnPairedE(b, c) >= -Math.log(Number(alpha)) : pairedP(b, c) <= Number(alpha);
}

function upper(name: string, input: (name: string) => number): Value | null {
  return name === 'upper' ? clopperPearsonUpper(input('k'), input('n'), input('alpha')) : null;
}

function diffy(name: string, input: (name: string) => number): Value | null {
  return name === 'flag' ? diffyFlags(input('raw'), input('noise'), input('total')) : null;
}

function agrees(expected: unknown, got: Value): boolean {
  if (typeof expected !== 'number' || typeof got !== 'number') return expected === got;
  return Math.abs(got - expected) <= TOLERANCE * Math.abs(expected);
}

function numberOf(vector: Vector, name: string): number {
  const value = vector[name];
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, is ${JSON.stringify(value)}`);
  return value;
}

function isRecord(value: unknown): value is Vector {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
