import type { Request, Response } from 'express';
import type { Clock, Log } from '../../router/core/ports.ts';
import { jittered, type Timer } from '../timer.ts';
import type { Deltas } from './delta.ts';
import { createOutbox } from './outbox.ts';
import type { Limits } from './semantics.ts';
import type { Commit, TokenRow } from './store.ts';

/** Well below the 60 s after which an SDK gives a silent stream up; it also proves that the data is fresh. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT_SPREAD = 2 / 15;

/** Whose stream it is: the token decides what is sent, and for how long. */
export type StreamToken = Pick<TokenRow, 'hash' | 'environment' | 'expiresAt'>;

export interface Streams {
  /** Answers a streaming request and keeps it. 429 when there are as many as there may be. */
  open(request: Request, response: Response, token: StreamToken): void;
  /** Sends one commit to every stream, in the same tick. */
  publish(commit: Commit): void;
  /** Ends the streams of a token that is valid no more, by the hash it is stored under. */
  closeOf(tokenHash: Buffer): void;
  counts(): { readonly open: number; readonly refused: number; readonly cut: number };
  /** Ends every stream. */
  close(): void;
}

export interface StreamsDeps {
  readonly deltas: Deltas;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: Log;
  readonly timer: Timer;
  random(): number;
}

interface Stream {
  readonly token: StreamToken;
  send(frame: Buffer): void;
  end(): void;
}

/** Server-sent events for SDKs in streaming mode: the whole table first, then one event per commit. */
export function createStreams({ deltas, limits, clock, log, timer, random }: StreamsDeps): Streams {
  const streams = new Set<Stream>();
  const counts = { refused: 0, cut: 0 };
  /** By environment; clients that come back together share one. */
  const hydrations = new Map<string, { readonly eventId: string; readonly frame: Buffer }>();

  function frame(event: string, delta: string): Buffer {
    return Buffer.from(`id: ${deltas.eventId()}\nevent: ${event}\ndata: ${delta}\n\n`);
  }

  function hydration(environment: string): Buffer {
    const eventId = deltas.eventId();
    const known = hydrations.get(environment);
    if (known?.eventId === eventId) return known.frame;
    const fresh = { eventId, frame: frame('unleash-connected', deltas.hydration(scopeOf(environment))) };
    hydrations.set(environment, fresh);
    return fresh.frame;
  }

  function firstFrame(environment: string, lastEventId: string | undefined): Buffer {
    const missed = lastEventId === undefined ? null : deltas.since(scopeOf(environment), lastEventId);
    return missed === null ? hydration(environment) : frame('unleash-connected', missed.text);
  }

  function hasExpired({ expiresAt }: StreamToken): boolean {
    return expiresAt !== null && Date.parse(expiresAt) <= clock.wall();
  }

  function keep(response: Response, token: StreamToken, first: Buffer): void {
    const outbox = createOutbox(response);
    /** A large table on a slow line is not yet a client that does not read. */
    let graceBytes = first.length;
    let cancelBeat: () => void = () => undefined;

    function forget(): void {
      cancelBeat();
      streams.delete(stream);
    }
    function cut(): void {
      // It does not read: it hydrates when it comes back.
      counts.cut += 1;
      log.warn('flags.stream-cut', { unsentBytes: outbox.unsentBytes() });
      forget();
      response.destroy();
    }
    const stream: Stream = {
      token,
      send(bytes) {
        if (hasExpired(token)) {
          stream.end();
          return;
        }
        if (outbox.unsentBytes() === 0) graceBytes = 0;
        outbox.push(bytes);
        if (outbox.unsentBytes() > limits.streamBytesMax + graceBytes) cut();
      },
      end() {
        forget();
        if (outbox.isBlocked()) response.destroy();
        else response.end();
      },
    };
    function beatLater(): void {
      cancelBeat = timer.after(jittered(HEARTBEAT_MS, HEARTBEAT_SPREAD, random), () => {
        // Before the frame: one that ends the stream must find no beat to come.
        beatLater();
        if (outbox.isStuck()) cut();
        else stream.send(frame('unleash-updated', NO_EVENTS));
      });
    }
    streams.add(stream);
    beatLater();
    response.on('close', forget);
    outbox.push(first);
  }

  function end(which: (stream: Stream) => boolean): void {
    for (const stream of [...streams].filter(which)) stream.end();
  }

  return {
    open(request, response, token) {
      if (streams.size >= limits.streamsMax) {
        counts.refused += 1;
        response.status(429).json({ message: 'too many streams' });
        return;
      }
      response.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-store, no-transform',
        'X-Accel-Buffering': 'no',
      });
      if (request.method === 'HEAD') {
        response.end();
        return;
      }
      keep(response, token, firstFrame(token.environment, request.get('last-event-id')));
    },
    publish(commit) {
      const frames = new Map<string, Buffer>();
      for (const stream of [...streams]) {
        const { environment } = stream.token;
        const known =
          frames.get(environment) ?? frame('unleash-updated', deltas.of(scopeOf(environment), commit));
        frames.set(environment, known);
        stream.send(known);
      }
    },
    closeOf: (tokenHash) => end(({ token }) => token.hash.equals(tokenHash)),
    counts: () => ({ open: streams.size, ...counts }),
    close: () => end(() => true),
  };
}

const NO_EVENTS = '{"events":[]}';

/** An SDK sends no query with its stream. */
function scopeOf(environment: string) {
  return { environment, projects: null, namePrefix: null };
}
