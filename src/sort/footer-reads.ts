// How a footer is read, without saying by which calls: slots read synchronously, the shuffle's server does not. A
// reduce wants one entry of the footer of each map's run. So a long footer is read only where that entry must be:
// otherwise, what all reduces read of all footers would grow with the square of the number of partitions.
import type { AttemptId } from "../base/ids.ts";
import type { Segment } from "./run.ts";
import {
  entryBytes,
  entryFault,
  entryPartition,
  type FooterHead,
  footerBytesAt,
  footerFault,
  headBytesMax,
  parseHead,
  readEntry,
  segmentFault,
  trailerBytes,
} from "./run-footer.ts";
import { corruptRun, fileMagic } from "./run-format.ts";

export interface Wanted {
  readonly position: number;
  readonly length: number;
}

/**
 * Yields what it wants read, and is given a buffer of exactly that, valid until it yields again. Throws `corrupt-run`.
 */
export type Reads<T> = Generator<Wanted, T, Buffer>;

/** One read of this size gets the whole footer of 150 partitions, and all of a small run. */
const tailBytesMax = 8 * 1024;
/** Most heads are far shorter. */
const headBytesUsual = 512;

/** Opens the footer of a run of `size` bytes. Throws `corrupt-run`, naming the path and what is wrong. */
export function* openFooter(size: number, path: string): Reads<RunFooter> {
  if (size < fileMagic.length + trailerBytes) throw corruptRun(path, `${size} bytes are too few for a run`);
  const tailBytes = Math.min(size, tailBytesMax);
  const tail = yield { position: size - tailBytes, length: tailBytes };
  const footerBytes = footerBytesAt(tail, tailBytes - trailerBytes);
  if (footerBytes === undefined) throw corruptRun(path, "it does not end like a run");
  const endBytes = footerBytes + trailerBytes;
  if (endBytes > size - fileMagic.length) throw corruptRun(path, `a footer of ${footerBytes} bytes can't be here`);
  const isMagic = tailBytes === size ? tail.compare(fileMagic, 0, 8, 0, 8) === 0 : undefined;
  const start = size - endBytes;
  // This is a copy, because the footer is kept as long as the run is open, and the buffer only until the next read.
  const held = endBytes <= tailBytes ? Buffer.from(tail.subarray(tailBytes - endBytes)) : undefined;
  let head = parseHead(held ?? (yield { position: start, length: Math.min(headBytesUsual, footerBytes) }), footerBytes);
  if (typeof head === "string" && held === undefined) {
    head = parseHead(yield { position: start, length: Math.min(headBytesMax, footerBytes) }, footerBytes);
  }
  if (typeof head === "string") throw corruptRun(path, head);
  const footer = new RunFooter(size, path, start, head, held);
  if (!(isMagic ?? (yield { position: 0, length: fileMagic.length }).compare(fileMagic) === 0)) {
    throw corruptRun(path, "it does not begin like a run of version 1");
  }
  return footer;
}

/** A footer whose head has been read and checked. Its entries are held, or are read when they are asked for. */
export class RunFooter {
  readonly writtenBy: AttemptId;
  readonly pairs: number;
  readonly emissionDigest: bigint;
  readonly blockBytesMax: number;
  readonly #size: number;
  readonly #path: string;
  /** Where the footer begins in the file. */
  readonly #start: number;
  readonly #head: FooterHead;
  /** The whole footer, trailer included, after its check. */
  #held: Buffer | undefined;

  constructor(size: number, path: string, start: number, head: FooterHead, held: Buffer | undefined) {
    this.writtenBy = head.writtenBy;
    this.pairs = head.pairs;
    this.emissionDigest = head.emissionDigest;
    this.blockBytesMax = head.blockBytesMax;
    this.#size = size;
    this.#path = path;
    this.#start = start;
    this.#head = head;
    if (held !== undefined) this.#hold(held);
  }

  /** About how many bytes it keeps in memory. */
  get heldBytes(): number {
    return (this.#held?.length ?? 0) + 512;
  }

  /** Reads and checks the whole footer, unless that has been done; then nothing more has to be read. */
  *hold(): Reads<void> {
    yield* this.#whole();
  }

  /** The segments in partition order; partitions without pairs have none. */
  *segments(): Reads<readonly Segment[]> {
    const whole = yield* this.#whole();
    return Array.from({ length: this.#head.count }, (_, index) => readEntry(whole, this.#entryAt(index)));
  }

  /**
   * The segment of one partition, by binary search; undefined where it has none. Each entry on the way is checked by
   * its own checksum, so a partition counts as missing only between two entries that say so.
   */
  *find(partition: number): Reads<Segment | undefined> {
    let low = 0;
    let high = this.#head.count;
    // Mostly every partition has pairs, and its entry is the one with its number; its entry is never behind that one.
    let probe = Math.min(partition, high - 1);
    while (low < high) {
      const at = this.#entryAt(probe);
      const isHeld = this.#held !== undefined;
      const bytes = this.#held ?? (yield { position: this.#start + at, length: entryBytes });
      const entry = isHeld ? at : 0;
      const fault = isHeld ? undefined : entryFault(bytes, entry, probe);
      if (fault !== undefined) throw corruptRun(this.#path, fault);
      const found = entryPartition(bytes, entry);
      if (found === partition) {
        const segment = readEntry(bytes, entry);
        const misplaced = segmentFault(segment, this.#start);
        if (misplaced !== undefined) throw corruptRun(this.#path, misplaced);
        return segment;
      }
      if (found < partition) low = probe + 1;
      else high = probe;
      probe = (low + high) >>> 1;
    }
    return undefined;
  }

  #entryAt(index: number): number {
    return this.#head.headBytes + index * entryBytes;
  }

  *#whole(): Reads<Buffer> {
    if (this.#held !== undefined) return this.#held;
    return this.#hold(Buffer.from(yield { position: this.#start, length: this.#size - this.#start }));
  }

  #hold(bytes: Buffer): Buffer {
    const fault = footerFault(bytes, this.#head, this.#size);
    if (fault !== undefined) throw corruptRun(this.#path, fault);
    this.#held = bytes;
    return bytes;
  }
}
