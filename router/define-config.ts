import type { ConfigInput } from './config.ts';

/** Types and completes `fig.config.ts`; returns its argument. Data only: no functions in it. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config;
}
