/** What a service's JSON is made of; a bigint becomes a JSON number with every digit. */
export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

export type MemberOrder = 'as-written' | 'reversed';

/** JSON text of a value, its members in the order given or in the reverse; members that are undefined are left out. */
export function writeJson(value: Json, order: MemberOrder): string {
  if (typeof value === 'bigint') return value.toString();
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (isList(value)) return `[${value.map((item) => writeJson(item, order)).join(',')}]`;
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${writeJson(member, order)}`);
  }
  if (order === 'reversed') members.reverse();
  return `{${members.join(',')}}`;
}

function isList(value: object): value is readonly Json[] {
  return Array.isArray(value);
}
