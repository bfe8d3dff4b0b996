/** One pair as a single, exactly sized buffer: handed to the comparer by transfer, not by copying. */
import type { ServiceReply } from '../core/compare/comparison.ts';
import type { Captured, Segment } from '../core/types.ts';
import type { Asked } from './asked.ts';

/** Everything but the bytes. */
export interface PairMeta {
  readonly group: string;
  readonly route: { readonly label: string; readonly segments: readonly Segment[] };
  readonly request: Asked & { readonly method: string; readonly target: string; readonly url: string };
  /** `host:port` of both sides' instances. */
  readonly internalHosts: readonly string[];
  /** ISO date; rules that ended before it do not apply. */
  readonly today: string;
  /** Rule paths below which values may be shown in examples. */
  readonly showValues: readonly string[];
  /** Put faults into the service's answer and look which would be found; a number chooses where. Null: no. */
  readonly selfTest: number | null;
}

export interface Pair {
  readonly meta: PairMeta;
  readonly legacy: Captured;
  readonly service: ServiceReply;
}

interface Head {
  readonly meta: PairMeta;
  readonly legacy: Omit<Captured, 'body'>;
  readonly legacyBytes: number;
  readonly service:
    | { readonly kind: 'answer'; readonly answer: Omit<Captured, 'body'>; readonly oversize: boolean }
    | Extract<ServiceReply, { readonly kind: 'failed' }>;
}

const LENGTH_BYTES = 4;

/** Length of the JSON head (32 bits), head, legacy's body, the service's body. */
export function packPair({ meta, legacy, service }: Pair): ArrayBuffer {
  const body = service.kind === 'answer' ? service.answer.body : new Uint8Array();
  const head: Head = {
    meta,
    legacy: bare(legacy),
    legacyBytes: legacy.body.length,
    service: service.kind === 'answer' ? { ...service, answer: bare(service.answer) } : service,
  };
  const text = new TextEncoder().encode(JSON.stringify(head));
  const bytes = new Uint8Array(LENGTH_BYTES + text.length + legacy.body.length + body.length);
  new DataView(bytes.buffer).setUint32(0, text.length);
  bytes.set(text, LENGTH_BYTES);
  bytes.set(legacy.body, LENGTH_BYTES + text.length);
  bytes.set(body, LENGTH_BYTES + text.length + legacy.body.length);
  return bytes.buffer;
}

/** The inverse of `packPair`; bodies are views into the buffer. */
export function unpackPair(buffer: ArrayBuffer): Pair {
  const length = new DataView(buffer).getUint32(0);
  const text = new TextDecoder().decode(new Uint8Array(buffer, LENGTH_BYTES, length));
  const head: Head = JSON.parse(text);
  const bodies = new Uint8Array(buffer, LENGTH_BYTES + length);
  const legacy = { ...head.legacy, body: bodies.subarray(0, head.legacyBytes) };
  const { meta, service } = head;
  if (service.kind === 'failed') return { meta, legacy, service };
  const answer = { ...service.answer, body: bodies.subarray(head.legacyBytes) };
  return { meta, legacy, service: { ...service, answer } };
}

function bare({ status, fields, truncated }: Captured): Omit<Captured, 'body'> {
  return { status, fields, truncated };
}
