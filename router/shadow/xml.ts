/** XML to a neutral document. Nothing is expanded and nothing external is read: entities are only ever reported. */
import { SaxesParser } from 'saxes';
import type { MarkupReading } from '../core/compare/comparison.ts';
import { Element, NODES_MAX } from '../core/json.ts';

/** Nesting; the parser looks a prefix up through all open elements. */
const DEPTH_MAX = 4096;

/** Thrown and caught in this file: ends the parser early. */
class Ended extends Error {
  readonly reading: MarkupReading;

  constructor(reading: MarkupReading) {
    super(reading.kind);
    this.reading = reading;
  }
}

interface Open {
  readonly name: string;
  readonly uri: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: (Element | string)[];
}

/** Total. Free: comments, CDATA form, empty-element form, prefixes, whitespace between elements, declaration, doctype. */
export function readXml(text: string): MarkupReading {
  try {
    return { kind: 'document', root: read(text) };
  } catch (error) {
    return error instanceof Ended ? error.reading : { kind: 'malformed' };
  }
}

function read(text: string): Element {
  const parser = new SaxesParser({ xmlns: true, position: false });
  const document: Open = { name: '', uri: '', attributes: new Map(), children: [] };
  const stack: Open[] = [document];
  let nodes = 0;
  const count = (more: number) => {
    nodes += more;
    if (nodes > NODES_MAX) throw new Ended({ kind: 'too-many' });
  };
  const top = () => stack.at(-1) ?? document;
  const addText = (more: string) => {
    const { children } = top();
    const last = children.at(-1);
    if (typeof last === 'string') children[children.length - 1] = last + more;
    else children.push(more);
  };
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('doctype', (doctype) => {
    if (/<!ENTITY/.test(doctype.replace(/<!--[\s\S]*?-->/g, ''))) throw new Ended({ kind: 'entities' });
  });
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('processinginstruction', ({ target, body }) => {
    count(1);
    top().children.push(new Element(`?${target}`, '', new Map(), [body]));
  });
  parser.on('opentag', ({ local, uri, attributes }) => {
    count(1);
    if (stack.length > DEPTH_MAX) throw new Ended({ kind: 'too-many' });
    const own = Object.values(attributes).filter(({ uri: space }) => space !== XMLNS);
    count(own.length);
    const named = own.map(
      (at) => [at.uri === '' ? `@${at.local}` : `@${at.local} {${at.uri}}`, at.value] as const,
    );
    stack.push({ name: local, uri, attributes: new Map(named), children: [] });
  });
  parser.on('closetag', () => {
    const open = stack.pop();
    if (open !== undefined) top().children.push(closed(open));
  });
  parser.write(text).close();
  return closed(document);
}

const XMLNS = 'http://www.w3.org/2000/xmlns/';

/** Whitespace alone counts only where it is all there is. */
function closed({ name, uri, attributes, children }: Open): Element {
  const between = children.some((child) => typeof child !== 'string');
  const kept = between ? children.filter((child) => typeof child !== 'string' || !isBlank(child)) : children;
  return new Element(name, uri, attributes, kept);
}

function isBlank(text: string): boolean {
  return /^[ \t\r\n]*$/.test(text);
}
