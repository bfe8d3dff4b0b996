/** What is counted of a request: that it was this one, of this kind, in this part of the traffic. Never a value of it. */
import { createHash, hash } from 'node:crypto';
import { mediaType } from '../core/compare/headers.ts';
import { stratumOf } from '../core/evidence/key.ts';
import { shapeText } from '../core/evidence/shape.ts';
import { readExactJson, readPlainJson } from '../core/json.ts';
import { createMemo } from '../core/memo.ts';
import type { Captured, ShadowJob } from '../core/types.ts';
import { headerValue } from '../core/unit.ts';

export interface Sighting {
  /** Digest of method, target, body and unit, below 2^53. */
  readonly request: number;
  /** Digest of what makes two requests the same question with other values. */
  readonly shape: number;
  readonly stratum: string;
}

/** What many requests have in common. */
interface Asked {
  readonly shape: number;
  /** Method and names of the query's parameters. */
  readonly coarse: string;
}

/** Larger bodies count by their size alone. */
const BODY_BYTES_MAX = 16_384;
const REMEMBERED_MAX = 2_048;
const NAMES_MAX = 16;
const MEDIA_TYPE = /^[a-z]{1,20}\/[a-z0-9.+-]{1,60}$/;

/** `key`: secret of this installation; `nameOf`: a name as it may be written down. */
export function createWitness(
  key: Uint8Array,
  nameOf: (name: string) => string,
): (job: ShadowJob, legacy: Captured | null) => Sighting {
  const secret = Buffer.from(key).toString('hex');
  // A prefix is enough of a key here: of the digest 52 of 256 bits are kept, so that nothing can be appended to it.
  const digest = (text: string) => numberOf(hash('sha256', `${secret}\n${text}`, 'hex'));
  const asked = createMemo<Asked>(REMEMBERED_MAX);

  function requestOf({ request, unit }: ShadowJob): number {
    const text = `${request.method}\n${request.target}\n${unit ?? ''}\n`;
    if (request.body.length === 0) return digest(text);
    return numberOf(createHash('sha256').update(`${secret}\n${text}`).update(request.body).digest('hex'));
  }

  /** Most requests ask as one before them did. */
  function askedAs(job: ShadowJob): Asked {
    const { request, unit } = job;
    const queryAt = request.target.indexOf('?');
    const query = queryAt === -1 ? '' : request.target.slice(queryAt + 1);
    const accept = headerValue(request.fields, 'accept') ?? '';
    const name = `${request.method}\n${unit === null}\n${accept}\n${query}`;
    const known = request.body.length === 0 ? asked.get(name) : undefined;
    if (known !== undefined) return known;
    const parameters = query === '' ? [] : [...new URLSearchParams(query)];
    const shape = shapeText({
      method: request.method,
      query: parameters,
      body: bodyOf(job),
      accept,
      unitClass: classOf(unit),
    });
    const made = { shape: digest(shape), coarse: `${request.method}${namesText(parameters, nameOf)}` };
    if (request.body.length === 0) asked.set(name, made);
    return made;
  }

  return (job, legacy) => {
    const { shape, coarse } = askedAs(job);
    const stratum = stratumOf({
      status: legacy?.status ?? 0,
      mediaType: legacy === null ? '' : mediaTypeOf(legacy),
      request: coarse,
      unitClass: classOf(job.unit),
    });
    return { request: requestOf(job), shape, stratum };
  };
}

function classOf(unit: string | null): string {
  return unit === null ? '' : 'unit';
}

function namesText(
  parameters: readonly (readonly [string, string])[],
  nameOf: (name: string) => string,
): string {
  if (parameters.length === 0) return '';
  const names = parameters.slice(0, NAMES_MAX).map(([name]) => nameOf(name));
  return `?${[...new Set(names)].sort().join('&')}`;
}

function mediaTypeOf({ fields, body }: Captured): string {
  if (body.length === 0) return '';
  const type = mediaType(headerValue(fields, 'content-type') ?? '');
  return MEDIA_TYPE.test(type) ? type : 'other';
}

function bodyOf({ request: { body, fields } }: ShadowJob) {
  if (body.length === 0 || body.length > BODY_BYTES_MAX) return null;
  if (!/json/i.test(headerValue(fields, 'content-type') ?? '')) return null;
  const text = new TextDecoder().decode(body);
  const read = readPlainJson(text) ?? readExactJson(text);
  return read.kind === 'value' ? read.value : null;
}

/** 13 hex digits: 52 bits. */
function numberOf(hex: string): number {
  return Number.parseInt(hex.slice(0, 13), 16);
}
