/** The type of tags that every server has; others come with an import. */
export const TAG_TYPE = 'simple';

const COLOR = '#FFFFFF';
const SIMPLE = {
  name: TAG_TYPE,
  description: 'Used to simplify filtering of features',
  icon: '#',
  color: COLOR,
};

/** The types that these names stand for, and the one that is always there. */
export function tagTypesOf(names: readonly string[]) {
  const others = [...new Set(names)].filter((name) => name !== TAG_TYPE).sort();
  return [SIMPLE, ...others.map((name) => ({ name, description: null, icon: null, color: COLOR }))];
}
