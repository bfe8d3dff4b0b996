/** Legacy tables that are watched: an integer key and the columns whose changes are carried. */
export interface Source {
  readonly table: string;
  readonly key: string;
  readonly columns: readonly string[];
  /** Columns that may hold an integer above 2^53; they travel as text. */
  readonly exact: readonly string[];
}

export const SOURCES: readonly Source[] = [
  { table: 'categories', key: 'id', columns: ['slug', 'name'], exact: [] },
  {
    table: 'products',
    key: 'id',
    columns: [
      'sku',
      'name',
      'slug',
      'category_id',
      'price_pence',
      'was_pence',
      'ean',
      'weight_g',
      'tags',
      'views',
      'version',
      'status',
      'deleted_at',
    ],
    exact: [],
  },
  { table: 'users', key: 'id', columns: ['name'], exact: [] },
  {
    table: 'reviews',
    key: 'id',
    columns: ['product_id', 'user_id', 'stars', 'title', 'body', 'posted', 'deleted'],
    exact: ['product_id'],
  },
];

/** Which tables a service mirrors. */
export const MIRRORS = {
  catalog: ['categories', 'products'],
  reviews: ['users', 'reviews'],
} as const satisfies Record<string, readonly string[]>;

/** SQL that gives a row as JSON text; `row` is an alias or `new`. Never name a BLOB column: JSON cannot hold it. */
export function rowJson({ columns, exact }: Source, row: string): string {
  const members = columns.map((column) => {
    const value = exact.includes(column) ? `CAST(${row}.${column} AS TEXT)` : `${row}.${column}`;
    return `'${column}', ${value}`;
  });
  return `json_object(${members.join(', ')})`;
}
