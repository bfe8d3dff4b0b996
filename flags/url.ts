/** One thing that is wrong with a configuration: where, and what to do. */
export interface Fault {
  readonly path: string;
  readonly text: string;
}

/**
 * The API root of a flag server, with `/api/` at its end: `http://127.0.0.1:4242` and `http://127.0.0.1:4242/api/`
 * are the same server. Faults when it is no http(s) URL or carries credentials, which would end up in logs.
 */
export function parseFlagUrl(text: string): URL | Fault {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return { path: 'url', text: 'must be an http: or https: URL' };
  }
  if (url.username !== '' || url.password !== '') {
    return { path: 'url', text: 'must not carry credentials; use the token' };
  }
  url.search = '';
  url.hash = '';
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith('/api') ? `${path}/` : `${path}/api/`;
  return url;
}

/** Whether a URL stays on this machine. */
export function isLoopback(url: URL): boolean {
  const { hostname } = url;
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}
