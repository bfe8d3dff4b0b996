/** Reads a stream of messages from slices with the codec and admission, as a connection does. */
import { type AdmitPolicy, admit } from '../../router/core/admit.ts';
import type { ErrorCode } from '../../router/core/errors.ts';
import type { Fields } from '../../router/core/types.ts';
import { BodyReader, type BodySink } from '../../router/http1/body-reader.ts';
import { answerFraming, persists } from '../../router/http1/framing.ts';
import { isRefusal, MORE } from '../../router/http1/refusal.ts';
import { type RequestLimits, readRequestHead } from '../../router/http1/request-head.ts';
import { type ResponseLimits, readResponseHead } from '../../router/http1/response-head.ts';

const REQUEST_LIMITS: RequestLimits = { headBytesMax: 16_384, targetBytesMax: 8_192, fieldsMax: 128 };
const RESPONSE_LIMITS: ResponseLimits = { upstreamHeadBytesMax: 65_536, upstreamFieldsMax: 512 };
export const POLICY: AdmitPolicy = {
  viaName: 'fig',
  fieldsMax: REQUEST_LIMITS.fieldsMax,
  targetBytesMax: REQUEST_LIMITS.targetBytesMax,
  requestBodyBytesMax: 0,
  peerTrusted: false,
  defaultHost: 'legacy.test:3000',
  hosts: [],
  strict: true,
};

export interface Message {
  /** Of a request, else the method that is answered. */
  readonly method: string;
  /** Of a request, as received; of an answer its status. */
  readonly start: string;
  readonly version: string;
  readonly fields: Fields;
  /** latin1. */
  body: string;
  trailers: Fields;
  complete: boolean;
  /** The connection may carry another message. */
  readonly keepsOpen: boolean;
  /** Offset of the first byte of the start line. */
  readonly at: number;
}

export interface Reading {
  /** The last may be incomplete. */
  readonly messages: readonly Message[];
  readonly refusal: { readonly code: ErrorCode; readonly why: string } | null;
  /** Bytes of complete messages (interim answers included). */
  readonly consumed: number;
  /** `more`: whatever is left is the beginning of something. `over`: what follows is no message for us. */
  readonly end: 'more' | 'refused' | 'over';
}

type Reader = (slices: readonly Buffer[]) => Reading;

export const readRequests: Reader = (slices) => {
  const messages: Message[] = [];
  const body = new BodyReader('client');
  let current: Message | null = null;
  let pending = '';
  let before = 0;
  let consumed = 0;
  for (const slice of slices) {
    let at = 0;
    while (at < slice.length) {
      if (current === null) {
        const held = pending.length;
        pending += slice.toString('latin1', at);
        const result = readRequestHead(pending, REQUEST_LIMITS);
        if (result === MORE) break;
        if (isRefusal(result)) return refused(messages, consumed, result);
        const admission = admit(result.head, POLICY);
        if (!admission.ok) return refused(messages, consumed, { code: admission.code, why: 'not admitted' });
        const { method, target, version, fields } = result.head;
        const started: Message = {
          ...{ method, start: target, version, fields, body: '', trailers: [], complete: false },
          keepsOpen: persists(version, fields),
          at: before + at - held + (pending.startsWith('\r\n') ? 2 : 0),
        };
        messages.push(started);
        current = started;
        at += result.end - held;
        pending = '';
        body.start(admission.framing);
        if (admission.admitted.upgrade) {
          started.complete = true;
          return { messages, refusal: null, consumed: before + at, end: 'over' };
        }
      }
      at = body.read(slice, at, sinkOf(current));
      if (body.fault !== null) return refused(messages, consumed, body.fault);
      if (!body.done) break;
      current.trailers = body.trailers;
      current.complete = true;
      consumed = before + at;
      if (!current.keepsOpen) return { messages, refusal: null, consumed, end: 'over' };
      current = null;
    }
    before += slice.length;
  }
  return { messages, refusal: null, consumed, end: 'more' };
};

/** `ended`: the upstream has sent FIN behind the last slice. */
export function answerReader(method: string, ended: boolean): Reader {
  return (slices) => {
    const messages: Message[] = [];
    const body = new BodyReader('upstream');
    let current: Message | null = null;
    let untilClose = false;
    let pending = '';
    let before = 0;
    let consumed = 0;
    for (const slice of slices) {
      let at = 0;
      while (at < slice.length) {
        if (current === null) {
          const held = pending.length;
          pending += slice.toString('latin1', at);
          const result = readResponseHead(pending, RESPONSE_LIMITS);
          if (result === MORE) break;
          if (isRefusal(result)) return refused(messages, consumed, result);
          const { status, fields } = result.head;
          const framing = answerFraming(method, status, result.minor, fields);
          if (isRefusal(framing)) return refused(messages, consumed, framing);
          const version = `1.${result.minor}`;
          const started: Message = {
            ...{ method, start: String(status), version, fields, body: '', trailers: [], complete: false },
            keepsOpen: status !== 101 && framing.kind !== 'until-close' && persists(version, fields),
            at: before + at - held,
          };
          messages.push(started);
          at += result.end - held;
          pending = '';
          if (status < 200) {
            started.complete = true;
            consumed = before + at;
            if (status === 101) return { messages, refusal: null, consumed, end: 'over' };
            continue;
          }
          current = started;
          body.start(framing);
          untilClose = framing.kind === 'until-close';
        }
        at = body.read(slice, at, sinkOf(current));
        if (body.fault !== null) return refused(messages, consumed, body.fault);
        if (!body.done) break;
        current.trailers = body.trailers;
        current.complete = true;
        return { messages, refusal: null, consumed: before + at, end: 'over' };
      }
      before += slice.length;
    }
    if (ended && untilClose && current !== null) {
      current.complete = true;
      return { messages, refusal: null, consumed: before, end: 'over' };
    }
    return { messages, refusal: null, consumed, end: 'more' };
  };
}

function refused(
  messages: readonly Message[],
  consumed: number,
  { code, why }: { readonly code: ErrorCode; readonly why: string },
): Reading {
  return { messages, refusal: { code, why }, consumed, end: 'refused' };
}

function sinkOf(message: Message): BodySink {
  return {
    data(bytes, from, to) {
      message.body += bytes.toString('latin1', from, to);
    },
  };
}
