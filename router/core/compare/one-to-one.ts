/** Ids of two answers that stand for each other: one image each way, fixed by the first place that shows it. */
export interface OneToOne<T> {
  readonly forward: Map<T, T>;
  readonly backward: Map<T, T>;
}

export function createOneToOne<T>(): OneToOne<T> {
  return { forward: new Map(), backward: new Map() };
}

/** Whether `from` stands for `to`: both are new and are joined now, or they were joined before. A second image either way is refused. */
export function join<T>({ forward, backward }: OneToOne<T>, from: T, to: T): boolean {
  const [image, origin] = [forward.get(from), backward.get(to)];
  if (image === undefined && origin === undefined) {
    forward.set(from, to);
    backward.set(to, from);
    return true;
  }
  return image === to;
}
