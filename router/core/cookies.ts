/** Set-Cookie rewriting: a cookie that an upstream bakes for its own domain or path is kept by the browser for ours. */
import type { Pairs } from './types.ts';

/**
 * One Set-Cookie value with its Domain and Path attributes replaced; `from` = `*` fits any value, an empty `to` drops
 * the attribute. Every other byte stays: quoting, spacing, order, unknown attributes. Source: RFC 6265 §4.1.1.
 */
export function rewriteSetCookie(value: string, domains: Pairs, paths: Pairs): string {
  const [pair = '', ...attributes] = value.split(';');
  let text = pair;
  for (const attribute of attributes) text += rewritten(attribute, domains, paths);
  return text;
}

function rewritten(attribute: string, domains: Pairs, paths: Pairs): string {
  const equals = attribute.indexOf('=');
  const name = attribute.slice(0, Math.max(0, equals)).trim().toLowerCase();
  if (name !== 'domain' && name !== 'path') return `;${attribute}`;
  const was = attribute.slice(equals + 1).trim();
  const to =
    name === 'domain' ? replacement(domains, domainOf(was), domainOf) : replacement(paths, was, same);
  if (to === null) return `;${attribute}`;
  return to === '' ? '' : `;${attribute.slice(0, equals + 1)}${to}`;
}

function replacement(pairs: Pairs, value: string, normal: (text: string) => string): string | null {
  return pairs.find(([from]) => from === '*' || normal(from) === value)?.[1] ?? null;
}

/** RFC 6265 §5.2.3: a leading dot means nothing, case neither. */
function domainOf(text: string): string {
  return text.toLowerCase().replace(/^\./, '');
}

function same(text: string): string {
  return text;
}
