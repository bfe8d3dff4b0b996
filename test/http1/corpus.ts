/** The bytes of the conformance corpus, as one peer or the other would send them. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** What one peer sends on one connection. Bytes are latin1, one character per byte. */
export interface Seed {
  readonly id: string;
  readonly side: 'client' | 'upstream';
  /** Method of the request that an upstream answers. */
  readonly method: string;
  readonly bytes: string;
}

const STEP = z.union([z.string(), z.looseObject({})]);
const CASES = z.array(
  z.looseObject({
    id: z.string(),
    send: z.string().optional(),
    steps: z.array(STEP).optional(),
    upstreamBehaviour: z.looseObject({
      bytes: z.string().optional(),
      chunk: z.string().optional(),
      steps: z.array(z.looseObject({ write: z.string().optional() })).optional(),
    }),
  }),
);
const FOUND = z.array(
  z.strictObject({
    id: z.string(),
    side: z.enum(['client', 'upstream']),
    method: z.string(),
    bytes: z.string(),
    /** What was read differently. */
    note: z.string(),
  }),
);
export type Found = z.infer<typeof FOUND>[number];

export const FOUND_FILE = new URL('../conformance/found.json', import.meta.url);

export function foundSeeds(): Found[] {
  return FOUND.parse(JSON.parse(readFileSync(FOUND_FILE, 'utf8')));
}

export function corpusSeeds(): Seed[] {
  const text = readFileSync(new URL('../conformance/proxy-cases.json', import.meta.url), 'utf8');
  return CASES.parse(JSON.parse(text)).flatMap(({ id, send, steps = [], upstreamBehaviour }) => {
    const client = expanded(send ?? steps.filter((step) => typeof step === 'string').join(''));
    const { bytes = '', chunk = '', steps: writes = [] } = upstreamBehaviour;
    const upstream = expanded(bytes + chunk + writes.map(({ write = '' }) => write).join(''));
    const method = client.startsWith('HEAD ') ? 'HEAD' : 'GET';
    const seeds: Seed[] = [
      { id, side: 'client', method, bytes: client },
      { id, side: 'upstream', method, bytes: upstream },
    ];
    return seeds.filter((seed) => seed.bytes !== '');
  });
}

/** The corpus writes `{{X*N}}` for N times X. */
function expanded(text: string): string {
  return text
    .replace(/\{\{([\s\S]+?)\*(\d+)\}\}/g, (_, unit: string, times: string) => unit.repeat(Number(times)))
    .replace('{{VIA_NAME}}', 'fig');
}
