import type { Socket } from 'node:net';
import type { AnswerHead } from '../core/answer.ts';
import { answerFields } from '../core/headers.ts';
import type { Target } from '../core/types.ts';
import type { MountOptions } from './options.ts';

export interface TunnelEnds {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Bytes that came behind the upgrade request and were held until now. */
  readonly early: Uint8Array;
  /** Bytes that came in the packet of the 101. */
  readonly upstreamEarly: Uint8Array;
}

/**
 * Answers 101 and joins the two sockets: both ways with back-pressure, an end is passed on, a death of one side
 * ends the other. Idle tunnels and half-closed ones end at their limits.
 */
export function openTunnel(
  ends: TunnelEnds,
  answer: AnswerHead,
  target: Target,
  publicOrigin: string,
  via: string | null,
  limits: Pick<MountOptions, 'tunnelIdleMs' | 'tunnelHalfCloseMs'>,
): void {
  const { client, upstream } = ends;
  const fields = [...answerFields(101, answer.fields, target, publicOrigin)];
  if (via !== null) fields.push('Via', via);
  fields.push('Connection', 'Upgrade', 'Upgrade', 'websocket');
  client.write(`HTTP/1.1 101 Switching Protocols\r\n${lines(fields)}\r\n`, 'latin1');
  if (ends.upstreamEarly.length > 0) client.write(ends.upstreamEarly);
  if (ends.early.length > 0) upstream.write(ends.early);
  join(client, upstream, limits);
  join(upstream, client, limits);
  client.pipe(upstream);
  upstream.pipe(client);
}

function join(
  from: Socket,
  to: Socket,
  limits: Pick<MountOptions, 'tunnelIdleMs' | 'tunnelHalfCloseMs'>,
): void {
  from.setNoDelay(true);
  // Bytes written count as activity too, so that a tunnel with traffic one way only is not idle.
  from.setTimeout(limits.tunnelIdleMs, () => from.destroy());
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
  from.on('end', () => {
    const timer = setTimeout(() => from.destroy(), limits.tunnelHalfCloseMs);
    from.on('close', () => clearTimeout(timer));
  });
}

function lines(fields: readonly string[]): string {
  let text = '';
  for (let i = 0; i + 1 < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return text;
}
