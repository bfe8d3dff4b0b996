/** What each seeded fault of the shop must look like in the causes the router reports. */

export interface Cause {
  /** Where it was seen. */
  readonly places: readonly { readonly route: string }[];
  readonly entries: readonly { readonly template: string; readonly kind: string }[];
}

export interface SeededBug {
  readonly id: string;
  /** Path template and kind; every one of them is this fault. */
  readonly evidence: readonly (readonly [template: string, kind: string])[];
}

const BUGS: readonly SeededBug[] = [
  {
    id: 'B01',
    evidence: [
      ['/body/product/price', 'type'],
      ['/body/products/*/price', 'type'],
      ['/body/product/was_price', 'type'],
      ['/body/products/*/was_price', 'type'],
    ],
  },
  { id: 'B02', evidence: [['/body/product/ean', 'extra']] },
  {
    id: 'B03',
    evidence: [
      ['/body/products', 'order'],
      // A tie that the end of a page cuts through: its members change places between pages.
      ['/body/products/*', 'missing'],
      ['/body/products/*', 'extra'],
      ['/body/products/*/id', 'value'],
      ['/body/products/*/sku', 'value'],
      ['/body/products/*/slug', 'value'],
      ['/body/products/*/ean', 'value'],
      ['/body/products/*/price', 'value'],
      ['/body/products/*/weight_g', 'value'],
      ['/body/products/*/category', 'value'],
    ],
  },
  { id: 'B04', evidence: [['/status', 'status']] },
  { id: 'B06', evidence: [['/body/id', 'value']] },
  { id: 'B08', evidence: [['/headers/location', 'value']] },
  { id: 'B13', evidence: [['/body/as_of', 'value']] },
];

/** The faults of these ids. Throws RangeError for one whose evidence is not written down here. */
export function seededBugs(ids: readonly string[]): readonly SeededBug[] {
  return ids.map((id) => {
    const bug = BUGS.find((candidate) => candidate.id === id);
    if (bug === undefined) throw new RangeError(`the evidence of ${id} is not known`);
    return bug;
  });
}

export function found(bug: SeededBug, causes: readonly Cause[]): boolean {
  return causes.some((cause) => cause.entries.some((entry) => shows(bug, entry)));
}

/** Differences that no fault explains. */
export function alarms(bugs: readonly SeededBug[], causes: readonly Cause[]): readonly string[] {
  return causes.flatMap((cause) =>
    cause.entries
      .filter((entry) => !bugs.some((bug) => shows(bug, entry)))
      .map((entry) => `${cause.places[0]?.route} ${entry.template} ${entry.kind}`),
  );
}

function shows(bug: SeededBug, entry: Cause['entries'][number]): boolean {
  return bug.evidence.some(([template, kind]) => template === entry.template && kind === entry.kind);
}
