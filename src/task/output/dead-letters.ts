// Dead letters of one map attempt: records put aside, with their origin and the reason, as NDJSON in a staged file.
import { assert } from "../../base/assert.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { deadLettersOutput, type Position } from "../../base/ids.ts";
import { partName } from "../../output/part-name.ts";
import type { FailureText } from "../../protocol/messages.ts";
import type { StagedFile, StagedWriter } from "../../storage/storage.ts";

export interface DeadLetter {
  readonly source: string;
  readonly at: Position;
  /** The record as map got it, or its bytes where no record could be made of them. */
  readonly record: unknown;
  readonly error: FailureText;
  readonly extent: Extent;
}

/** How much of the input a record is. */
export interface Extent {
  readonly bytes: number;
  /** Line ends inside it: it may have swallowed rows that don't belong to it. */
  readonly lines: number;
}

export class DeadLetters {
  readonly positions: Position[] = [];
  /** Line ends inside of the records, and their bytes. */
  lines = 0;
  bytes = 0;
  readonly #max: number;
  readonly #name: string;
  readonly #stage: (name: string) => StagedWriter;
  #writer: StagedWriter | undefined;
  #counted = 0;
  #last: FailureText | undefined;

  /**
   * `split` is the map task's number, `max` how many letters are still allowed; `isApart`: they have a folder of their
   * own.
   */
  constructor(split: number, max: number, stage: (name: string) => StagedWriter, isApart = false) {
    this.#max = max;
    this.#name = partName({
      output: isApart ? "main" : deadLettersOutput,
      named: !isApart,
      phase: "map",
      index: split,
      extension: "ndjson",
      compress: undefined,
    });
    this.#stage = stage;
  }

  /** Why the last record was put aside, and which one it is. */
  get last(): FailureText | undefined {
    return this.#last;
  }

  /** Whether one more record, with this many line ends inside, may be put aside: each of them counts. */
  roomFor({ lines }: Pick<Extent, "lines">): boolean {
    return this.#counted + 1 + lines <= this.#max;
  }

  /** Puts a record aside. Throws `no-space` or `io-error`. `allowed`: it has been counted already, by the scheduler. */
  put(letter: DeadLetter, allowed: boolean): void {
    const { source, at, error, extent } = letter;
    assert(allowed || this.roomFor(extent), "one more dead letter is allowed");
    if (!allowed) this.#counted += 1 + extent.lines;
    this.lines += extent.lines;
    this.bytes += extent.bytes;
    this.#writer ??= this.#stage(this.#name);
    const line = {
      source,
      offset: at.offset,
      ...recordFields(letter.record),
      code: error.code,
      error: error.message,
      stack: error.stack,
    };
    this.#writer.write(Buffer.from(`${JSON.stringify(line)}\n`));
    this.positions.push(at);
    this.#last = {
      ...error,
      where: `${source}:${at.offset}`,
      excerpt: excerptOf(letter.record),
      aside: 1 + extent.lines,
    };
  }

  async finish(): Promise<readonly StagedFile[]> {
    if (this.#writer === undefined) return [];
    const { bytes, sha256, token } = await this.#writer.finish();
    this.#writer = undefined;
    const records = this.positions.length;
    return [{ output: deadLettersOutput, name: this.#name, bytes, records, sha256, token }];
  }

  abort(): void {
    this.#writer?.abort();
    this.#writer = undefined;
  }
}

/**
 * Text as text, bytes that are no text in base64, everything else as JSON, so that the record can be mended and mapped
 * again.
 */
function recordFields(record: unknown): Readonly<Record<string, unknown>> {
  if (typeof record === "string")
    return record.isWellFormed() ? { text: record } : { text: record.toWellFormed(), mended: true };
  if (record instanceof Uint8Array) {
    const bytes = Buffer.from(record.buffer, record.byteOffset, record.length);
    const text = bytes.toString("utf8");
    return Buffer.from(text).equals(bytes) ? { text } : { base64: bytes.toString("base64") };
  }
  try {
    return { record: JSON.parse(JSON.stringify(record)) };
  } catch {
    return { excerpt: excerptOf(record) }; // a custom format may read what JSON can't hold
  }
}
