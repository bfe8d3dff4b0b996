import type { Client } from './client.ts';
import type { Slot } from './schedule.ts';
import type { Shopper, Step } from './shopper.ts';
import type { Tally } from './tally.ts';

export interface DriveDeps {
  readonly client: Client;
  readonly shopperOf: (session: number) => Shopper;
  readonly tally: Tally;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** Waits; returns early when the signal is aborted. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface DriveLimits {
  readonly inFlightMax: number;
  /** Steps that have not started so long after the last was due are given up. */
  readonly overrunMs: number;
}

/** How long a run that was ended early waits for the answers under way. */
const GOODBYE_MS = 1_000;

interface Due {
  readonly slot: Slot;
  readonly dueMs: number;
}

/**
 * Plays a schedule in open loop: a slow target does not slow the shoppers down, it makes their steps late. Steps of
 * one session run one after the other. Returns how many steps never started; an aborted signal ends it early.
 */
export async function drive(
  slots: readonly Slot[],
  deps: DriveDeps,
  { inFlightMax, overrunMs }: DriveLimits,
  signal: AbortSignal,
): Promise<{ readonly unsent: number }> {
  const { client, shopperOf, tally, nowMs, pause } = deps;
  const busy = new Map<number, Promise<void>>();
  // Bounded by the schedule, which is itself bounded.
  const waiting: Due[] = [];
  const startMs = nowMs();
  let sent = 0;
  let over = false;

  function startable({ slot }: Due): boolean {
    return !over && busy.size < inFlightMax && !busy.has(slot.session);
  }

  function begin(due: Due): void {
    sent += 1;
    const done = play(due).finally(() => {
      busy.delete(due.slot.session);
      const next = waiting.findIndex(startable);
      const [first] = next < 0 ? [] : waiting.splice(next, 1);
      if (first !== undefined) begin(first);
    });
    busy.set(due.slot.session, done);
  }

  async function play({ slot, dueMs }: Due): Promise<void> {
    const shopper = shopperOf(slot.session);
    if (!shopper.opened()) {
      const opening = shopper.opening();
      const status = await ask(opening, (answer) => shopper.learn('opening', answer));
      tally.opened(opening.route, status, opening.expected);
    }
    const step = shopper.step(slot.kind, slot.draw);
    const status = await ask(step, (answer) => shopper.learn(slot.kind, answer));
    tally.answered(step.route, status, step.expected, nowMs() - dueMs);
  }

  /** The status, or 0 when no answer came. */
  async function ask(step: Step, learn: Learn): Promise<number> {
    try {
      const answer = await client.send(step.outgoing);
      learn(answer);
      return answer.status;
    } catch {
      return 0;
    }
  }

  for (const slot of slots) {
    const dueMs = startMs + slot.atMs;
    if (dueMs > nowMs()) await pause(dueMs - nowMs(), signal);
    if (signal.aborted) {
      over = true;
      break;
    }
    const due = { slot, dueMs };
    if (startable(due)) begin(due);
    else {
      tally.late();
      waiting.push(due);
    }
  }
  const endMs = over ? nowMs() + GOODBYE_MS : startMs + (slots.at(-1)?.atMs ?? 0) + overrunMs;
  while (busy.size > 0 && nowMs() < endMs) {
    const left = new AbortController();
    const timer = pause(endMs - nowMs(), left.signal);
    await Promise.race([...busy.values(), timer]);
    left.abort();
  }
  over = true;
  client.close();
  await Promise.all(busy.values());
  return { unsent: slots.length - sent };
}

type Learn = (answer: Awaited<ReturnType<Client['send']>>) => void;
