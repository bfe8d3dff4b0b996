/** Path templates that learn: an object with very many keys is a dictionary, its keys are one template. */
import { isVariable, segmentsOf, type Trail, templateSegment } from './trail.ts';

export interface TemplateLimits {
  /** Objects whose keys are watched; further ones keep their keys as they are. */
  readonly nodesMax: number;
  /** Distinct keys after which an object is a dictionary. */
  readonly keysMax: number;
}

const TEMPLATE_LIMITS: TemplateLimits = { nodesMax: 2000, keysMax: 32 };

/**
 * `nameOf` gives the text of a member name that may be written down (a name that may not is replaced there). The
 * result is a function from a trail to its template; it remembers keys, bounded by `limits`.
 */
export function createTemplates(
  nameOf: (key: string) => string,
  limits: TemplateLimits = TEMPLATE_LIMITS,
): (trail: Trail) => string {
  const keysAt = new Map<string, Set<string>>();

  function isDictionary(node: string, key: string): boolean {
    let keys = keysAt.get(node);
    if (keys === undefined) {
      if (keysAt.size >= limits.nodesMax) return false;
      keys = new Set();
      keysAt.set(node, keys);
    }
    if (keys.size <= limits.keysMax) keys.add(key);
    return keys.size > limits.keysMax;
  }

  return (trail) => {
    let template = '';
    for (const [depth, segment] of segmentsOf(trail).entries()) {
      const fixed = depth === 0 || (!isVariable(segment) && !isDictionary(template, String(segment)));
      template += `/${fixed ? templateSegment(depth === 0 ? segment : nameOf(String(segment))) : '*'}`;
    }
    return template;
  };
}
