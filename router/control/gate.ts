/** Lets a bounded number of tasks run at once; the others wait in their order. */
export interface Gate {
  /** Runs the task when there is a place, and gives what it gives. */
  run<T>(task: () => Promise<T>): Promise<T>;
}

/** `placesMax`: tasks at once, at least 1. The queue is as long as its callers make it. */
export function createGate(placesMax: number): Gate {
  const waiting: (() => void)[] = [];
  let taken = 0;
  const leave = () => {
    const next = waiting.shift();
    if (next === undefined) taken -= 1;
    else next();
  };
  return {
    async run(task) {
      if (taken < placesMax) taken += 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await task();
      } finally {
        leave();
      }
    },
  };
}
