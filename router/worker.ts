/** A data-plane process: answers requests with what the control process tells it, and goes on when that one is gone. */
import { createFlagFeed } from '../flags/push.ts';
import { createReader } from '../flags/reader.ts';
import { codeOf } from './bind.ts';
import { clock } from './clock.ts';
import { assertNever } from './core/assert.ts';
import { keepIdentity, withKilled } from './core/snapshot.ts';
import { createDataPlane } from './data-plane.ts';
import { type Kills, watchKillFile } from './kill-file.ts';
import { createLog } from './log.ts';
import { COUNTS_EVERY_MS, type FromWorker, type ToWorker, type WorkerSetup } from './processes/messages.ts';

/** Messages that the control process has not taken yet; above it counts and comparisons wait here. */
const UNSENT_MAX = 8;

let unsent = 0;

/** Resolves when it is written, or when nobody is there to read it. */
function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve();
    unsent += 1;
    process.send(message, undefined, undefined, () => {
      unsent -= 1;
      resolve();
    });
  });
}

function isHeard(): boolean {
  return process.connected && unsent < UNSENT_MAX;
}

function run(setup: WorkerSetup): (message: Exclude<ToWorker, { kind: 'setup' }>) => void {
  const log = createLog({ worker: setup.worker });
  const feed = createFlagFeed(clock);
  if (setup.flags !== null) feed.push(setup.flags);
  const reader = createReader({
    source: { kind: 'push', feed },
    environment: setup.environment,
    backupDir: '',
    clock,
    log,
  });
  reader.start();
  const store = {
    flush(batch: Extract<FromWorker, { kind: 'comparisons' }>['batch']) {
      // Thrown: what was compared is held until somebody takes it.
      if (!isHeard()) throw new Error('the control process is not there');
      void tell({ kind: 'comparisons', batch });
    },
  };
  let { snapshot, options } = setup;
  let kills: Kills = null;
  let watched: { stop(): void } | null = null;
  let ending: Promise<void> | null = null;
  const { digestKey } = setup;
  const plane = createDataPlane({
    snapshot,
    options,
    flags: reader,
    shadow: digestKey === null ? null : { digestKey, store, plane: setup.worker, learned: setup.learned },
    clock,
    log,
  });

  const report = () => tell({ kind: 'counts', counts: plane.collect() });
  const counting = setInterval(() => isHeard() && void report(), COUNTS_EVERY_MS);

  function swap(): void {
    plane.swap(kills === null ? snapshot : withKilled(snapshot, kills));
  }

  function end(leadMs: number): Promise<void> {
    ending ??= (async () => {
      await new Promise((resolve) => setTimeout(resolve, leadMs));
      await plane.drain();
      clearInterval(counting);
      watched?.stop();
      await reader.stop();
      await report();
      log.info('worker-ended');
      process.exit(0);
    })();
    return ending;
  }

  process.on('SIGTERM', () => (ending === null ? void end(options.drainLeadMs) : process.exit(0)));
  // Of a terminal that means the whole group: the control process decides while there is one.
  process.on('SIGINT', () => process.connected || void end(options.drainLeadMs));
  process.on('SIGHUP', () => undefined);
  process.on('disconnect', () => {
    if (ending !== null) return;
    feed.lost();
    log.warn('control-lost', { next: setup.killFile === null ? 'end' : 'serve on' });
    if (setup.killFile === null) return void end(0);
    watched = watchKillFile(setup.killFile, (asked) => {
      kills = asked;
      swap();
    });
  });

  plane
    .start(setup.address)
    .then((port) => tell({ kind: 'ready', port, revision: snapshot.revision }))
    .catch(fail);

  return (message) => {
    switch (message.kind) {
      case 'snapshot':
        // What was counted until now belongs to the state before.
        void report();
        snapshot = keepIdentity(snapshot, message.snapshot);
        swap();
        void tell({ kind: 'applied', revision: snapshot.revision });
        break;
      case 'options':
        try {
          plane.reconfigure(message.options);
          options = message.options;
        } catch (error) {
          log.error('options-refused', { error: String(error) });
        }
        break;
      case 'flags':
        feed.push(message.push);
        break;
      case 'drain':
        void end(0);
        break;
      default:
        assertNever(message);
    }
  };
}

async function fail(error: unknown): Promise<never> {
  await tell({
    kind: 'failed',
    message: error instanceof Error ? error.message : String(error),
    code: codeOf(error),
  });
  process.exit(1);
}

let receive: ReturnType<typeof run> | null = null;

process.on('message', (message: ToWorker) => {
  try {
    if (message.kind === 'setup') receive = run(message.setup);
    else receive?.(message);
  } catch (error) {
    if (receive !== null) throw error;
    void fail(error);
  }
});
// Without a control process from the beginning there is nothing to do.
process.on('disconnect', () => receive === null && process.exit(1));
