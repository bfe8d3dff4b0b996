import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../../router/core/ports.ts';

/** Fresh identifiers, injected so that tests can know them. */
export interface Ids {
  /** RFC 9562 version 4. */
  uuid(): string;
  /** 26 characters of Crockford's base 32: 48 bits of wall time, 80 random bits. Sorts by time. */
  ulid(): string;
  /** 8 lower-case hex digits, new at every call. */
  epoch(): string;
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Identifiers from the runtime's cryptographic randomness. */
export function createIds(clock: Clock): Ids {
  return {
    uuid: () => randomUUID(),
    ulid: () => base32(BigInt(clock.wall()), 10) + base32(BigInt(`0x${randomBytes(10).toString('hex')}`), 16),
    epoch: () => randomBytes(4).toString('hex'),
  };
}

function base32(value: bigint, digits: number): string {
  let text = '';
  for (let shift = BigInt(5 * (digits - 1)); shift >= 0n; shift -= 5n) {
    text += CROCKFORD[Number((value >> shift) & 31n)];
  }
  return text;
}
