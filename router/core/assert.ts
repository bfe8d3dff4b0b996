/** Closes a switch over a closed union: the compiler refuses a missing case, and a value from outside throws. */
export function assertNever(value: never): never {
  throw new TypeError(`unexpected value ${JSON.stringify(value)}`);
}
