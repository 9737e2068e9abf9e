// A parser of the little XML that object stores answer with. It takes one pass, in time and memory that grow only with
// the text. A store's answer is input: anything but one whole document (one cut off, another's page, one nested too
// deep) is a fault that says so, and never a part of a document.
import { limits } from "../../../base/limits.ts";

export interface XmlElement {
  /** The name without a namespace's prefix. */
  readonly name: string;
  /** The text of an element without children, with entities replaced. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

/** Says why a text is no document, for people. */
export class XmlFault extends Error {
  override readonly name = "XmlFault";
}

/** The document's outermost element. Throws an `XmlFault` for anything but a whole document. */
export function parseXml(xml: string): XmlElement {
  const root = open("");
  const above = [root];
  let elements = 0;
  for (let at = xml.startsWith("\uFEFF") ? 1 : 0; at < xml.length; ) {
    const inside = above.at(-1) ?? root;
    const sign = nextOf(xml, "<", at);
    if (sign > at) addText(inside, unescapeXml(xml.slice(at, sign)));
    if (sign === xml.length) break;
    const skipped = skipOver(xml, sign, inside);
    if (skipped > sign) {
      at = skipped;
      continue;
    }
    const end = xml.indexOf(">", sign);
    if (end < 0) throw cut(xml);
    if (end - sign > limits.storeTagCharsMax) throw new XmlFault("a tag in it never ends");
    const tag = xml.slice(sign + 1, end);
    at = end + 1;
    if (tag.startsWith("/")) {
      const name = tag.slice(1).trimEnd();
      if (above.length === 1 || inside.tag !== name) throw new XmlFault(`</${excerptOf(name)}> closes nothing`);
      above.pop();
      continue;
    }
    const name = /^[\p{L}_][\p{L}\p{N}_.:-]*(?=\s|\/|$)/u.exec(tag)?.[0];
    if (name === undefined) throw new XmlFault(`<${excerptOf(tag)}> is no tag`);
    if (above.length === 1 && root.children.length > 0) throw new XmlFault("something follows behind its end");
    if (++elements > limits.storeElementsMax) throw new XmlFault(`it has more than ${elements - 1} elements`);
    const element = open(name);
    inside.children.push(element);
    if (tag.endsWith("/")) continue;
    above.push(element);
    if (above.length > limits.storeDepthMax) throw new XmlFault(`its elements are more than ${above.length - 2} deep`);
  }
  if (above.length > 1) throw cut(xml);
  const [document] = root.children;
  if (document === undefined) throw new XmlFault(xml.trim() === "" ? "it is empty" : "it is no XML");
  return document;
}

/** The first child with this name. */
export function childOf(parent: XmlElement, name: string): XmlElement | undefined {
  return parent.children.find((child) => child.name === name);
}

/** The text of the first child with this name. */
export function textIn(parent: XmlElement, name: string): string | undefined {
  return childOf(parent, name)?.text;
}

/** The content of the first element with this name in an error's text, which need not be whole. */
export function looseText(xml: string, name: string): string | undefined {
  const start = xml.indexOf(`<${name}>`);
  const end = start < 0 ? -1 : xml.indexOf(`</${name}>`, start);
  if (end < 0) return undefined;
  const text = xml.slice(start + name.length + 2, end);
  try {
    return unescapeXml(text);
  } catch {
    return text;
  }
}

/** Replaces entities. Throws an `XmlFault` for a number that is no character. */
export function unescapeXml(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(?:#x([0-9a-f]+)|#([0-9]+)|(\w+));/gi,
    (whole, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return named.get(name) ?? whole;
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
      const isCharacter = code > 0 && code <= 0x10_ffff && !(code >= 0xd800 && code <= 0xdfff);
      if (!isCharacter) throw new XmlFault(`${excerptOf(whole)} is the number of no character`);
      return String.fromCodePoint(code);
    },
  );
}

export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

const named: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);

interface OpenElement extends XmlElement {
  /** The tag as it was written. */
  readonly tag: string;
  text: string;
  readonly children: OpenElement[];
}

function open(tag: string): OpenElement {
  return { tag, name: tag.slice(tag.indexOf(":") + 1), text: "", children: [] };
}

function addText(element: OpenElement, text: string): void {
  // Blanks between elements don't belong to their text.
  if (element.children.length > 0 || element.tag === "") {
    if (text.trim() !== "")
      throw new XmlFault(`${JSON.stringify(excerptOf(text.trim()))} stands where an element has to`);
  } else element.text += text;
}

/** The index behind a declaration, a comment or a literal text that begins here; otherwise `at`. */
function skipOver(xml: string, at: number, inside: OpenElement): number {
  if (xml.startsWith("<?", at)) return behind(xml, "?>", at);
  if (xml.startsWith("<!--", at)) return behind(xml, "-->", at);
  if (xml.startsWith("<![CDATA[", at)) {
    const end = behind(xml, "]]>", at);
    addText(inside, xml.slice(at + "<![CDATA[".length, end - "]]>".length));
    return end;
  }
  // No store needs a document type, in which entities can be defined.
  if (xml.startsWith("<!", at))
    throw new XmlFault(`<${excerptOf(xml.slice(at + 1, at + 40))} is nothing that stores answer`);
  return at;
}

function behind(xml: string, mark: string, from: number): number {
  const at = xml.indexOf(mark, from);
  if (at < 0) throw cut(xml);
  return at + mark.length;
}

function nextOf(xml: string, sign: string, from: number): number {
  const at = xml.indexOf(sign, from);
  return at < 0 ? xml.length : at;
}

function cut(xml: string): XmlFault {
  return new XmlFault(`it ends in the middle, after ${xml.length} characters`);
}

function excerptOf(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`;
}
