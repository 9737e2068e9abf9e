// Reads the records that a job kept for `run()`: each is written by the `auto` codec behind its length, a 4-byte
// big-endian number (by task/output/auto-records.ts).
import { MillraceError } from "../base/error.ts";
import { autoValue } from "../job/codecs/auto.ts";
import { publishedFiles } from "../output/published.ts";
import type { Storage } from "../storage/storage.ts";

const headerBytes = 4;

/** The main output's records, partition after partition. */
export async function* readRecords(storage: Storage, directory: string): AsyncIterable<unknown> {
  for (const listed of await publishedFiles(storage, directory)) {
    const file = await storage.stat(listed.path);
    if (file === undefined || file.bytes !== listed.bytes) throw damaged(listed.path);
    yield* decodeRecords(storage.read(file, 0, file.bytes), listed.path);
  }
}

/** Decodes records from chunks, which may end anywhere. `path` is named in errors. */
export async function* decodeRecords(chunks: AsyncIterable<Uint8Array>, path: string): AsyncIterable<unknown> {
  /** The end of earlier chunks, which is less than a record. */
  let rest = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const held = Buffer.concat([rest, chunk]);
    let at = 0;
    while (held.length - at >= headerBytes) {
      const end = at + headerBytes + held.readUInt32BE(at);
      if (end > held.length) break;
      yield autoValue.read(held.subarray(at + headerBytes, end));
      at = end;
    }
    rest = held.subarray(at);
  }
  if (rest.length > 0) throw damaged(path);
}

function damaged(path: string): MillraceError {
  return new MillraceError("corrupt-output", `${path} is not as it was written`);
}
