// The part of a file's beginning that is needed to read it from its middle: the header of csv. It may be longer than
// any window that every split could afford to search, so where a file is cut the plan says where its header ends.
import { KiB } from "../base/limits.ts";
import { BadRecord, type HeadedFormat, type InputFormat } from "../format/format.ts";
import type { Storage } from "../storage/storage.ts";
import { BadRecordIn } from "./bad-record.ts";
import type { PlannedFile, Split } from "./plan.ts";

/** Most headers are shorter. */
const firstBytes = 64 * KiB;

export interface HeaderOptions {
  readonly storage: Storage;
  readonly files: readonly PlannedFile[];
  readonly splits: readonly Split[];
  readonly formatOf: (input: number) => InputFormat<unknown>;
}

/**
 * Returns the files, with the end of the header for those that are cut. Throws `BadRecordIn` for a header that can't be
 * found.
 */
export async function withHeaders({ storage, files, splits, formatOf }: HeaderOptions): Promise<PlannedFile[]> {
  const found = [...files];
  for (const split of splits) {
    for (const { file: index, start } of split) {
      const file = found[index]!;
      if (start === 0 || file.headerEnd !== undefined) continue;
      const format = formatOf(file.input);
      if (!isHeaded(format)) continue;
      try {
        found[index] = { ...file, headerEnd: await format.findHeaderEnd(beginning(storage, file)) };
      } catch (thrown) {
        if (thrown instanceof BadRecord) throw new BadRecordIn(thrown, index, file.source);
        throw thrown;
      }
    }
  }
  return found;
}

export function isHeaded(format: InputFormat<unknown>): format is InputFormat<unknown> & HeadedFormat {
  return "findHeaderEnd" in format && typeof format.findHeaderEnd === "function";
}

/** Reads an uncompressed file for callers that mostly want its first bytes. */
export async function* beginning(storage: Storage, file: PlannedFile): AsyncGenerator<Uint8Array, void, undefined> {
  const first = Math.min(firstBytes, file.bytes);
  yield* storage.read(file, 0, first);
  if (first < file.bytes) yield* storage.read(file, first, file.bytes);
}
