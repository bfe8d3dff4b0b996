import type { ShownRequest } from './ports.ts';

/**
 * The request as a line for a shell. What is not known stands as `${name:?}`: the shell refuses to run the line until
 * the variable is set, and names it.
 */
export function curlLine({ method, target, fields, hasBody }: ShownRequest, origin: string): string {
  const parts = ['curl', '-sS', '-i'];
  if (method === 'HEAD') parts.push('--head');
  else if (method !== 'GET') parts.push('-X', method);
  for (const [name, value] of fields)
    parts.push('-H', value === null ? `"${name}: \${${variable(name)}:?}"` : `'${name}: ${value}'`);
  if (hasBody) parts.push('--data-binary', '@body');
  const url = `${origin}${target}`;
  const open = /\{(\w+)\}/g;
  parts.push(open.test(url) ? `"${url.replaceAll(open, (_, name: string) => `\${${name}:?}`)}"` : `'${url}'`);
  return parts.join(' ');
}

function variable(name: string): string {
  return name.replaceAll(/\W/g, '_');
}
