// How an attempt's staged file begins with what another attempt had saved of its own: the bytes are copied and compared
// with their checksum on the way, as nothing else says that they are still the ones that were written.
import type nodeFs from "node:fs";
import { MillraceError } from "../base/error.ts";
import { MiB } from "../base/limits.ts";
import type { StagedPrefix } from "./storage.ts";

const copyBytes = 1 * MiB;

export interface PrefixCopy {
  readonly fs: Pick<typeof nodeFs, "openSync" | "fstatSync" | "readSync" | "closeSync">;
  /** Where the bytes are; undefined: nowhere. */
  readonly path: string | undefined;
  readonly flags: number;
  readonly prefix: StagedPrefix;
  /** The output file's name, for messages. */
  readonly name: string;
  readonly beat: (() => void) | undefined;
  /** Writes all of a chunk, which is used again. */
  write(chunk: Uint8Array): void;
  /** The checksum of all that was written. */
  sha256(): string;
}

/**
 * Throws `corrupt-output` where the bytes are gone, fewer, or others than were saved; then some of them may have been
 * written. What follows them in the file is not looked at. Throws also what `write` throws.
 */
export function copyPrefix({ fs, path, flags, prefix, name, beat, write, sha256 }: PrefixCopy): void {
  const lost = (why: string, cause?: unknown) =>
    new MillraceError("corrupt-output", `What a checkpoint says of the staged file ${JSON.stringify(name)} ${why}.`, {
      cause,
      retry: "elsewhere",
    });
  /** What the source's own calls throw is no reason for the attempt to fail. */
  const reading = <T>(read: () => T): T => {
    try {
      return read();
    } catch (thrown) {
      throw lost("can't be read any more", thrown);
    }
  };
  if (path === undefined) throw lost("names no file");
  const fd = reading(() => fs.openSync(path, flags));
  try {
    const stats = reading(() => fs.fstatSync(fd));
    if (!stats.isFile()) throw lost("is about something else than a file");
    if (stats.size < prefix.bytes) throw lost(`is about ${prefix.bytes} bytes, but it has ${stats.size}`);
    const buffer = Buffer.allocUnsafe(Math.min(copyBytes, prefix.bytes));
    for (let at = 0; at < prefix.bytes; ) {
      const count = reading(() => fs.readSync(fd, buffer, 0, Math.min(buffer.length, prefix.bytes - at), at));
      if (count === 0) throw lost(`is about ${prefix.bytes} bytes, but it ends at ${at}`);
      const chunk = buffer.subarray(0, count);
      write(chunk);
      at += count;
      beat?.();
    }
    if (sha256() !== prefix.sha256) throw lost("is not what was written: the checksum is another one");
  } finally {
    fs.closeSync(fd);
  }
}
