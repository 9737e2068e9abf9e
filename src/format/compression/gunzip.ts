// gzip as a stream, by node:zlib, which inflates in another thread and reads members that follow one another. This file
// checks what node:zlib lets pass: it ignores everything behind zero bytes that pad a file's end, even another member.
import { createGunzip } from "node:zlib";
import { MillraceError, systemCode } from "../../base/error.ts";
import { KiB } from "../../base/limits.ts";
import { formatCount } from "../../base/units.ts";
import { Feeder } from "./feeder.ts";

/** The content of all members. Throws `bad-input` when the data is damaged, cut short or followed by something else. */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = createGunzip({ chunkSize: 256 * KiB });
  // The loop below gets errors only while it waits: since Node 22 an error that comes between two of its turns has no
  // listener.
  stream.on("error", () => {});
  const feeder = new Feeder(stream, chunks);
  const fed = feeder.run();
  try {
    for await (const content of stream) yield content as Uint8Array;
    await fed;
    if (feeder.failure !== undefined) throw feeder.failure;
    if (feeder.lastNonZero > stream.bytesWritten) {
      throw damaged("data that is not gzip follows zero bytes", stream.bytesWritten);
    }
  } catch (thrown) {
    if (feeder.failure !== undefined) throw feeder.failure;
    const code = systemCode(thrown);
    if (code === "Z_BUF_ERROR") throw damaged("the file ends too early", feeder.received);
    if (code?.startsWith("Z_") !== true) throw thrown;
    throw damaged((thrown as Error).message, stream.bytesWritten);
  } finally {
    stream.destroy();
    await fed;
  }
}

function damaged(problem: string, offset: number): MillraceError {
  return new MillraceError(
    "bad-input",
    `the gzip data is damaged: ${problem}, at or behind compressed byte ${formatCount(offset)}`,
  );
}
