/** An IP address as a number and its width in bits; IPv4 mapped into IPv6 is plain IPv4. */
export interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

/** A block of addresses: the first `prefix` bits of `address` count. */
export interface Cidr {
  readonly address: Address;
  readonly prefix: number;
}

/**
 * `10.0.0.1`, `2001:db8::1`, `::ffff:10.0.0.1` (which is 10.0.0.1) to a number. Null for anything else: a name, a
 * port, a zone id, an octet with a leading zero (some readers take it as octal). Source: RFC 4291 §2.2.
 */
export function parseAddress(text: string): Address | null {
  if (!text.includes(':')) {
    const value = parseV4(text);
    return value === null ? null : { bits: 32, value };
  }
  const value = parseV6(text);
  if (value === null) return null;
  return value >> 32n === 0xffffn ? { bits: 32, value: value & 0xffff_ffffn } : { bits: 128, value };
}

/** `10.0.0.0/8`, `::1/128`, or a single address. Null when it is not one. */
export function parseCidr(text: string): Cidr | null {
  const [head = '', tail, ...more] = text.split('/');
  const address = parseAddress(head);
  if (address === null || more.length > 0) return null;
  if (tail === undefined) return { address, prefix: address.bits };
  const prefix = /^\d{1,3}$/.test(tail) ? Number(tail) : Number.NaN;
  return prefix <= address.bits ? { address, prefix } : null;
}

/** Whether the address lies in one of the blocks. An address that cannot be read lies in none. */
export function isWithin(text: string, blocks: readonly Cidr[]): boolean {
  if (blocks.length === 0) return false;
  const address = parseAddress(text);
  if (address === null) return false;
  return blocks.some(({ address: { bits, value }, prefix }) => {
    const shift = BigInt(bits - prefix);
    return bits === address.bits && value >> shift === address.value >> shift;
  });
}

/** `::ffff:10.0.0.1` is written as `10.0.0.1`; every other address stays as it is. */
export function plainAddress(text: string): string {
  const tail = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(text)?.[1];
  return tail ?? text;
}

function parseV4(text: string): bigint | null {
  const octets = text.split('.');
  if (octets.length !== 4) return null;
  let value = 0n;
  for (const octet of octets) {
    if (!/^(0|[1-9]\d{0,2})$/.test(octet) || Number(octet) > 255) return null;
    value = (value << 8n) | BigInt(octet);
  }
  return value;
}

function parseV6(text: string): bigint | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const [left, right] = halves.map(groupsOf);
  if (left === null || left === undefined || right === null) return null;
  const given = left.length + (right?.length ?? 0);
  if (right === undefined ? given !== 8 : given > 7) return null;
  const groups = [...left, ...Array<number>(8 - given).fill(0), ...(right ?? [])];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** `a:b:1.2.3.4` to 16-bit groups; an empty half has none. */
function groupsOf(half: string): number[] | null {
  if (half === '') return [];
  const texts = half.split(':');
  const groups: number[] = [];
  for (const [index, text] of texts.entries()) {
    if (index === texts.length - 1 && text.includes('.')) {
      const v4 = parseV4(text);
      if (v4 === null) return null;
      groups.push(Number(v4 >> 16n), Number(v4 & 0xffffn));
    } else if (/^[0-9a-f]{1,4}$/i.test(text)) groups.push(Number.parseInt(text, 16));
    else return null;
  }
  return groups;
}
