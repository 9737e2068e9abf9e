import { type FooterTable, footerBytesAt, parseFooter, trailerBytes } from "./run-footer.ts";
import { corruptRun, fileMagic } from "./run-format.ts";

export interface Wanted {
  readonly position: number;
  readonly length: number;
}

/**
 * How to read the footer of a run of `size` bytes, without saying by what calls: yields what it wants read, is given a buffer
 * of just that, valid until it wants more, and returns the footer. Slots read synchronously, the shuffle's server does not.
 * Throws `corrupt-run` with the path and what is wrong.
 */
export function* footerReads(size: number, path: string): Generator<Wanted, FooterTable, Buffer> {
  if (size < fileMagic.length + trailerBytes) throw corruptRun(path, `${size} bytes are too few for a run`);
  // One read gets the footer of most runs, and all of a small run.
  const tailBytes = Math.min(size, tailBytesMax);
  const tail = yield { position: size - tailBytes, length: tailBytes };
  const footerBytes = footerBytesAt(tail, tailBytes - trailerBytes);
  if (footerBytes === undefined) throw corruptRun(path, "it does not end like a run");
  const endBytes = footerBytes + trailerBytes;
  if (endBytes > size - fileMagic.length) throw corruptRun(path, `a footer of ${footerBytes} bytes can't be here`);
  const begin = tailBytes === size ? Buffer.from(tail.subarray(0, fileMagic.length)) : undefined;
  // A copy: the footer is kept as long as the run is open, the buffer only until the next read.
  const end = Buffer.allocUnsafeSlow(endBytes);
  if (endBytes <= tailBytes) tail.copy(end, 0, tailBytes - endBytes, tailBytes);
  else (yield { position: size - endBytes, length: endBytes }).copy(end);
  const footer = parseFooter(end, size);
  if (typeof footer === "string") throw corruptRun(path, footer);
  const magic = begin ?? (yield { position: 0, length: fileMagic.length });
  if (magic.compare(fileMagic) !== 0) throw corruptRun(path, "it does not begin like a run of version 1");
  return footer;
}

const tailBytesMax = 64 * 1024;
