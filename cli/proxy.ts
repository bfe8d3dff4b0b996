import { type Command, InvalidArgumentError } from 'commander';
import { proxyOnly } from '../router/config.ts';
import { startProxy } from '../router/main.ts';
import { serve } from './up.ts';

interface ProxyOptions {
  readonly legacy: string;
  readonly listen?: string;
  readonly upstreamHeadMs?: number;
  readonly upstreamBodyIdleMs?: number;
  readonly requestBodyBytesMax?: number;
}

export function addProxy(program: Command): void {
  program
    .command('proxy')
    .requiredOption('--legacy <url>', 'where every request goes, http://HOST:PORT')
    .option('--listen <address>', 'HOST:PORT to listen on (default: 127.0.0.1:8080, another port when busy)')
    .option('--upstream-head-ms <ms>', 'longest wait for the head of an answer', wholeArgument)
    .option('--upstream-body-idle-ms <ms>', 'longest pause inside an answer', wholeArgument)
    .option('--request-body-bytes-max <bytes>', 'largest request body, 0 = any', wholeArgument)
    .description(
      'a transparent proxy in front of legacy; no configuration file, nothing is rerouted or stored',
    )
    .action(({ legacy, listen, upstreamHeadMs, upstreamBodyIdleMs, requestBodyBytesMax }: ProxyOptions) => {
      const timeouts = { upstreamHeadMs, upstreamBodyIdleMs };
      return serve(async () =>
        startProxy(proxyOnly({ legacy, listen, timeouts, limits: { requestBodyBytesMax } }, process.cwd())),
      );
    });
}

function wholeArgument(text: string): number {
  const value = Number(text);
  if (!/^\d{1,15}$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('expected a whole number');
  return value;
}
