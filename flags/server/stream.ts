import type { Request, Response } from 'express';
import type { Log } from '../../router/core/ports.ts';
import { jittered, type Timer } from '../timer.ts';
import type { Changed, Journal } from './journal.ts';
import { type Limits, PROJECT } from './semantics.ts';
import type { Commit, Store } from './store.ts';
import type { View } from './view.ts';

/** Well below the 60 s after which an SDK gives a silent stream up; it also proves that the data is fresh. */
const HEARTBEAT_MS = 15_000;
const HEARTBEAT_SPREAD = 2 / 15;
/** A client that missed more flags than this gets the whole table. */
const CATCH_UP_FLAGS_MAX = 100;

export interface Streams {
  /** Answers a streaming request and keeps it. 429 when there are as many as there may be. */
  open(request: Request, response: Response, environment: string): void;
  /** Sends one commit to every stream, in the same tick. */
  publish(commit: Commit): void;
  counts(): { readonly open: number; readonly refused: number; readonly cut: number };
  /** Ends every stream. */
  close(): void;
}

export interface StreamsDeps {
  readonly store: Store;
  readonly view: View;
  readonly journal: Journal;
  readonly epoch: string;
  readonly limits: Limits;
  readonly log: Log;
  readonly timer: Timer;
  random(): number;
}

interface Stream {
  readonly environment: string;
  write(frame: string): void;
  end(): void;
}

/** Server-sent events for SDKs in streaming mode: the whole table first, then one event per commit. */
export function createStreams(deps: StreamsDeps): Streams {
  const { store, view, journal, epoch, limits, log, timer, random } = deps;
  const streams = new Set<Stream>();
  const counts = { refused: 0, cut: 0 };

  function frame(event: string, events: string): string {
    return `id: ${epoch}.${store.revision()}\nevent: ${event}\ndata: {"events":[${events}]}\n\n`;
  }

  function changes(environment: string, changed: Changed): string {
    const eventId = store.revision();
    const entries = view.entries(environment);
    const segments = view.segments();
    // Segments first: a flag that uses a new one must not come before it.
    const parts = changed.segments.map((segmentId) => {
      const known = segments.get(segmentId);
      return known === undefined
        ? JSON.stringify({ type: 'segment-removed', eventId, segmentId })
        : `{"type":"segment-updated","eventId":${eventId},"segment":${known.json}}`;
    });
    for (const featureName of changed.features) {
      const entry = entries.get(featureName);
      parts.push(
        entry === undefined
          ? JSON.stringify({ type: 'feature-removed', eventId, featureName, project: PROJECT })
          : `{"type":"feature-updated","eventId":${eventId},"feature":${entry.json}}`,
      );
    }
    return parts.join(',');
  }

  function hydration(environment: string): string {
    const features = [...view.entries(environment).values()].map(({ json }) => json).join(',');
    const segments = [...view.segments().values()].map(({ json }) => json).join(',');
    return `{"type":"hydration","eventId":${store.revision()},"features":[${features}],"segments":[${segments}]}`;
  }

  function missed(environment: string, lastEventId: string | undefined): string {
    const [of, revision] = lastEventId?.split('.') ?? [];
    if (of !== epoch || revision === undefined || !/^\d{1,15}$/.test(revision)) return hydration(environment);
    const since = Number(revision);
    const changed = since <= store.revision() ? journal.since(since) : null;
    if (changed === null || changed.features.length > CATCH_UP_FLAGS_MAX) return hydration(environment);
    return changes(environment, changed);
  }

  function keep(response: Response, environment: string): Stream {
    let cancel: () => void = () => undefined;
    const stream: Stream = {
      environment,
      write(text) {
        response.write(text);
        if (response.writableLength <= limits.streamBytesMax) return;
        // It does not read: it hydrates when it comes back.
        counts.cut += 1;
        log.warn('flags.stream-cut', { unsentBytes: response.writableLength });
        response.destroy();
      },
      end: () => {
        response.end();
      },
    };
    const beat = () => {
      stream.write(frame('unleash-updated', ''));
      cancel = timer.after(jittered(HEARTBEAT_MS, HEARTBEAT_SPREAD, random), beat);
    };
    cancel = timer.after(jittered(HEARTBEAT_MS, HEARTBEAT_SPREAD, random), beat);
    streams.add(stream);
    response.on('close', () => {
      cancel();
      streams.delete(stream);
    });
    return stream;
  }

  return {
    open(request, response, environment) {
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
      keep(response, environment).write(
        frame('unleash-connected', missed(environment, request.get('last-event-id'))),
      );
    },
    publish(commit) {
      const frames = new Map<string, string>();
      for (const stream of [...streams]) {
        const { environment } = stream;
        const text = frames.get(environment) ?? frame('unleash-updated', changes(environment, commit));
        frames.set(environment, text);
        stream.write(text);
      }
    },
    counts: () => ({ open: streams.size, ...counts }),
    close() {
      for (const stream of [...streams]) stream.end();
    },
  };
}
