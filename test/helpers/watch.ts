/** Something that changes by events, and promises that wait for a state of it. */
export interface Watch {
  /** Says that something changed. */
  wake(): void;
  /** Resolves as soon as `settled` holds, now or after a `wake`. */
  until(settled: () => boolean): Promise<void>;
}

/** Waiting without polling: every condition is looked at again at each `wake`. */
export function createWatch(): Watch {
  const watchers = new Set<() => void>();
  return {
    wake() {
      for (const watcher of [...watchers]) watcher();
    },
    until(settled) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const watcher = (): void => {
        if (!settled()) return;
        watchers.delete(watcher);
        resolve();
      };
      watchers.add(watcher);
      watcher();
      return promise;
    },
  };
}
