/** What was compared under one key. */
import type { Kind } from '../compare/comparison.ts';
import { createDistinct, type DistinctContent } from './distinct.ts';

/** What a pair differs in. */
export interface EvidenceSignature {
  /** 16 hex digits. */
  readonly id: string;
  readonly entries: readonly { readonly template: string; readonly kind: Kind }[];
  /** False when entries were cut off; then nothing explains it. */
  readonly complete: boolean;
}

export interface SignatureCount extends EvidenceSignature {
  /** Different requests that showed it. */
  readonly count: number;
}

export interface EvidenceContent {
  readonly requests: DistinctContent;
  readonly observed: DistinctContent;
  readonly compared: DistinctContent;
  /** (request, signature) that were counted. */
  readonly shown: DistinctContent;
  readonly signatures: readonly SignatureCount[];
  /** Counts of signatures that had to make room. */
  readonly evicted: number;
}

export interface Evidence {
  /** A request of this key came in, whether it was compared or not. `shape`: digest of its shape. */
  observed(shape: number): void;
  /** It was compared. `request`: digest of method, target, body and unit; `signature` null: nothing unsilenced differs. */
  compared(request: number, shape: number, signature: EvidenceSignature | null): void;
  /** Different requests compared. */
  readonly n: number;
  /** How many of them differ in something that nothing explains; asked anew each time, since verdicts change. */
  unexplained(explained: (template: string, kind: Kind) => boolean): number;
  shapes(): { readonly observed: number; readonly compared: number };
  /** About what it takes in memory. */
  readonly bytes: number;
  content(): EvidenceContent;
}

/** Takes 2.4 MB when full, twice: once for requests, once for what they showed. */
const REQUESTS_MAX = 65_536;
const SHAPES_MAX = 4096;
const SIGNATURES_MAX = 200;
/** Of a signature and of each of its entries, and of everything else, about. */
const ENTRY_BYTES = 200;
const OWN_BYTES = 2000;
/** Two digests of 52 bits add up to one of 53. */
const HALF_RANGE = 2 ** 52;

/**
 * Each exact request counts once, however often it comes: 10,000 hits of one cached URL prove little. Exact up to
 * `requestsMax` requests, then rather too few. Whoever keeps many keys shares one budget among them.
 */
export function createEvidence(
  content: EvidenceContent | null = null,
  requestsMax: number = REQUESTS_MAX,
): Evidence {
  const requests = createDistinct(requestsMax, content?.requests);
  const shown = createDistinct(requestsMax, content?.shown);
  const observed = createDistinct(SHAPES_MAX, content?.observed);
  const compared = createDistinct(SHAPES_MAX, content?.compared);
  const signatures = new Map(content?.signatures.map((each) => [each.id, each]));
  let evicted = content?.evicted ?? 0;

  function makeRoom(): void {
    if (signatures.size < SIGNATURES_MAX) return;
    let least: SignatureCount | null = null;
    for (const each of signatures.values()) if (least === null || each.count < least.count) least = each;
    if (least === null) return;
    signatures.delete(least.id);
    evicted += least.count;
  }

  return {
    observed: (shape) => void observed.add(shape),
    compared(request, shape, signature) {
      requests.add(request);
      observed.add(shape);
      compared.add(shape);
      if (signature === null) return;
      // Once per request and signature: a request may differ now and then only, and in several ways.
      const pair = (request % HALF_RANGE) + Number.parseInt(signature.id.slice(0, 13), 16);
      if (!shown.add(pair)) return;
      const known = signatures.get(signature.id);
      if (known === undefined) makeRoom();
      signatures.set(signature.id, { ...(known ?? signature), count: (known?.count ?? 0) + 1 });
    },
    get n() {
      return requests.count;
    },
    unexplained(explained) {
      const open = [...signatures.values()].filter(
        ({ entries, complete }) =>
          !complete || !entries.every(({ template, kind }) => explained(template, kind)),
      );
      const count = open.reduce((sum, signature) => sum + signature.count, evicted);
      return Math.min(count, requests.count);
    },
    get bytes() {
      const sets = requests.bytes + shown.bytes + observed.bytes + compared.bytes;
      return [...signatures.values()].reduce(
        (sum, { entries }) => sum + (entries.length + 1) * ENTRY_BYTES,
        sets + OWN_BYTES,
      );
    },
    shapes: () => ({ observed: observed.count, compared: compared.count }),
    content: () => ({
      requests: requests.content(),
      observed: observed.content(),
      compared: compared.content(),
      shown: shown.content(),
      signatures: [...signatures.values()],
      evicted,
    }),
  };
}
