import type { Accounts, DataPlaneDeps } from '../core/accounts.ts';
import type { parseCidr } from '../core/address.ts';
import type { Roster } from '../core/roster.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Moment } from './moment.ts';
import type { ProxyOptions } from './options.ts';
import type { Pools } from './pool.ts';
import type { Tunnel } from './tunnel.ts';

/** What all connections of one data plane share. */
export interface Engine {
  readonly deps: DataPlaneDeps;
  readonly moment: Moment;
  readonly accounts: Accounts;
  readonly pools: Pools;
  readonly clients: Roster<ClientConnection>;
  readonly tunnels: Set<Tunnel>;
  /** In force for everything that begins now. */
  options: ProxyOptions;
  trusted: readonly NonNullable<ReturnType<typeof parseCidr>>[];
  /** Every answer ends its connection. */
  closing: boolean;
  inFlight: number;
  /** The Date field: made once a second. */
  date(): string;
}
