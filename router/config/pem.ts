/** PEM files named in a configuration: read, and looked at before anything rests on them. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TargetTls } from '../core/types.ts';
import type { Fault } from './faults.ts';

/** Where a PEM file was named, and where it may say that it is none. */
export interface PemPlace {
  readonly folder: string;
  /** Of the object that names the files: `tls`, `services.orders.tls`. */
  readonly path: string;
  readonly faults: Fault[];
}

interface Named {
  readonly cert: string;
  readonly key: string;
}

/** A certificate and its key as PEM texts, or null with a fault for each thing that is wrong. */
export function readPair(files: Named, place: PemPlace): Named | null {
  const cert = readCertificate(files.cert, 'cert', place);
  const key = readKey(files.key, place);
  if (cert === null || key === null) return null;
  if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key };
  place.faults.push({
    path: `${place.path}.key`,
    text: `${files.key} is not the key of ${files.cert}`,
    hint: 'the certificate of the key comes first in its file, those of authorities after it',
  });
  return null;
}

/** What an upstream's TLS rests on; a certificate without its key, or the reverse, is a fault. */
export function readTargetTls(
  files: { readonly [name in keyof TargetTls]?: string | undefined },
  place: PemPlace,
): TargetTls {
  const ca = files.ca === undefined ? null : readCertificate(files.ca, 'ca', place);
  const { cert, key } = files;
  if (cert === undefined && key === undefined) return { ca, cert: null, key: null };
  if (cert === undefined || key === undefined) {
    const missing = cert === undefined ? 'cert' : 'key';
    place.faults.push({
      path: `${place.path}.${missing}`,
      text: 'missing',
      hint: 'a client certificate needs both cert and key',
    });
    return { ca, cert: null, key: null };
  }
  return { ca, ...(readPair({ cert, key }, place) ?? { cert: null, key: null }) };
}

function readCertificate(file: string, name: 'ca' | 'cert', place: PemPlace): string | null {
  const text = read(file, name, place);
  if (text === null || holds(() => new X509Certificate(text))) return text;
  place.faults.push({
    path: `${place.path}.${name}`,
    text: `${file} holds no certificate`,
    hint: 'PEM text, -----BEGIN CERTIFICATE-----',
  });
  return null;
}

function readKey(file: string, place: PemPlace): string | null {
  const text = read(file, 'key', place);
  if (text === null || holds(() => createPrivateKey(text))) return text;
  place.faults.push({
    path: `${place.path}.key`,
    text: `${file} holds no key that can be read`,
    hint: 'PEM text without a passphrase, -----BEGIN PRIVATE KEY-----',
  });
  return null;
}

function read(file: string, name: string, { folder, path, faults }: PemPlace): string | null {
  try {
    return readFileSync(resolve(folder, file), 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const gone = code === 'ENOENT';
    faults.push({
      path: `${path}.${name}`,
      text: gone ? `there is no file ${file}` : `${file} cannot be read (${code})`,
      hint: gone ? `looked for in ${folder}` : null,
    });
    return null;
  }
}

function holds(parse: () => unknown): boolean {
  try {
    parse();
    return true;
  } catch {
    return false; // The fault says what was expected; OpenSSL's words would say less.
  }
}
