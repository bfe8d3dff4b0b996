import type { MountOptions } from '../../router/mount.ts';
import type { ProxyOptions } from '../../router/proxy/options.ts';
import { mounted } from './mount.ts';
import type { Around, Told } from './neighbours.ts';
import { proxied } from './proxied.ts';

/** Options that both data planes know under one name. */
export type PlaneOptions = Partial<Pick<ProxyOptions, keyof MountOptions & keyof ProxyOptions>>;

/** What both data planes have in common. */
export interface Plane extends Told {
  readonly port: number;
  counts(): {
    readonly inFlight: number;
    readonly tunnels: number;
    readonly retries: number;
    readonly copyBytes: number;
    readonly serviceInFlight: ReadonlyMap<string, number>;
  };
}

type Open = (given: Around & { readonly options?: PlaneOptions }) => Promise<Plane>;

/** The two data planes, for `describe.each`: what is true of both is said once. */
export const PLANES: readonly (readonly [name: string, open: Open])[] = [
  ['mount', mounted],
  ['proxy', proxied],
];
