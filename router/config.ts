/** The configuration: found, read, validated. Its shape is `router/config/schema.ts`. */
export { ConfigError, type Fault } from './config/faults.ts';
export { findConfig, loadConfig } from './config/load.ts';
export type { ConfigInput } from './config/schema.ts';
export { type Address, parseConfig, proxyOnly, type Settings } from './config/settings.ts';
