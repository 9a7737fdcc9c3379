/** Only for tests: an element of a parsed document. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (XmlElement | string)[];
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };
const TOKEN = /<!doctype html>|<\/([a-zA-Z][\w:-]*)>|<([a-zA-Z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/y;

/**
 * Only for tests: parses a document that is well-formed XML, and throws at anything else.
 *
 * Strict on purpose: a label that broke out of its place gives a syntax error here, or an element that nobody expects.
 */
export function parseXml(source: string): XmlElement {
  const root = { name: '', attributes: {}, children: [] as (XmlElement | string)[] };
  const open = [root];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < source.length; at = TOKEN.lastIndex) {
    const match = TOKEN.exec(source);
    if (match === null) throw new Error(`not well-formed at ${at}: ${source.slice(at, at + 60)}`);
    const [, closing, opening, attributes, selfClosing, text] = match;
    const inside = open.at(-1)!;
    if (text !== undefined) inside.children.push(decode(text));
    else if (closing !== undefined) {
      if (open.length === 1 || inside.name !== closing) throw new Error(`</${closing}> closes <${inside.name}> at ${at}`);
      open.pop();
    } else if (opening !== undefined) {
      const element = { name: opening, attributes: parseAttributes(attributes!), children: [] };
      inside.children.push(element);
      if (selfClosing === '') open.push(element);
    }
  }
  if (open.length > 1) throw new Error(`<${open.at(-1)!.name}> is not closed`);
  return root;
}

function parseAttributes(source: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name, value] of source.matchAll(/([\w:-]+)="([^"]*)"/g)) {
    if (Object.hasOwn(attributes, name!)) throw new Error(`attribute ${name} is there twice`);
    attributes[name!] = decode(value!);
  }
  return attributes;
}

function decode(text: string): string {
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000b-\u001f\ufffe\uffff]|\p{Cs}/u.test(text)) throw new Error('a character that XML forbids');
  return text.replace(/&(?:#(\d+);|(\w+);)?/g, (entity, code: string | undefined, name: string | undefined) => {
    const character = code === undefined ? NAMED[name ?? ''] : String.fromCodePoint(Number(code));
    if (character === undefined) throw new Error(`unknown entity ${entity}`);
    return character;
  });
}

/** Only for tests: all elements below one, in document order, optionally of one name. */
export function elements(parent: XmlElement, name?: string): XmlElement[] {
  return parent.children.flatMap((child) => (typeof child === 'string' ? [] : [...(name === undefined || child.name === name ? [child] : []), ...elements(child, name)]));
}

/** Only for tests: all text in an element. */
export const textOf = (element: XmlElement): string => element.children.map((child) => (typeof child === 'string' ? child : textOf(child))).join('');
