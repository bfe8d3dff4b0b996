/** The vocabulary of the seed. Order matters: a changed list is a changed shop and a changed digest. */
export interface CategoryWords {
  readonly slug: string;
  readonly name: string;
  readonly nouns: readonly string[];
}

export const CATEGORIES: readonly CategoryWords[] = [
  category('tables', 'Tables', 'Table|Side Table|Desk|Console|Bench|Trestle|Nightstand|Workbench'),
  category('chairs', 'Chairs', 'Chair|Stool|Armchair|Rocker|Footstool|Barstool|Deckchair|Settle'),
  category('shelves', 'Shelves', 'Shelf|Bookshelf|Bookcase|Rack|Ladder Shelf|Plate Rack|Spice Rack|Cubby'),
  category('beds', 'Beds', 'Bed|Daybed|Cot|Headboard|Bunk|Cradle|Futon|Bed Tray'),
  category('lamps', 'Lamps', 'Lamp|Lantern|Sconce|Pendant|Floor Lamp|Candlestick|Chandelier|Night Light'),
  category('rugs', 'Rugs', 'Rug|Runner|Doormat|Throw|Blanket|Cushion|Tapestry|Bath Mat'),
  category('kitchen', 'Kitchen', 'Bowl|Board|Spoon|Bread Bin|Mortar|Rolling Pin|Butter Dish|Egg Cup'),
  category('garden', 'Garden', 'Planter|Trellis|Bird Table|Sundial|Trug|Dibber|Watering Can|Cold Frame'),
  category('storage', 'Storage', 'Chest|Crate|Basket|Wardrobe|Cupboard|Trunk|Hamper|Hat Box'),
  category('toys', 'Toys', 'Train|Puzzle|Spinning Top|Dollhouse|Ark|Abacus|Hobby Horse|Skittles'),
  category('mirrors', 'Mirrors', 'Mirror|Frame|Screen|Hand Mirror|Cheval|Shaving Mirror|Easel|Clock'),
  category('office', 'Office', 'Tray|Pen Pot|Lectern|Globe|Letter Rack|Inkwell|Ruler|Paperweight'),
];

function category(slug: string, name: string, nouns: string): CategoryWords {
  return { slug, name, nouns: nouns.split('|') };
}

export const MATERIALS = ['Oak', 'Ash', 'Beech', 'Walnut', 'Cherry', 'Elm', 'Maple', 'Willow'] as const;
export const FINISHES_EARLY = ['Antique', 'Carved', 'Classic', 'Fluted', 'Gilded', 'Ivory'] as const;
/** Names that start with these come after the first page of every list, which is where equal names matter. */
export const FINISHES_LATE = ['Rustic', 'Smoked', 'Turned', 'Waxed', 'Weathered'] as const;

/** Half of them in front, so that names sort after z; half inside, where only LIKE meets them. */
export const DIACRITICS = [
  'Élan',
  'Ångström',
  'Über',
  'Çelik',
  'Crème',
  'Señorial',
  'Zoë',
  'Château',
] as const;

export const TAGS = [
  'sale',
  'new',
  'eco',
  'gift',
  'handmade',
  'outdoor',
  'kids',
  'vintage',
  'limited',
] as const;

export const FORENAMES = [
  'Ada',
  'Ben',
  'Cleo',
  'Dev',
  'Edith',
  'Femi',
  'Grace',
  'Hugh',
  'Ines',
  'Jack',
] as const;
export const SURNAMES = [
  'Ashby',
  'Birch',
  'Coppice',
  'Dale',
  'Elmwood',
  'Fern',
  'Grove',
  'Heath',
  'Ivers',
] as const;

export const TITLES = [
  'Lovely',
  'As described',
  'Sturdy',
  'Not for me',
  'Would buy again',
  'A bit small',
] as const;
export const SENTENCES = [
  'Arrived in two days and well packed.',
  'The grain is even nicer than in the picture.',
  'One leg was slightly shorter, a coaster fixed it.',
  'Bought it for my mother, who uses it daily.',
  'Heavier than expected & very solid.',
  'The finish smells of real wax.',
  'Took <5 minutes to put together.',
] as const;
