import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Duplex } from 'node:stream';
import type { Timer } from './timer.ts';

declare module 'node:http' {
  interface Agent {
    /** Called for every request before it has a socket. */
    addRequest(request: ClientRequest, options: object): void;
  }
}

/** Largest answer of a flag server that is read, bytes; 5,000 flags with long lists are a tenth of it. */
export const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

export interface FlagAgentDeps {
  readonly url: URL;
  /** The SDK waits this long for an answer to begin, and as long again for its end, ms. */
  readonly timeoutMs: number;
  /** PEM of a private authority, for https. */
  readonly ca: string | undefined;
  readonly timer: Timer;
}

export interface FlagAgent {
  readonly agent: HttpAgent;
  /** Cuts what is under way, and refuses whatever the SDK still tries afterwards. */
  close(): void;
}

/**
 * The connections to a flag server, each answer bounded in bytes and time: the SDK itself reads whatever comes into
 * memory, does not end a compressed or an unread answer that never ends, and asks again meanwhile.
 */
export function createFlagAgent({ url, timeoutMs, ca, timer }: FlagAgentDeps): FlagAgent {
  const options = { keepAlive: true, timeout: timeoutMs };
  const tls = { ...options, rejectUnauthorized: true };
  const agent =
    url.protocol === 'http:'
      ? new HttpAgent(options)
      : new HttpsAgent(ca === undefined ? tls : { ...tls, ca });
  const add = agent.addRequest.bind(agent);

  agent.addRequest = (request, of) => {
    const cancel = timer.after(2 * timeoutMs, () =>
      request.destroy(new Error('timeout: the answer has no end')),
    );
    request.once('close', cancel);
    request.once('response', bound);
    add(request, of);
  };

  return {
    agent,
    close() {
      agent.createConnection = (_options, done) => {
        done?.(new Error('the flag client has stopped'), new Duplex());
        return undefined;
      };
      agent.destroy();
    },
  };
}

function bound(response: IncomingMessage): void {
  // At this hint the SDK drops the body and opens a stream, which over https shows the token to anybody.
  delete response.headers['fetch-mode'];
  // A few bytes can unfold into gigabytes, and nothing compressed was asked for.
  const { 'content-encoding': coding = 'identity' } = response.headers;
  if (coding !== 'identity') {
    response.destroy(new Error('Invalid API response: it is compressed'));
    return;
  }
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) response.destroy(new Error('Invalid API response: it is too large'));
  });
}
