/** One pair as a single, exactly sized buffer: handed to the comparer by transfer, not by copying. */
import type { ServiceReply } from '../core/compare/comparison.ts';
import type { Triple } from '../core/noise/model.ts';
import type { NoiseKey } from '../core/ports.ts';
import type { Captured, Fields, Segment } from '../core/types.ts';
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
  /** Legacy was asked a second time. */
  readonly baseline?: Baseline;
}

/** Legacy's second answer, and what noise is told from. */
export interface Baseline {
  readonly reply: ServiceReply;
  readonly key: NoiseKey;
  readonly calls: Triple['calls'];
  /** Field lines of the request: an answer may echo one. */
  readonly asked: Fields;
}

type Bare =
  | {
      readonly kind: 'answer';
      readonly answer: Omit<Captured, 'body'>;
      readonly bytes: number;
      readonly oversize: boolean;
    }
  | Extract<ServiceReply, { readonly kind: 'failed' }>;

interface Head {
  readonly meta: PairMeta;
  readonly legacy: Omit<Captured, 'body'>;
  readonly legacyBytes: number;
  readonly service: Bare;
  readonly baseline: (Omit<Baseline, 'reply'> & { readonly reply: Bare }) | null;
}

const LENGTH_BYTES = 4;
const decoder = new TextDecoder();
const encoder = new TextEncoder();
const NO_BYTES = new Uint8Array();

/** Length of the JSON head (32 bits), head, bodies: legacy's, the service's, legacy's second. */
export function packPair({ meta, legacy, service, baseline }: Pair): ArrayBuffer {
  const head: Head = {
    meta,
    legacy: withoutBody(legacy),
    legacyBytes: legacy.body.length,
    service: bare(service),
    baseline: baseline === undefined ? null : { ...baseline, reply: bare(baseline.reply) },
  };
  const text = encoder.encode(JSON.stringify(head));
  const bodies = [legacy.body, bodyOf(service), baseline === undefined ? NO_BYTES : bodyOf(baseline.reply)];
  const length = bodies.reduce((sum, body) => sum + body.length, LENGTH_BYTES + text.length);
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(0, text.length);
  bytes.set(text, LENGTH_BYTES);
  let at = LENGTH_BYTES + text.length;
  for (const body of bodies) {
    bytes.set(body, at);
    at += body.length;
  }
  return bytes.buffer;
}

/** The inverse of `packPair`; bodies are views into the buffer. */
export function unpackPair(buffer: ArrayBuffer): Pair {
  const length = new DataView(buffer).getUint32(0);
  const text = decoder.decode(new Uint8Array(buffer, LENGTH_BYTES, length));
  const head: Head = JSON.parse(text);
  let bodies = new Uint8Array(buffer, LENGTH_BYTES + length);
  const take = (bytes: number) => {
    const body = bodies.subarray(0, bytes);
    bodies = bodies.subarray(bytes);
    return body;
  };
  const replyOf = (reply: Bare): ServiceReply => {
    if (reply.kind === 'failed') return reply;
    const { bytes, ...rest } = reply;
    return { ...rest, answer: { ...reply.answer, body: take(bytes) } };
  };
  const { meta, baseline } = head;
  const legacy = { ...head.legacy, body: take(head.legacyBytes) };
  const pair = { meta, legacy, service: replyOf(head.service) };
  return baseline === null ? pair : { ...pair, baseline: { ...baseline, reply: replyOf(baseline.reply) } };
}

function bare(reply: ServiceReply): Bare {
  if (reply.kind === 'failed') return reply;
  const { answer, oversize, kind } = reply;
  return { kind, answer: withoutBody(answer), bytes: answer.body.length, oversize };
}

function bodyOf(reply: ServiceReply): Uint8Array {
  return reply.kind === 'answer' ? reply.answer.body : NO_BYTES;
}

function withoutBody({ status, fields, truncated }: Captured): Omit<Captured, 'body'> {
  return { status, fields, truncated };
}
