// The beginning of a file's content, by which its format is guessed, and what can be said of it before any format is
// tried: that it is empty, no text, or one JSON document.
import { isUtf8 } from "node:buffer";
import { MillraceError } from "../base/error.ts";
import { formatBytes, formatCount } from "../base/units.ts";
import { otherEncoding, refuseForeign } from "../format/blocks/content.ts";
import { BadRecord, type InputFormat } from "../format/format.ts";

export interface Beginning {
  /** What messages call the file. */
  readonly source: string;
  /** The first bytes of its content, decompressed. */
  readonly bytes: Buffer;
  /** Whether these are all its bytes. Where not, the last record is mostly cut. */
  readonly isWhole: boolean;
}

/** More of the bytes than this are control characters: it is no text. */
const controlShareMax = 0.05;
/** Tabs, line feed, form feed, carriage return; the escape of colours in logs; those that separate cells. */
const usualControls: ReadonlySet<number> = new Set([9, 10, 11, 12, 13, 0x1b, 0x01, 0x02, 0x07, 0x1e, 0x1f]);

/** Throws `bad-input` for content that no format of lines reads, and says what it is. */
export async function refuseNoLines(beginning: Beginning): Promise<void> {
  const { source, bytes, isWhole } = beginning;
  const refuse = (what: string) => new MillraceError("bad-input", `${source}: ${what}`);
  try {
    await refuseForeign(bytes, { readsText: { zeroBytes: false } }, async () => bytes);
  } catch (thrown) {
    if (thrown instanceof MillraceError) throw refuse(thrown.message);
    throw thrown;
  }
  const zero = bytes.indexOf(0);
  if (zero >= 0) {
    throw refuse(
      `it has zero bytes, the first at ${formatCount(zero)}, so it is binary or damaged; where they mean nothing, remove them first (tr -d '\\0' < OLD > NEW); where they end records, text({ delimiter: "\\0" }) reads them, and records(n) reads records of n bytes`,
    );
  }
  const text = isWhole ? bytes : withoutCutCharacter(bytes);
  if (!isUtf8(text)) {
    const at = firstInvalid(text);
    throw refuse(
      `byte 0x${text[at]!.toString(16)} at ${formatCount(at)} is not UTF-8. Where the file is in another encoding ${otherEncoding}; text({ invalid: "replace" }) and lines() read it as it is`,
    );
  }
  let controls = 0;
  for (const byte of bytes) if (byte < 0x20 && !usualControls.has(byte)) controls++;
  if (controls > bytes.length * controlShareMax)
    throw refuse("it is binary: more than 5 % of its bytes are control characters");
  if (bytes.includes(13) && !bytes.includes(10)) {
    throw refuse(
      "its lines end with a carriage return alone, as in old exports for the Mac: convert it first:  tr '\\r' '\\n' < OLD > NEW",
    );
  }
  if (!isWhole && !bytes.includes(10)) {
    throw refuse(
      `its first ${formatBytes(bytes.length)} have no line end, so no record of it could be looked at. Where it is one JSON document, write a line for each value first:  jq -c '.[]' OLD > NEW`,
    );
  }
  refuseDocument(beginning, refuse);
}

/** A JSON document over several lines, or an array of records in one line. */
function refuseDocument({ bytes, isWhole }: Beginning, refuse: (what: string) => MillraceError): void {
  const text = withoutMark(bytes.toString("utf8"));
  const first = text.slice(0, text.indexOf("\n") >>> 0).trim();
  const opens = /^\s*(?:[[{]\s*$|[[{]\s*\n)/.test(`${first}\n`) && (first === "[" || first === "{");
  const isArray = first.startsWith("[") && isWhole && text.trim().length === first.length && isArrayOfObjects(first);
  const isPretty = !opens && /^[[{]/.test(first) && isWhole && !isJson(first) && isJson(text);
  if (!opens && !isArray && !isPretty) return;
  const filter = first.startsWith("[") ? ".[]" : ".";
  throw refuse(
    `it is JSON, but not a value per line, which is what ndjson() reads: write a line for each value first:  jq -c '${filter}' OLD > NEW`,
  );
}

function isArrayOfObjects(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "object" && item !== null);
  } catch {
    return false;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function withoutCutCharacter(bytes: Buffer): Buffer {
  for (let cut = 0; cut < 4; cut++) {
    const part = bytes.subarray(0, bytes.length - cut);
    // A byte that begins a character of several has its two highest bits set.
    if (cut > 0 && (bytes[bytes.length - cut]! & 0xc0) === 0xc0) return part;
    if (cut === 0 && isUtf8(bytes.subarray(-4))) return bytes;
  }
  return bytes;
}

/** The index of the first byte that is no UTF-8, by halves. */
function firstInvalid(bytes: Buffer): number {
  let valid = 0;
  let invalid = bytes.length;
  while (invalid - valid > 4) {
    let middle = (valid + invalid) >> 1;
    while (middle > valid && (bytes[middle]! & 0xc0) === 0x80) middle--;
    if (middle <= valid) middle = (valid + invalid) >> 1;
    if (isUtf8(bytes.subarray(valid, middle))) valid = middle;
    else invalid = middle;
  }
  for (let at = valid; at < bytes.length; at++) if (bytes[at]! >= 0x80) return at;
  return valid;
}

export function withoutMark(text: string): string {
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

/** A record that the format refuses. */
export interface Refused {
  readonly start: number;
  readonly message: string;
}

/** What a format makes of a beginning. Where the content goes on, its last record is left out. */
export interface Reading {
  readonly records: readonly unknown[];
  readonly starts: readonly number[];
  /** Records that are refused, at most `refusedMax` of them. */
  readonly refused: readonly Refused[];
}

/** A format that refuses more than these is not the right one anyway. */
const refusedMax = 100;
/**
 * A last record of several lines that takes more than this share has a quote that no other one closes: it is not cut.
 */
const cutShareMax = 0.5;

/** Reads a beginning by a format. Headers that can't be read are a refused record at 0. */
export async function readBeginning(format: InputFormat<unknown>, beginning: Beginning): Promise<Reading> {
  const { bytes, isWhole } = beginning;
  const records: unknown[] = [];
  const starts: number[] = [];
  const refused: Refused[] = [];
  const endsWhole = isWhole || bytes.at(-1) === 10;
  let lastEnd = 0;
  for (let from = 0; from < bytes.length && refused.length < refusedMax; ) {
    const read = { start: from, end: Number.POSITIVE_INFINITY, head: bytes };
    try {
      for await (const batch of format.read(once(bytes.subarray(from)), read)) {
        for (const [i, record] of batch.records.entries()) {
          records.push(record);
          starts.push(batch.starts[i]!);
        }
        lastEnd = batch.end;
      }
      break;
    } catch (thrown) {
      if (!(thrown instanceof BadRecord)) throw thrown;
      const end = thrown.end ?? bytes.length;
      const isLine = !bytes.subarray(thrown.start).includes(10);
      const isShort = bytes.length - thrown.start < bytes.length * cutShareMax;
      if (!isWhole && end >= bytes.length && thrown.end !== undefined && (isLine || isShort)) break;
      refused.push({ start: thrown.start, message: thrown.message });
      from = end;
    }
  }
  if (!endsWhole && lastEnd >= bytes.length) {
    records.pop();
    starts.pop();
  }
  return { records, starts, refused };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
