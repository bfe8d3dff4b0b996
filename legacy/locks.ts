/** One holder per key; the others wait in order of arrival. */
export interface Locks {
  /** Waits for the key and gives its release, which may be called twice. Rejects with LockBusy at the limit. */
  acquire(key: string): Promise<() => void>;
  /** Keys held right now. */
  held(): number;
}

export class LockBusy extends Error {}

/** `waitersMax`: how many may wait for one key before the next is turned away. */
export function createLocks(waitersMax: number): Locks {
  const queues = new Map<string, Array<() => void>>();

  function releaser(key: string): () => void {
    let done = false;
    return () => {
      if (done) return;
      done = true;
      const next = queues.get(key)?.shift();
      if (next === undefined) queues.delete(key);
      else next();
    };
  }

  async function acquire(key: string): Promise<() => void> {
    const waiting = queues.get(key);
    if (waiting === undefined) {
      queues.set(key, []);
      return releaser(key);
    }
    if (waiting.length >= waitersMax)
      throw new LockBusy(`more than ${waitersMax} requests wait for one session`);
    await new Promise<void>((resolve) => waiting.push(resolve));
    return releaser(key);
  }

  return { acquire, held: () => queues.size };
}
