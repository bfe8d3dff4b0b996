/** One thread, kept connections to `target` (`host:port`), no log. */
export function haproxyConfig(port: number, target: string): string {
  return `global
  nbthread 1
  maxconn 4000
  stats timeout 1s
defaults
  mode http
  option forwardfor
  http-reuse always
  timeout connect 2s
  timeout client 600s
  timeout server 60s
listen front
  bind 127.0.0.1:${port} backlog 4096
  server target ${target}
`;
}
