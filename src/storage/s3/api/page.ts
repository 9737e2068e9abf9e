// Pages of lists, as a store answers with them. A key that is missing from a list is missing from a job's input, and no
// one would notice. So a page counts only if it is whole, says whether it is the last one, and goes on where the one
// before it ended.
import { MillraceError } from "../../../base/error.ts";
import { limits } from "../../../base/limits.ts";
import { formatCount } from "../../../base/units.ts";
import { s3Path } from "../url.ts";
import { documentOf, impossible, type S3Request, wrongAnswer } from "./client.ts";
import type { S3Object } from "./object.ts";
import type { HttpResponse } from "./transport.ts";
import { childOf, textIn, type XmlElement } from "./xml.ts";

export interface S3Listed {
  readonly objects: readonly S3Object[];
  /** With a delimiter: the keys' beginnings up to the next delimiter behind the prefix, both included. */
  readonly prefixes: readonly string[];
}

/** A part of an upload. */
export interface S3Part {
  readonly number: number;
  readonly bytes: number;
  readonly etag: string;
}

export interface S3Upload {
  readonly key: string;
  readonly upload: string;
}

/** A list that is being asked for, page by page. */
export class AskedList {
  readonly prefix: string;
  /** Asks for the next page; undefined: there is none. */
  token: string | undefined;
  objects = 0;
  /** Pages in a row without anything in them. */
  emptyPages = 0;
  /** The order of the keys, and of the prefixes between two delimiters. */
  keys = new Order();
  prefixes = new Order();

  constructor(prefix: string) {
    this.prefix = prefix;
  }
}

/**
 * Names in the order of their bytes, as stores list them, or in the order of walking through folders ("a/z" before
 * "a-b"), as stores on a file system do. A list in no order may have lost a name or hold it twice, and no one could
 * tell.
 */
class Order {
  last: string | undefined;
  isByBytes = true;
  isByFolders = true;

  /** The order with this name behind the others; or why it can't be there, in words. */
  after(name: string): Order | string {
    const { last } = this;
    const next = new Order();
    next.last = name;
    if (last === undefined) return next;
    if (name === last) return `it holds ${shown(name)} twice`;
    next.isByBytes = this.isByBytes && inBytes(last, name) < 0;
    next.isByFolders = this.isByFolders && inBytes(last.replaceAll("/", "\0"), name.replaceAll("/", "\0")) < 0;
    if (next.isByBytes || next.isByFolders) return next;
    return `${shown(name)} comes behind ${shown(last)}: it is not in order`;
  }
}

/** Takes the answer for the next page. Throws an `S3Error` for anything else, and then has taken nothing. */
export function takePage(request: S3Request, response: HttpResponse, asked: AskedList): S3Listed {
  const page = documentOf(request, response, "ListBucketResult");
  const isMore = isTruncated(request, response, page);
  const text = decoder(request, response, page);
  const wrong = (why: string) => wrongAnswer(request, response, why);
  const objects: S3Object[] = [];
  const prefixes: string[] = [];
  for (const entry of page.children) {
    if (entry.name === "CommonPrefixes") prefixes.push(text(textIn(entry, "Prefix")));
    if (entry.name !== "Contents") continue;
    const key = text(textIn(entry, "Key"));
    const size = textIn(entry, "Size") ?? "";
    const etag = unquoted(textIn(entry, "ETag") ?? "");
    if (!isCount(size)) throw wrong(`${shown(key)} has the size ${shown(size)}`);
    // Consoles make folder markers, and not every store gives them an etag.
    if (etag === "" && !(key.endsWith("/") && size === "0")) throw wrong(`${shown(key)} has no etag`);
    objects.push({ key, bytes: Number(size), etag });
  }
  const count = textIn(page, "KeyCount");
  // Some stores count everything below a folder as one key, some don't.
  const counts = [objects.length + prefixes.length, objects.length];
  if (count !== undefined && !counts.includes(Number(count))) {
    throw wrong(`it says ${shown(count)} keys and holds ${objects.length + prefixes.length}`);
  }
  const keys = objects.map(({ key }) => key);
  const inOrder = (names: readonly string[], before: Order) => {
    let order = before;
    for (const name of names) {
      const next = name.startsWith(asked.prefix)
        ? order.after(name)
        : `it holds ${shown(name)}, which was not asked for`;
      if (typeof next === "string") throw impossible(request, response, next);
      order = next;
    }
    return order;
  };
  const order = { keys: inOrder(keys, asked.keys), prefixes: inOrder(prefixes, asked.prefixes) };
  const token = isMore ? textIn(page, "NextContinuationToken") : undefined;
  if (isMore && (token === undefined || token === "")) throw wrong("it says that there is more, but not where");
  if (token !== undefined && token === asked.token)
    throw impossible(request, response, "the list goes round in circles");
  const emptyPages = keys.length + prefixes.length === 0 && isMore ? asked.emptyPages + 1 : 0;
  if (emptyPages > limits.storeEmptyPagesMax) {
    throw impossible(request, response, `${emptyPages} pages of the list hold nothing, and it has no end`);
  }
  if (asked.objects + objects.length > limits.storeListedMax) throw tooMany(request, asked.prefix);
  // Only now, because a page that is refused is asked for again.
  Object.assign(asked, { token, emptyPages, objects: asked.objects + objects.length, ...order });
  return { objects, prefixes };
}

/** The uploads of a page, and the one behind which the next page begins. */
export function uploadsOf(
  request: S3Request,
  response: HttpResponse,
  prefix: string,
  after: S3Upload | undefined,
): { readonly uploads: readonly S3Upload[]; readonly next: S3Upload | undefined } {
  const page = documentOf(request, response, "ListMultipartUploadsResult");
  const isMore = isTruncated(request, response, page);
  const text = decoder(request, response, page);
  const uploads = page.children
    .filter(({ name }) => name === "Upload")
    .map((entry) => ({ key: text(textIn(entry, "Key")), upload: textIn(entry, "UploadId") ?? "" }));
  for (const { key, upload } of uploads) {
    if (upload === "") throw wrongAnswer(request, response, "does not name an upload");
    if (!key.startsWith(prefix)) throw impossible(request, response, `holds ${shown(key)}, which was not asked for`);
  }
  if (!isMore) return { uploads, next: undefined };
  const next = { key: text(textIn(page, "NextKeyMarker")), upload: textIn(page, "NextUploadIdMarker") ?? "" };
  if (after !== undefined && inBytes(next.key, after.key) <= 0 && next.upload === after.upload) {
    throw impossible(request, response, "the list goes round in circles");
  }
  return { uploads, next };
}

/** Whether the answer is a list of parts, whole or not. */
export function isListOfParts({ status, body }: HttpResponse): boolean {
  return status === 200 && /^\s*(<\?xml[^>]*>\s*)?<ListPartsResult[\s>]/.test(body.toString("latin1", 0, 512));
}

/** The parts of a page, and the number behind which the next page begins. */
export function partsOf(
  request: S3Request,
  response: HttpResponse,
  after: number | undefined,
): { readonly parts: readonly S3Part[]; readonly next: number | undefined } {
  const page = documentOf(request, response, "ListPartsResult");
  const parts = page.children
    .filter(({ name }) => name === "Part")
    .map((entry) => {
      const [number = "", size = ""] = [textIn(entry, "PartNumber"), textIn(entry, "Size")];
      if (!isCount(number) || !isCount(size))
        throw wrongAnswer(request, response, "a part in it has no number or size");
      return { number: Number(number), bytes: Number(size), etag: unquoted(textIn(entry, "ETag") ?? "") };
    });
  if (!isTruncated(request, response, page)) return { parts, next: undefined };
  const next = textIn(page, "NextPartNumberMarker") ?? "";
  if (!isCount(next) || Number(next) <= (after ?? 0)) {
    throw impossible(request, response, "the list goes round in circles");
  }
  return { parts, next: Number(next) };
}

/** Whether the text is digits, and no more than a number can hold. */
export function isCount(text: string): boolean {
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text));
}

export function unquoted(etag: string): string {
  return etag.replace(/^"(.*)"$/, "$1");
}

export function tooMany({ url }: S3Request, prefix: string): MillraceError {
  return new MillraceError(
    "over-limit",
    `${s3Path({ ...url, key: prefix })} holds more than ${formatCount(limits.storeListedMax)} objects: name folders in it instead`,
  );
}

function isTruncated(request: S3Request, response: HttpResponse, page: XmlElement): boolean {
  const said = childOf(page, "IsTruncated")?.text.trim();
  if (said === "true" || said === "false") return said === "true";
  throw wrongAnswer(request, response, "does not say whether it is the whole list");
}

/** Keys are asked for percent-encoded, because XML can't hold every key; not every store does it. */
function decoder(request: S3Request, response: HttpResponse, page: XmlElement): (text: string | undefined) => string {
  const isEncoded = textIn(page, "EncodingType") === "url";
  return (text) => {
    if (text === undefined || text === "") throw wrongAnswer(request, response, "a key is missing in it");
    if (!isEncoded) return text;
    try {
      return decodeURIComponent(text.replaceAll("+", " "));
    } catch {
      throw wrongAnswer(request, response, `${shown(text)} is no encoded key`);
    }
  };
}

function inBytes(a: string, b: string): number {
  if (a === b) return 0;
  // Only half characters are ordered differently among UTF-16 units than among bytes.
  if (!/[\uD800-\uDFFF]/.test(a + b)) return a < b ? -1 : 1;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function shown(text: string): string {
  return JSON.stringify(text.length <= 100 ? text : `${text.slice(0, 100)}…`);
}
