import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key, PEM. */
export interface Certified {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Certified {
  /** A certificate for these names and addresses (IPv4), valid until 2049. */
  issue(...names: readonly string[]): Certified;
}

/** An authority of the test's own, another key every time; its own certificate may be for names, too. */
export function createAuthority(name = 'test authority', own: readonly string[] = []): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signed = (subject: string, of: KeyObject, extensions: readonly Buffer[]): string =>
    pem(certificate({ subject, issuer: name, of, by: keys.privateKey, extensions }));
  return {
    cert: signed(name, keys.publicKey, [
      extension('2.5.29.19', seq(der(0x01, Buffer.from([0xff])))),
      ...(own.length === 0 ? [] : [alternatives(own)]),
    ]),
    key: exported(keys.privateKey),
    issue(...names) {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const cert = signed(names[0] ?? 'nobody', pair.publicKey, [alternatives(names)]);
      return { cert, key: exported(pair.privateKey) };
    },
  };
}

/** A self-signed certificate for `localhost` and 127.0.0.1 with its key: `<name>.crt` and `<name>.key` in the folder. */
export function makeCertificate(folder: string, name = 'front'): Certified {
  const made = createAuthority(name, ['localhost', '127.0.0.1']);
  writeFileSync(join(folder, `${name}.crt`), made.cert);
  writeFileSync(join(folder, `${name}.key`), made.key);
  return { cert: made.cert, key: made.key };
}

interface Plan {
  readonly subject: string;
  readonly issuer: string;
  readonly of: KeyObject;
  readonly by: KeyObject;
  readonly extensions: readonly Buffer[];
}

/** X.509 v3, signed with ECDSA and SHA-256. Source: RFC 5280 §4.1. */
function certificate({ subject, issuer, of, by, extensions }: Plan): Buffer {
  const algorithm = seq(oid('1.2.840.10045.4.3.2'));
  const serial = Buffer.from(generateSerial());
  const body = seq(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    named(issuer),
    seq(time('200101000000Z'), time('491231235959Z')),
    named(subject),
    of.export({ type: 'spki', format: 'der' }),
    der(0xa3, seq(...extensions)),
  );
  return seq(body, algorithm, bits(sign('sha256', body, by)));
}

let serials = 0;

/** Positive, and another one every time: two certificates of one issuer must differ in it. */
function generateSerial(): readonly number[] {
  serials += 1;
  return [0x01, (process.pid >> 8) & 0xff, process.pid & 0xff, serials >> 8, serials & 0xff];
}

function named(commonName: string): Buffer {
  return seq(der(0x31, seq(oid('2.5.4.3'), der(0x0c, Buffer.from(commonName)))));
}

function alternatives(names: readonly string[]): Buffer {
  return extension('2.5.29.17', seq(...names.map(alternative)));
}

function alternative(name: string): Buffer {
  const isAddress = /^\d+(?:\.\d+){3}$/.test(name);
  return isAddress ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name));
}

function extension(id: string, value: Buffer): Buffer {
  return seq(oid(id), der(0x04, value));
}

function time(utc: string): Buffer {
  return der(0x17, Buffer.from(utc));
}

function bits(bytes: Buffer): Buffer {
  return der(0x03, Buffer.concat([Buffer.from([0]), bytes]));
}

function seq(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  return der(0x06, Buffer.from([40 * first + second, ...rest.flatMap(base128)]));
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let left = value >> 7; left > 0; left >>= 7) digits.unshift(0x80 | (left & 0x7f));
  return digits;
}

/** Tag, length, content. Source: X.690 §8.1. */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

function exported(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
