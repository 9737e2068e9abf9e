// Recognises, by its first bytes, a file that a format of text can't read: its bytes would otherwise be taken for
// records, and counted. Magic numbers that text may begin with are believed only when more of the file agrees.
import { isUtf8 } from "node:buffer";
import { MillraceError } from "../../base/error.ts";

/** A format that reads text. Internal. */
export interface TextFormat {
  readonly readsText: {
    /** Whether zero bytes are normal in it, because they are its delimiter. */
    readonly zeroBytes: boolean;
  };
}

export function readsText(format: object): format is TextFormat {
  return "readsText" in format && typeof format.readsText === "object" && format.readsText !== null;
}

/** How many of a file's first bytes are enough (the head of a tar archive). */
export const headBytesLooked = 512;
/** How many of its last bytes are enough, for kinds that are recognised by both ends. */
export const tailBytesLooked = 1024;

interface Kind {
  readonly name: string;
  /** What to do about it. */
  readonly advice: string;
  readonly is: (head: Buffer) => boolean;
  /** A test of the file's end, which must hold too. Left out: a file that begins like this is no text. */
  readonly endsAs?: (tail: Buffer) => boolean;
}

const unpack = "unpack it first, and give the files that are in it";
const export_ = "export it first, as csv or ndjson for example";
const withTool = (tool: string, filter?: string) =>
  filter === undefined
    ? `decompress it first (${tool}), or compress it with gzip or zstd, which are read`
    : `read it with --decompress '${filter}', decompress it first (${tool}), or compress it with gzip or zstd, which are read`;

const kinds: readonly Kind[] = [
  { name: "bzip2 data", advice: withTool("bunzip2", "bzip2 -dc"), is: isBzip2 },
  { name: "xz data", advice: withTool("unxz", "xz -dc"), is: begins("fd377a585a00") },
  { name: "lzma data", advice: withTool("unlzma", "xz -dc --format=lzma"), is: isLzma },
  { name: "lzip data", advice: withTool("lzip -d", "lzip -dc"), is: begins("4c5a495001") },
  { name: "lzop data", advice: withTool("lzop -d", "lzop -dc"), is: begins("894c5a4f000d0a1a0a") },
  { name: "lz4 data", advice: withTool("unlz4", "lz4 -dc"), is: begins("04224d18", "02214c18", "03214c18") },
  { name: "snappy data", advice: withTool("snzip -d"), is: begins("ff060000734e61507059") },
  { name: "data of compress (.Z)", advice: withTool("uncompress", "gzip -dc"), is: isCompress },
  { name: "gzip data", advice: "decompress it once", is: begins("1f8b08") },
  { name: "zstd data", advice: "decompress it once", is: begins("28b52ffd") },
  { name: "a zip archive", advice: unpack, is: begins("504b0304", "504b0506", "504b0708") },
  { name: "a 7z archive", advice: unpack, is: begins("377abcaf271c") },
  { name: "a rar archive", advice: unpack, is: begins("526172211a07") },
  { name: "a tar archive", advice: unpack, is: isTar },
  { name: "a Parquet file", advice: export_, is: begins("50415231", "50415245"), endsAs: ends("PAR1", "PARE") },
  { name: "an ORC file", advice: export_, is: begins("4f5243"), endsAs: (tail) => tail.subarray(-4, -1).equals(orc) },
  { name: "an Avro file", advice: export_, is: begins("4f626a01") },
  { name: "an Arrow file", advice: export_, is: begins("4152524f57310000") },
  { name: "a Feather file", advice: export_, is: begins("46454131"), endsAs: ends("FEA1") },
  { name: "an SQLite database", advice: export_, is: begins("53514c69746520666f726d6174203300") },
  { name: "an HDF5 file", advice: export_, is: begins("894844460d0a1a0a") },
  { name: "an old Office document (.xls, .doc)", advice: export_, is: begins("d0cf11e0a1b11ae1") },
  {
    name: "a PDF document",
    advice: "take the text out of it first (pdftotext)",
    is: (head) => /^%PDF-\d\.\d\s/.test(head.toString("latin1", 0, 16)),
    endsAs: (tail) => tail.includes("%%EOF"),
  },
];
const orc = Buffer.from("ORC");
/** In the order in which they are tried: the marks of UTF-32 begin like those of UTF-16. */
const marks: readonly (readonly [encoding: string, iconv: string, is: (head: Buffer) => boolean])[] = [
  ["UTF-32", "UTF-32", begins("fffe0000", "0000feff")],
  ["UTF-16", "UTF-16", begins("fffe", "feff")],
];

/** Throws `bad-input` for a file that is not text. `tail` reads its last bytes; undefined where they can't be had. */
export async function refuseForeign(
  head: Uint8Array,
  { readsText: { zeroBytes } }: TextFormat,
  tail?: () => Promise<Uint8Array>,
): Promise<void> {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, headBytesLooked));
  for (const { name, advice, is, endsAs } of kinds) {
    if (!is(bytes)) continue;
    if (endsAs !== undefined && !(tail === undefined ? isNoText(bytes) : endsAs(Buffer.from(await tail())))) continue;
    throw new MillraceError("bad-input", `it is ${name}, which a format of text can't read: ${advice}`);
  }
  const encoding = marks.find(([, , is]) => is(bytes))?.slice(0, 2) ?? (zeroBytes ? undefined : withoutMark(bytes));
  if (encoding === undefined) return;
  throw new MillraceError(
    "bad-input",
    `it is text in ${encoding[0]}, and only UTF-8 is read: convert it first:  iconv -f ${encoding[1]} -t UTF-8 OLD > NEW`,
  );
}

/** What to do about a file of text whose encoding is unknown, and not UTF-8. */
export const otherEncoding =
  "convert it first, for example  iconv -f LATIN1 -t UTF-8 OLD > NEW , or as it is read:  --decompress 'iconv -f LATIN1 -t UTF-8'";

function begins(...magics: readonly string[]): (head: Buffer) => boolean {
  const all = magics.map((magic) => Buffer.from(magic, "hex"));
  return (head) => all.some((magic) => head.subarray(0, magic.length).equals(magic));
}

function ends(...magics: readonly string[]): (tail: Buffer) => boolean {
  return (tail) => magics.some((magic) => tail.subarray(-magic.length).equals(Buffer.from(magic)));
}

/** "BZh", the size of blocks, and then the number of a block or of the end. */
function isBzip2(head: Buffer): boolean {
  if (!/^BZh[1-9]$/.test(head.toString("latin1", 0, 4))) return false;
  const block = head.toString("hex", 4, 10);
  return block === "314159265359" || block === "177245385090";
}

/** Codes of 9 to 16 bits, and reserved bits that are zero. */
function isCompress(head: Buffer): boolean {
  const bits = (head[2] ?? 0) & 0x1f;
  return head[0] === 0x1f && head[1] === 0x9d && ((head[2] ?? 0) & 0x60) === 0 && bits >= 9 && bits <= 16;
}

/** The usual properties, a dictionary whose size is a power of two, and a size that is unknown or below 2^40. */
function isLzma(head: Buffer): boolean {
  if (head.length < 13 || head[0] !== 0x5d) return false;
  const dictionary = head.readUInt32LE(1);
  const size = head.readBigUInt64LE(5);
  return dictionary >= 4096 && (dictionary & (dictionary - 1)) === 0 && (size === 2n ** 64n - 1n || size < 2n ** 40n);
}

/** Compares the first head's checksum with the octal digits in it: old archives have no other mark. */
function isTar(head: Buffer): boolean {
  if (head.length < 512) return false;
  const digits = /^ *([0-7]{1,7})[\0 ]/.exec(head.toString("latin1", 148, 156))?.[1];
  if (digits === undefined) return false;
  let sum = 8 * 0x20;
  for (let i = 0; i < 512; i++) if (i < 148 || i >= 156) sum += head[i]!;
  return sum === Number.parseInt(digits, 8);
}

/** Whether there are bytes that no text has; the last character may be cut off. */
function isNoText(head: Buffer): boolean {
  if (head.some((byte) => byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 13)) return true;
  return ![0, 1, 2, 3].some((cut) => isUtf8(head.subarray(0, Math.max(0, head.length - cut))));
}

/**
 * Recognises text mostly of ASCII characters in two bytes each: every second byte is zero, or nearly every one, and no
 * others.
 */
function withoutMark(head: Buffer): readonly [encoding: string, iconv: string] | undefined {
  const units = head.length >> 1;
  if (units < 2) return undefined;
  const zeros = [0, 0];
  for (let i = 0; i < 2 * units; i++) if (head[i] === 0) zeros[i % 2]!++;
  const [even, odd] = zeros as [number, number];
  if (even === 0 && 4 * odd >= 3 * units) return ["UTF-16 (little-endian, without a mark)", "UTF-16LE"];
  if (odd === 0 && 4 * even >= 3 * units) return ["UTF-16 (big-endian, without a mark)", "UTF-16BE"];
  return undefined;
}
