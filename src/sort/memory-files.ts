// Runs in this process's memory, for tests and for jobs that run inline on a few records. There is no budget, and
// nothing is written to disk. The files of real attempts are those of tier/tier.ts.
import { assert } from "../base/assert.ts";
import { MillraceError } from "../base/error.ts";
import type { FinishedFile, RunBytes, RunFile, RunFiles } from "./run.ts";

/** The same, with a view for tests of what is there. */
export interface MemoryFiles extends RunFiles {
  /** Paths of the finished files. */
  readonly paths: readonly string[];
  /** Files that were begun and neither finished nor aborted. */
  readonly unfinished: number;
  /** Finished files that are open. */
  readonly opened: number;
  /** The bytes of a finished file, not a copy. */
  bytesOf(path: string): Uint8Array;
}

export function createMemoryFiles(): MemoryFiles {
  const finished = new Map<string, Buffer>();
  const names = new Set<string>();
  let unfinished = 0;
  let opened = 0;

  const create = (name: string): RunFile => {
    assert(!names.has(name), `no other file is named ${name}`);
    names.add(name);
    let pieces: Buffer[] | undefined = [];
    unfinished++;
    return {
      write(bytes) {
        assert(pieces !== undefined, "a file is written before it is finished");
        pieces.push(Buffer.from(bytes));
      },
      finish(): FinishedFile {
        assert(pieces !== undefined, "a file is finished once");
        const bytes = Buffer.concat(pieces);
        finished.set(name, bytes);
        pieces = undefined;
        unfinished--;
        return { path: name, bytes: bytes.length, tier: "memory" };
      },
      abort() {
        if (pieces === undefined) return;
        pieces = undefined;
        unfinished--;
      },
    };
  };

  const bytesOf = (path: string): Buffer => {
    const bytes = finished.get(path);
    if (bytes === undefined) throw new MillraceError("segment-lost", `${path} is gone`, { retry: "elsewhere" });
    return bytes;
  };

  const open = (path: string): RunBytes => {
    const bytes = bytesOf(path);
    let isOpen = true;
    opened++;
    return {
      size: bytes.length,
      read(target, at, length, position) {
        assert(isOpen, "a closed file is not read");
        const piece = bytes.subarray(position, position + length);
        target.set(piece, at);
        return piece.length;
      },
      close() {
        if (!isOpen) return;
        isOpen = false;
        opened--;
      },
    };
  };

  return {
    create,
    open,
    bytesOf,
    remove: (path) => void finished.delete(path),
    get paths() {
      return [...finished.keys()];
    },
    get unfinished() {
      return unfinished;
    },
    get opened() {
      return opened;
    },
  };
}
