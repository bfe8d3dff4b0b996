import type { Log } from './core/ports.ts';

/** What is open, in the order of opening, and the way to its end. */
export interface Life {
  onClose(close: () => void | Promise<void>): void;
  /** The end was asked for. */
  ending(): boolean;
  /** Newest first. */
  closeAll(): Promise<void>;
  stop(): Promise<void>;
}

export function createLife(log: Log): Life {
  const closers: (() => void | Promise<void>)[] = [];
  let ending = false;
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  return {
    onClose: (close) => void closers.push(close),
    ending: () => ending,
    closeAll,
    async stop() {
      ending = true;
      await closeAll();
      log.info('stopped');
    },
  };
}
