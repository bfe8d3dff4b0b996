/** A thread that wakes its parent every `everyMs`; timers of an event loop only know whole milliseconds. */
import { parentPort, workerData } from 'node:worker_threads';

const { everyMs }: { everyMs: number } = workerData;
const never = new Int32Array(new SharedArrayBuffer(4));
for (let due = performance.now() + everyMs; ; due += everyMs) {
  const wait = due - performance.now();
  if (wait > 0) Atomics.wait(never, 0, 0, wait);
  parentPort?.postMessage(null);
}
