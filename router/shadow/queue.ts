/** The bounded queue between the end of an answer and its copy. Never waits; when full, the newest job is refused. */
import type { Group, ShadowJob, SkipReason } from '../core/types.ts';

export interface QueueLimits {
  /** Jobs that wait, all groups together. */
  readonly requestsMax: number;
  /** Bytes of all copies, waiting and in flight. */
  readonly bytesMax: number;
  /** Jobs being replayed or compared, all groups together. */
  readonly inFlightMax: number;
  /** Groups with jobs; configuration bounds them far below. */
  readonly groupsMax: number;
}

export const QUEUE_LIMITS: QueueLimits = {
  requestsMax: 256,
  bytesMax: 64 * 1024 * 1024,
  inFlightMax: 64,
  groupsMax: 1000,
};

export interface Ticket {
  readonly job: ShadowJob;
  readonly offeredAt: number;
  bytes: number;
}

type Taken = { readonly kind: 'run' | 'stale'; readonly ticket: Ticket };

export interface Queue {
  /** Why one more job of the group would be refused now, whatever it holds; null: there is room. */
  busy(group: Group, now: number): SkipReason | null;
  /** `now`: monotonic ms. Null: taken. */
  offer(job: ShadowJob, now: number): SkipReason | null;
  /** The next job whose group may send one; groups take turns. A `stale` one is released already. */
  next(now: number): Taken | null;
  /** Accounts for bytes of the copied answer; false when the memory budget is spent. */
  grow(ticket: Ticket, bytes: number): boolean;
  /** Must be called once for every job taken to `run`. */
  release(ticket: Ticket): void;
  /** Empties the queue; what is in flight stays. */
  drain(): readonly Ticket[];
  waiting(): number;
  bytes(): number;
}

interface Lane {
  readonly waiting: Ticket[];
  inFlight: number;
  /** Jobs that may still be taken in this second: a bucket that refills with time. */
  tokens: number;
  refilledAt: number;
}

/** While all of a group's places are in flight it may queue this many jobs per place, and no more. */
const WAITING_PER_PLACE = 4;

export function createQueue(limits: QueueLimits = QUEUE_LIMITS): Queue {
  // Insertion order is the order of turns: whoever was served moves to the end.
  const lanes = new Map<string, Lane>();
  let waiting = 0;
  let inFlight = 0;
  let bytes = 0;

  function laneOf({ name, shadowLimits }: Group, now: number): Lane | null {
    let lane = lanes.get(name);
    if (lane === undefined) {
      if (lanes.size >= limits.groupsMax) forgetIdle();
      if (lanes.size >= limits.groupsMax) return null;
      lane = { waiting: [], inFlight: 0, tokens: shadowLimits.perSecondMax, refilledAt: now };
      lanes.set(name, lane);
    }
    const refill = ((now - lane.refilledAt) / 1000) * shadowLimits.perSecondMax;
    lane.tokens = Math.min(shadowLimits.perSecondMax, lane.tokens + refill);
    lane.refilledAt = now;
    return lane;
  }

  function forgetIdle(): void {
    for (const [name, lane] of lanes)
      if (lane.waiting.length === 0 && lane.inFlight === 0) lanes.delete(name);
  }

  /** What speaks against one more job of the group, whatever it holds. */
  function crowding({ shadowLimits: { inFlightMax } }: Group, lane: Lane): SkipReason | null {
    if (lane.tokens < 1) return 'rate';
    if (lane.inFlight >= inFlightMax && lane.waiting.length >= inFlightMax * WAITING_PER_PLACE)
      return 'in-flight';
    return waiting >= limits.requestsMax ? 'queue-full' : null;
  }

  function refusal(job: ShadowJob, lane: Lane): SkipReason | null {
    const { bodyBytesMax } = job.group.shadowLimits;
    if (job.request.body.length > bodyBytesMax || job.answer.body.length > bodyBytesMax) return 'too-large';
    return crowding(job.group, lane);
  }

  return {
    busy(group, now) {
      const lane = laneOf(group, now);
      return lane === null ? 'queue-full' : crowding(group, lane);
    },
    offer(job, now) {
      const lane = laneOf(job.group, now);
      if (lane === null) return 'queue-full';
      const reason = refusal(job, lane);
      if (reason !== null) return reason;
      const size = bytesOf(job);
      if (bytes + size > limits.bytesMax) return 'memory';
      lane.tokens -= 1;
      lane.waiting.push({ job, offeredAt: now, bytes: size });
      waiting += 1;
      bytes += size;
      return null;
    },
    next(now) {
      if (inFlight >= limits.inFlightMax) return null;
      for (const [name, lane] of lanes) {
        const [first] = lane.waiting;
        if (first === undefined || lane.inFlight >= first.job.group.shadowLimits.inFlightMax) continue;
        lane.waiting.shift();
        waiting -= 1;
        lanes.delete(name);
        lanes.set(name, lane);
        if (now - first.offeredAt > first.job.group.shadowPolicy.queueAgeMsMax) {
          bytes -= first.bytes;
          return { kind: 'stale', ticket: first };
        }
        lane.inFlight += 1;
        inFlight += 1;
        return { kind: 'run', ticket: first };
      }
      return null;
    },
    grow(ticket, more) {
      if (bytes + more > limits.bytesMax) return false;
      ticket.bytes += more;
      bytes += more;
      return true;
    },
    release(ticket) {
      const lane = lanes.get(ticket.job.group.name);
      if (lane !== undefined) lane.inFlight -= 1;
      inFlight -= 1;
      bytes -= ticket.bytes;
    },
    drain() {
      const left = [...lanes.values()].flatMap((lane) => lane.waiting.splice(0));
      waiting = 0;
      for (const ticket of left) bytes -= ticket.bytes;
      return left;
    },
    waiting: () => waiting,
    bytes: () => bytes,
  };
}

/** What a job keeps alive. Header text is counted as one byte per character. */
function bytesOf({ request, answer }: ShadowJob): number {
  return request.body.length + answer.body.length + charsOf(request.fields) + charsOf(answer.fields);
}

function charsOf(fields: readonly string[]): number {
  let chars = 0;
  for (const text of fields) chars += text.length;
  return chars;
}
