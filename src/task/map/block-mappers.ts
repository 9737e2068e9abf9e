// Built-in mappers on whole blocks of lines, without a string per line. A block with anything that they can't do is
// decoded and mapped as any other text, with the same pairs: no output may show that a block was fast.
//
//   words   a block goes into the kernel as it is, which finds and counts the words (kernel.ts, `addWords`)
//   grep    of a literal: only lines in which it is found are decoded at all
//   recordAsKey  lines become pairs in WebAssembly (format/lines/pairs.ts), and go into the kernel's batch as they are
import { isAscii, isUtf8 } from "node:buffer";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import type { Block } from "../../format/blocks/block.ts";
import { blockBytes } from "../../format/blocks/block.ts";
import type { BlockFormat, ByteLineFormat, InputFormat, RecordBatch } from "../../format/format.ts";
import { byteOrderMark, LineDecoder } from "../../format/lines/decoder.ts";
import { slicedLines } from "../../format/lines/lines.ts";
import { valueBytesMax } from "../../format/lines/pairs.ts";
import { lineFeeds } from "../../format/lines/reader.ts";
import { bytes as bytesCodec } from "../../job/codecs/bytes.ts";
import { f64Kind } from "../../job/codecs/facts.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import type { JobDefinition, NamedInput } from "../../job/definition.ts";
import { type MapperKind, mapperKind } from "../../job/mappers.ts";
import type { WordEnds } from "../../kernel/kernel.ts";

/** Whole lines as a record of their own, for `MapSide.countWords`. */
export class WordBlock {
  readonly block: Block;
  readonly ends: WordEnds;

  constructor(block: Block, ends: WordEnds) {
    this.block = block;
    this.ends = ends;
  }
}

/** Whole lines, each of which is a key, as a record of their own, for `MapSide.keyLines`. */
export class LineBlock {
  readonly block: Block;

  constructor(block: Block) {
    this.block = block;
  }
}

/** Whether lines, given as bytes or as text, are this job's keys as they are, and the kernel partitions them. */
function takesLineKeys(job: JobDefinition, records: "bytes" | "text"): boolean {
  const codec: unknown = records === "bytes" ? bytesCodec : utf8;
  const isPlaced = job.reducers !== 0 && job.partition.kind !== "function";
  return isPlaced && (job.key as unknown) === codec && encodedNull(job) !== undefined;
}

/**
 * The encoded value of each of these keys, which is null; undefined where the job's codec refuses null, or writes it
 * too long.
 */
export function encodedNull(job: JobDefinition): Uint8Array | undefined {
  const out = new ByteBuffer(valueBytesMax);
  try {
    job.value.write(null, out);
  } catch {
    return undefined; // `emit` reports it, with the record
  }
  return out.length <= valueBytesMax ? out.copy() : undefined;
}

/** Whether the job's maps emit only words with 1, and these are summed: then the kernel can count them. */
export function isCounting(job: JobDefinition): boolean {
  return (
    (job.key as unknown) === utf8 &&
    f64Kind(job.value) !== undefined &&
    job.combine?.kind === "sum" &&
    job.group === undefined &&
    job.partition.kind !== "function" &&
    job.inputs.every(({ map }) => mapperKind(map)?.kind === "words")
  );
}

/**
 * The input's format, reading blocks where its map is a built-in one that takes them; words in blocks of at most
 * `wordBytesMax`.
 */
export function blockFormat(
  job: JobDefinition,
  { format, map }: NamedInput,
  wordBytesMax: number,
): InputFormat<unknown> {
  const mapper = mapperKind(map);
  if (mapper === undefined) return format;
  if (mapper.kind === "record-as-key") return keyFormat(job, format);
  if (!hasBlocks(format)) return format;
  const read = readerOf(mapper, wordBytesMax);
  return read === undefined ? format : { ...format, read: (chunks, from) => read(format.readBlocks(chunks, from)) };
}

type BlockReader = (blocks: AsyncIterable<Block>) => AsyncIterable<RecordBatch<unknown>>;

function readerOf(mapper: MapperKind, wordBytesMax: number): BlockReader | undefined {
  if (mapper.kind === "words") {
    return wordBytesMax === 0 ? undefined : (blocks) => readWords(blocks, mapper.by, wordBytesMax);
  }
  const literal = mapper.kind === "grep" ? literalOf(mapper.pattern) : undefined;
  return literal === undefined ? undefined : (blocks) => readMatches(blocks, literal);
}

function keyFormat(job: JobDefinition, format: InputFormat<unknown>): InputFormat<unknown> {
  if (hasByteLines(format) && takesLineKeys(job, "bytes")) {
    return { ...format, read: (chunks, from) => readByteKeys(format.readByteLines(chunks, from)) };
  }
  if (hasBlocks(format) && takesLineKeys(job, "text")) {
    return { ...format, read: (chunks, from) => readTextKeys(format.readBlocks(chunks, from)) };
  }
  return format;
}

async function* readByteKeys(blocks: AsyncIterable<Block>): AsyncGenerator<RecordBatch<unknown>> {
  for await (const block of blocks) yield block.bytes.length <= blockBytes ? keysOf(block) : slicedLines(block);
}

async function* readTextKeys(blocks: AsyncIterable<Block>): AsyncGenerator<RecordBatch<unknown>> {
  const decoder = new LineDecoder(lineFeeds);
  for await (const block of blocks) {
    const { bytes, base } = block;
    // Not where something has to be stripped or refused.
    const isSmall = bytes.length <= blockBytes && byteOrderMark(bytes, base) === 0;
    if (isSmall && isUtf8(bytes) && !bytes.includes(carriageReturn)) yield keysOf(block);
    else yield* decoded(decoder, block);
  }
}

function keysOf(block: Block): RecordBatch<unknown> {
  const { bytes, base } = block;
  return { records: [new LineBlock(block)], starts: Float64Array.of(base), end: base + bytes.length };
}

const carriageReturn = 13;

async function* readWords(
  blocks: AsyncIterable<Block>,
  ends: WordEnds,
  bytesMax: number,
): AsyncGenerator<RecordBatch<unknown>> {
  const decoder = new LineDecoder(lineFeeds);
  for await (const block of blocks) {
    const { bytes, base } = block;
    const isFast = bytes.length <= bytesMax && (ends === "letters" ? isAscii(bytes) : isUtf8(bytes));
    if (isFast)
      yield { records: [new WordBlock(block, ends)], starts: Float64Array.of(base), end: base + bytes.length };
    else yield* decoded(decoder, block);
  }
}

/** The lines that contain the literal; of the others only their number. */
async function* readMatches(blocks: AsyncIterable<Block>, literal: Buffer): AsyncGenerator<RecordBatch<unknown>> {
  const decoder = new LineDecoder(lineFeeds);
  for await (const block of blocks) {
    if (isUtf8(block.bytes)) yield matchesIn(block, literal);
    else yield* decoded(decoder, block);
  }
}

function matchesIn({ bytes, base }: Block, literal: Buffer): RecordBatch<string> {
  const records: string[] = [];
  const starts: number[] = [];
  const mark = byteOrderMark(bytes, base);
  for (let found = bytes.indexOf(literal, mark); found >= 0; ) {
    const before = bytes.lastIndexOf(10, found);
    const start = before < mark ? mark : before + 1;
    const feed = bytes.indexOf(10, found);
    const end = feed < 0 ? bytes.length : feed;
    starts.push(base + (start === mark ? 0 : start)); // the mark belongs to the first record
    records.push(bytes.toString("utf8", start, feed > start && bytes[feed - 1] === 13 ? end - 1 : end));
    found = bytes.indexOf(literal, end);
  }
  const skipped = countLines(bytes) - records.length;
  return { records, starts: Float64Array.from(starts), end: base + bytes.length, skipped };
}

function* decoded(decoder: LineDecoder, block: Block): Generator<RecordBatch<unknown>> {
  const batch = decoder.decode(block);
  if (batch.records.length > 0) yield batch;
  if (batch.bad !== undefined) throw batch.bad;
}

/** The number of records in a block, whose last line may lack its line feed. */
function countLines(bytes: Buffer): number {
  let lines = bytes.length > 0 && bytes[bytes.length - 1] !== 10 ? 1 : 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
}

/** The bytes of a pattern that matches only itself; undefined for other patterns. */
function literalOf({ source, flags }: RegExp): Buffer | undefined {
  if (!/^u?$/.test(flags) || !/^(?:[^\\^$.*+?()[\]{}|/\r\n]|\\[\\^$.*+?()[\]{}|/])+$/.test(source)) return undefined;
  const text = source.replace(/\\(.)/g, "$1");
  return text.isWellFormed() ? Buffer.from(text) : undefined;
}

function hasBlocks(format: InputFormat<unknown>): format is InputFormat<unknown> & BlockFormat {
  return "readBlocks" in format && typeof format.readBlocks === "function";
}

function hasByteLines(format: InputFormat<unknown>): format is InputFormat<unknown> & ByteLineFormat {
  return "readByteLines" in format && typeof format.readByteLines === "function";
}
