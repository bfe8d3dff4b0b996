/** Known faults, put into copies of answers to see whether comparing would find them. */

export type FaultKind =
  | 'status'
  | 'header-lost'
  | 'cookie-attribute-lost'
  | 'truncated'
  | 'field-dropped'
  | 'null'
  | 'off-by-one'
  | 'stale'
  | 'wrong-type'
  | 'reordered'
  | 'text-changed';
