// The built-in reducer `eachKey` on whole blocks of merged pairs: keys become lines in WebAssembly
// (format/lines/pairs.ts), without an object per key. Keys that can't be lines go to the output's format, which says
// why.

import { blockBytes } from "../../format/blocks/block.ts";
import type { LineWriting } from "../../format/format.ts";
import { LinePairs } from "../../format/lines/pairs.ts";
import { bytes as bytesCodec } from "../../job/codecs/bytes.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import type { JobDefinition } from "../../job/definition.ts";
import { isEachKey } from "../../job/mappers.ts";
import type { PairBlock } from "../../kernel/kernel.ts";
import { readFrame, viewOf } from "../emit/frame.ts";

/** Takes output records singly. */
export interface SingleSink {
  write(output: number, record: unknown): void;
  readonly lineWriting?: undefined;
}

/** Takes output records, singly or as lines. */
export interface LineSink {
  write(output: number, record: unknown): void;
  /** How lines may be written to an output without its format; undefined where only the format may write. */
  lineWriting(output: number): LineWriting | undefined;
  appendLines(output: number, bytes: Uint8Array, start: number, end: number, lines: number): void;
}

/** Returns undefined where the job has another reduce, or its keys are not written as they are. */
export function keyLinesOf(job: JobDefinition, sink: SingleSink | LineSink): KeyLines | undefined {
  if (sink.lineWriting === undefined) return undefined;
  const writing = sink.lineWriting(0);
  if (!isEachKey(job.reduce) || writing === undefined || job.combine !== undefined || job.group !== undefined)
    return undefined;
  const codec: unknown = writing.records === "bytes" ? bytesCodec : utf8;
  return (job.key as unknown) === codec ? new KeyLines(sink, writing) : undefined;
}

export class KeyLines {
  /** Keys so far, and the most pairs of one of them. */
  groups = 0;
  groupMax = 0;
  /** The key of that many, as bytes. */
  largestKey: Uint8Array | undefined;
  /** Whether nothing is given to the sink: another attempt has written it. */
  isMuted = false;
  readonly #sink: LineSink;
  readonly #writing: LineWriting;
  readonly #pairs = new LinePairs();
  /** The last key of the previous block, and the pairs that it has had so far. */
  #last: Buffer = Buffer.alloc(0);
  #lastBytes = -1;
  #run = 0;
  /** Whether `largestKey` is known to be that key: it needs no second copy. */
  #isLargest = false;

  constructor(sink: LineSink, writing: LineWriting) {
    this.#sink = sink;
    this.#writing = writing;
  }

  /** The last key so far, valid until the next block. */
  get lastKey(): Uint8Array {
    return this.#last.subarray(0, Math.max(0, this.#lastBytes));
  }

  /** Throws what the output's format throws for a key, after `failed` has added the key. */
  write(block: PairBlock, failed: (thrown: unknown, key: unknown) => unknown): void {
    const { bytes, start, end } = block;
    const isSmall = end - start <= blockBytes;
    const written = isSmall ? this.#pairs.write(bytes, start, end, this.#writing.refusesCarriageReturn) : undefined;
    if (written === undefined) {
      this.#writeSingly(block, failed);
      return;
    }
    const first = readFrame(bytes, start, 0);
    const goesOn = this.#isLast(bytes, first.key, first.value);
    const firstRun = goesOn ? this.#run + written.firstRun : written.firstRun;
    if (firstRun > this.groupMax) this.largestKey = bytes.slice(first.key, first.value);
    this.#began(written.runs - (goesOn ? 1 : 0), firstRun);
    if (written.runs > 1) {
      if (written.largestRun > this.groupMax) this.largestKey = keyOfRun(block, written.largestRun);
      this.groupMax = Math.max(this.groupMax, written.largestRun);
      this.#began(0, written.lastRun);
    }
    this.#isLargest = false;
    this.#remember(this.#pairs.bytes, written.lastKeyStart, written.lastKeyEnd);
    if (!this.isMuted) this.#sink.appendLines(0, this.#pairs.bytes, written.start, written.end, written.lines);
  }

  #writeSingly({ bytes, start, end }: PairBlock, failed: (thrown: unknown, key: unknown) => unknown): void {
    for (let at = start; at < end; ) {
      const pair = readFrame(bytes, at, 0);
      const goesOn = this.#isLast(bytes, pair.key, pair.value);
      const run = goesOn ? this.#run + 1 : 1;
      if (!goesOn) this.#isLargest = false;
      if (run > this.groupMax && !this.#isLargest) {
        this.largestKey = bytes.slice(pair.key, pair.value);
        this.#isLargest = true;
      }
      this.#began(goesOn ? 0 : 1, run);
      this.#remember(bytes, pair.key, pair.value);
      if (!this.isMuted) this.#writeKey(viewOf(bytes, pair.key, pair.value), failed);
      at = pair.end;
    }
  }

  #writeKey(view: Uint8Array, failed: (thrown: unknown, key: unknown) => unknown): void {
    const key = this.#writing.records === "bytes" ? view.slice() : utf8.read(view);
    try {
      this.#sink.write(0, key);
    } catch (thrown) {
      throw failed(thrown, key);
    }
  }

  /** Counts this many more keys; the last one of them has had `run` pairs so far. */
  #began(groups: number, run: number): void {
    this.groups += groups;
    this.#run = run;
    this.groupMax = Math.max(this.groupMax, run);
  }

  #isLast(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#lastBytes === end - start && this.#last.compare(bytes, start, end, 0, this.#lastBytes) === 0;
  }

  #remember(bytes: Uint8Array, start: number, end: number): void {
    this.#lastBytes = end - start;
    if (this.#last.length < this.#lastBytes) this.#last = Buffer.allocUnsafeSlow(2 * this.#lastBytes);
    this.#last.set(bytes.subarray(start, end));
  }
}

/** The first pairs of a block, and the others. */
export function cutBlock(block: PairBlock, pairs: number): readonly [PairBlock, PairBlock] {
  let at = block.start;
  for (let i = 0; i < pairs; i++) at = readFrame(block.bytes, at, 0).end;
  return [
    { ...block, end: at, pairs },
    { ...block, start: at, pairs: block.pairs - pairs },
  ];
}

/** The first key of a block that has this many pairs there, one of whose keys has. */
function keyOfRun({ bytes, start, end }: PairBlock, pairs: number): Uint8Array | undefined {
  let { key, value } = readFrame(bytes, start, 0);
  let run = 0;
  for (let at = start; at < end; ) {
    const pair = readFrame(bytes, at, 0);
    const isSame = Buffer.compare(bytes.subarray(key, value), bytes.subarray(pair.key, pair.value)) === 0;
    run = isSame ? run + 1 : 1;
    if (run === pairs) return bytes.slice(pair.key, pair.value);
    ({ key, value } = pair);
    at = pair.end;
  }
  return undefined;
}
