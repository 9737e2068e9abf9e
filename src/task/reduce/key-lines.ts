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
  readonly #sink: LineSink;
  readonly #writing: LineWriting;
  readonly #pairs = new LinePairs();
  /** The last key of the previous block, and the pairs that it has had so far. */
  #last: Buffer = Buffer.alloc(0);
  #lastBytes = -1;
  #run = 0;

  constructor(sink: LineSink, writing: LineWriting) {
    this.#sink = sink;
    this.#writing = writing;
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
    this.#began(written.runs - (goesOn ? 1 : 0), goesOn ? this.#run + written.firstRun : written.firstRun);
    if (written.runs > 1) {
      this.groupMax = Math.max(this.groupMax, written.largestRun);
      this.#began(0, written.lastRun);
    }
    this.#remember(this.#pairs.bytes, written.lastKeyStart, written.lastKeyEnd);
    this.#sink.appendLines(0, this.#pairs.bytes, written.start, written.end, written.lines);
  }

  #writeSingly({ bytes, start, end }: PairBlock, failed: (thrown: unknown, key: unknown) => unknown): void {
    for (let at = start; at < end; ) {
      const pair = readFrame(bytes, at, 0);
      const goesOn = this.#isLast(bytes, pair.key, pair.value);
      this.#began(goesOn ? 0 : 1, goesOn ? this.#run + 1 : 1);
      this.#remember(bytes, pair.key, pair.value);
      const view = viewOf(bytes, pair.key, pair.value);
      const key = this.#writing.records === "bytes" ? view.slice() : utf8.read(view);
      try {
        this.#sink.write(0, key);
      } catch (thrown) {
        throw failed(thrown, key);
      }
      at = pair.end;
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
