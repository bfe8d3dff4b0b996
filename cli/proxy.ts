import { type Command, InvalidArgumentError } from 'commander';
import { proxyOnly, type Settings } from '../router/config.ts';
import { startProxy } from '../router/main.ts';
import { CommandFailure, EXIT } from './exit.ts';
import { serve } from './up.ts';

interface ProxyOptions {
  readonly legacy: string;
  readonly listen?: string;
  readonly upstreamHeadMs?: number;
  readonly upstreamBodyIdleMs?: number;
  readonly requestBodyBytesMax?: number;
  readonly workers?: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

export function addProxy(program: Command): void {
  program
    .command('proxy')
    .requiredOption('--legacy <url>', 'where every request goes, http://HOST:PORT')
    .option('--listen <address>', 'HOST:PORT to listen on (default: 127.0.0.1:8080, another port when busy)')
    .option('--upstream-head-ms <ms>', 'longest wait for the head of an answer', wholeArgument)
    .option('--upstream-body-idle-ms <ms>', 'longest pause inside an answer', wholeArgument)
    .option('--request-body-bytes-max <bytes>', 'largest request body, 0 = any', wholeArgument)
    .option('--workers <n>', 'processes that answer requests (default: 1)', wholeArgument)
    .option('--tls-cert <file>', 'PEM file of the certificate: traffic is https')
    .option('--tls-key <file>', 'PEM file of its key')
    .description(
      'a transparent proxy in front of legacy; no configuration file, nothing is rerouted or stored',
    )
    .action((options: ProxyOptions) =>
      serve(async () => startProxy(settingsOf(options), async () => settingsOf(options))),
    );
}

/** Throws CommandFailure or ConfigError; reads the PEM files anew each time. */
function settingsOf(options: ProxyOptions): Settings {
  const { legacy, listen, workers, tlsCert, tlsKey } = options;
  const { upstreamHeadMs, upstreamBodyIdleMs, requestBodyBytesMax } = options;
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new CommandFailure('--tls-cert and --tls-key need each other', EXIT.usage);
  const tls = tlsCert === undefined || tlsKey === undefined ? undefined : { cert: tlsCert, key: tlsKey };
  const timeouts = { upstreamHeadMs, upstreamBodyIdleMs };
  const limits = { requestBodyBytesMax };
  return proxyOnly({ legacy, listen, timeouts, limits, workers, tls }, process.cwd());
}

function wholeArgument(text: string): number {
  const value = Number(text);
  if (!/^\d{1,15}$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('expected a whole number');
  return value;
}
