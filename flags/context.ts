import type { Context } from 'unleash-client';
import type { Subject } from '../router/core/types.ts';
import { STICKY_FIELD } from './names.ts';

/** Properties a request may add to the context, at most. */
export const PROPERTIES_MAX = 8;
/** UTF-8 bytes of a property's name and of its value, at most; a longer value is left out. */
export const PROPERTY_BYTES_MAX = 256;

const RESERVED: ReadonlySet<string> = new Set([
  STICKY_FIELD,
  'sessionId',
  'environment',
  'appName',
  'currentTime',
  'remoteAddress',
  'properties',
]);

/** What is wrong with an allow-list of property names; empty when it is fine. */
export function propertyFaults(names: readonly string[]): string[] {
  const faults = names.length > PROPERTIES_MAX ? [`at most ${PROPERTIES_MAX} properties`] : [];
  for (const name of names) {
    if (RESERVED.has(name)) faults.push(`the property ${name} is reserved`);
    if (name === '' || Buffer.byteLength(name) > PROPERTY_BYTES_MAX) {
      faults.push(`a property name has 1 to ${PROPERTY_BYTES_MAX} bytes`);
    }
  }
  return faults;
}

/**
 * The Unleash context of one request. `unit` is the sticky key; it is the session id too, so that a strategy that
 * somebody edited to the stickiness `default` stays the same for a unit. `allowed` names the raw properties that
 * constraints may see; the others never leave the request.
 */
export function contextOf(unit: string, raw: Subject['properties'], allowed: readonly string[]): Context {
  const properties: Record<string, string> = { [STICKY_FIELD]: unit };
  const context: Context = { sessionId: unit, properties };
  for (const name of allowed) {
    const value = Object.hasOwn(raw, name) ? raw[name] : undefined;
    if (value === undefined || Buffer.byteLength(value) > PROPERTY_BYTES_MAX) continue;
    if (name === 'userId') context.userId = value;
    else properties[name] = value;
  }
  return context;
}
