/** HTML to a neutral document by the HTML5 algorithm, without what makes no difference and what rules leave out. */
import { type DefaultTreeAdapterTypes, defaultTreeAdapter, parse } from 'parse5';
import type { HtmlIgnore, MarkupReading } from '../core/compare/comparison.ts';
import { Element } from '../core/json.ts';
import { type Ancestry, createMatcher, NO_ANCESTRY, parseSelectors } from './selectors.ts';

/** The tree algorithm looks through all open elements at many tags: its cost is nodes × depth. */
const DEPTH_MAX = 2048;
const ELEMENTS_MAX = 200_000;

class TooMany extends Error {}

/** Whitespace next to these is never seen. */
const BLOCKS: ReadonlySet<string> = new Set(
  `#document html head body address article aside blockquote br caption center col colgroup dd details dialog dir div
  dl dt fieldset figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup hr legend li link main menu meta
  base title nav noframes ol optgroup option p pre search section select style script summary table tbody td template
  tfoot th thead tr ul !doctype`.split(/\s+/),
);
/** What is written inside these is kept to the letter. */
const VERBATIM: ReadonlySet<string> = new Set([
  'pre',
  'textarea',
  'listing',
  'script',
  'style',
  'xmp',
  'plaintext',
]);
/** Stands for an attribute's value that is not compared. */
const LEFT_OUT = '\uFFFC';

/**
 * Free: order and quoting of attributes, case of tags, entities, comments, whitespace between blocks. `ignore` must
 * hold checked selectors: another one throws SyntaxError.
 */
export function readHtml(text: string, ignore: readonly HtmlIgnore[]): MarkupReading {
  try {
    return { kind: 'document', root: neutral(parseHtml(text), ignore) };
  } catch (error) {
    if (error instanceof TooMany) return { kind: 'too-many' };
    throw error;
  }
}

function parseHtml(text: string): DefaultTreeAdapterTypes.Document {
  let elements = 0;
  let depth = 0;
  return parse(text, {
    scriptingEnabled: false,
    treeAdapter: {
      ...defaultTreeAdapter,
      createElement(name, uri, attributes) {
        elements += 1 + attributes.length;
        if (elements > ELEMENTS_MAX) throw new TooMany();
        return defaultTreeAdapter.createElement(name, uri, attributes);
      },
      onItemPush() {
        depth += 1;
        if (depth > DEPTH_MAX) throw new TooMany();
      },
      onItemPop() {
        depth -= 1;
      },
    },
  });
}

/** An element whose children are still to be read. */
interface Open {
  readonly name: string;
  readonly uri: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly rest: readonly DefaultTreeAdapterTypes.ChildNode[];
  readonly verbatim: boolean;
  readonly ancestry: Ancestry;
  readonly children: (Element | string)[];
  next: number;
}

function neutral(document: DefaultTreeAdapterTypes.Document, ignore: readonly HtmlIgnore[]): Element {
  const owners = ignore.flatMap((entry) =>
    parseSelectors(entry.selector).map((selector) => ({ entry, selector })),
  );
  const match = createMatcher(owners.map(({ selector }) => selector));
  const root: Open = {
    name: '',
    uri: '',
    attributes: new Map(),
    rest: document.childNodes,
    verbatim: false,
    ancestry: NO_ANCESTRY,
    children: [],
    next: 0,
  };
  const stack: Open[] = [root];
  for (;;) {
    const open = stack.at(-1) ?? root;
    const node = open.rest[open.next];
    open.next += 1;
    if (node === undefined) {
      const element = closed(open);
      stack.pop();
      const parent = stack.at(-1);
      if (parent === undefined) return element;
      parent.children.push(element);
    } else if ('value' in node) addText(open.children, node.value);
    else if ('tagName' in node) stack.push(opened(node, open));
    else if ('publicId' in node) {
      const text = [node.name, node.publicId, node.systemId].join(' ').trim();
      open.children.push(new Element('!doctype', '', new Map(), [text]));
    }
  }

  function opened(node: DefaultTreeAdapterTypes.Element, parent: Open): Open {
    const written = new Map(node.attrs.map(({ name, value }) => [`@${name}`, value]));
    const { matched, below } = match(node.tagName, written, parent.ancestry);
    const entries = [...matched].flatMap((owner) => owners[owner]?.entry ?? []);
    const whole = entries.some(({ attribute }) => attribute === null);
    for (const { attribute } of entries)
      if (written.has(`@${attribute}`)) written.set(`@${attribute}`, LEFT_OUT);
    const content = isTemplate(node) ? node.content.childNodes : node.childNodes;
    return {
      name: node.tagName,
      uri: node.namespaceURI === HTML ? '' : node.namespaceURI,
      attributes: whole ? new Map() : written,
      rest: whole ? [] : content,
      verbatim: parent.verbatim || VERBATIM.has(node.tagName),
      ancestry: below,
      children: [],
      next: 0,
    };
  }
}

function isTemplate(node: DefaultTreeAdapterTypes.Element): node is DefaultTreeAdapterTypes.Template {
  return node.tagName === 'template' && 'content' in node;
}

const HTML = 'http://www.w3.org/1999/xhtml';

/** Texts that only a comment parted are one. */
function addText(children: (Element | string)[], text: string): void {
  const last = children.at(-1);
  if (typeof last === 'string') children[children.length - 1] = last + text;
  else children.push(text);
}

function closed({ name, uri, attributes, children, verbatim }: Open): Element {
  if (verbatim) return new Element(name, uri, attributes, children);
  const kept = children.flatMap((child, index) => {
    if (typeof child !== 'string' || !/^[ \t\n\f\r]*$/.test(child)) return [child];
    const [before, after] = [children[index - 1], children[index + 1]];
    return isBlock(before ?? name) || isBlock(after ?? name) ? [] : [' '];
  });
  return new Element(name, uri, attributes, kept);
}

/** A neighbour, or at either end the name of the parent. */
function isBlock(edge: Element | string): boolean {
  const name = typeof edge === 'string' ? edge : edge.name;
  return name === '' || BLOCKS.has(name);
}
