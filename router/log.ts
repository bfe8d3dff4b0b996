import pino from 'pino';
import { ConfigError } from './config.ts';
import type { Log } from './core/ports.ts';

/** JSON lines on stdout; `base` stands in each of them. Throws ConfigError when the environment names no level. */
export function createLog(base: Readonly<Record<string, unknown>> = {}): Log {
  const level = process.env['FIG_LOG_LEVEL'] ?? 'info';
  const levels = [...Object.keys(pino.levels.values), 'silent'];
  if (!levels.includes(level)) {
    throw new ConfigError('the environment', [
      { path: 'FIG_LOG_LEVEL', text: `"${level}" is no level`, hint: `one of ${levels.join(', ')}` },
    ]);
  }
  // Traffic does not end because nobody reads the log, or because its disk is full.
  const destination = pino.destination({ fd: 1, sync: true });
  destination.on('error', () => undefined);
  const logger = pino({ level, base: { ...base }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return {
    debug: (event, fields) => logger.debug({ event, ...fields }),
    info: (event, fields) => logger.info({ event, ...fields }),
    warn: (event, fields) => logger.warn({ event, ...fields }),
    error: (event, fields) => logger.error({ event, ...fields }),
  };
}
