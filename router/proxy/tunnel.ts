import type { ErrorCode } from '../core/errors.ts';
import type { Group } from '../core/types.ts';
import type { ClientConnection } from './client-connection.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** What a tunnel does with its two ends and its exchange. */
export interface TunnelEnds {
  readonly client: ClientConnection;
  readonly upstream: UpstreamConnection;
  /** The group whose service is at the other end; null: legacy is. */
  readonly group: Group | null;
  /** The tunnel is over; called once. */
  over(outcome: 'OK' | ErrorCode): void;
}

/**
 * Bytes both ways after a 101: with back-pressure, an end is passed on, a death of one side ends the other. Idle
 * tunnels and half-closed ones end at their limits. A class because both connections refer to it.
 */
export class Tunnel {
  readonly id: string;
  readonly group: Group | null;
  /** When it is to be closed because its group went back; Infinity: it stays. */
  closesAt = Infinity;
  readonly #ends: TunnelEnds;
  readonly #idleMs: number;
  readonly #halfCloseMs: number;
  #clientEnded = false;
  #upstreamEnded = false;
  #over = false;

  constructor(
    id: string,
    ends: TunnelEnds,
    limits: { readonly tunnelIdleMs: number; readonly tunnelHalfCloseMs: number },
  ) {
    this.id = id;
    this.#ends = ends;
    this.group = ends.group;
    this.#idleMs = limits.tunnelIdleMs;
    this.#halfCloseMs = limits.tunnelHalfCloseMs;
    this.#active();
  }

  fromClient(bytes: Buffer): void {
    const { client, upstream } = this.#ends;
    this.#active();
    upstream.out.bytes(bytes, 0, bytes.length);
    if (!upstream.out.flush()) client.pause();
  }

  fromUpstream(bytes: Buffer): void {
    const { client, upstream } = this.#ends;
    this.#active();
    client.out.bytes(bytes, 0, bytes.length);
    if (!client.out.flush()) upstream.pause();
  }

  clientDrained(): void {
    this.#active();
    this.#ends.upstream.resume();
  }

  upstreamDrained(): void {
    this.#active();
    this.#ends.client.resume();
  }

  clientEnded(): void {
    this.#clientEnded = true;
    this.#ends.upstream.end();
    this.#halfClosed();
  }

  upstreamEnded(): void {
    this.#upstreamEnded = true;
    this.#ends.client.end();
    this.#halfClosed();
  }

  clientLost(): void {
    this.close('OK');
  }

  upstreamLost(): void {
    this.close(this.#upstreamEnded || this.#clientEnded ? 'OK' : 'TUNNEL_CUT');
  }

  /** Ends both sides. What is still on its way to the client is sent. */
  close(outcome: 'OK' | ErrorCode): void {
    if (this.#over) return;
    this.#over = true;
    this.#ends.upstream.destroy();
    this.#ends.over(outcome);
    this.#ends.client.finish();
  }

  #halfClosed(): void {
    if (this.#clientEnded && this.#upstreamEnded) this.close('OK');
    else this.#ends.client.arm(this.#halfCloseMs, 'TUNNEL_IDLE');
  }

  #active(): void {
    if (!this.#clientEnded && !this.#upstreamEnded) this.#ends.client.arm(this.#idleMs, 'TUNNEL_IDLE');
  }
}
