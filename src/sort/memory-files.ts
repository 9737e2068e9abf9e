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

/** What such files are made of. */
interface Held {
  readonly finished: Map<string, Buffer>;
  readonly names: Set<string>;
  unfinished: number;
  opened: number;
}

export function createMemoryFiles(): MemoryFiles {
  const held: Held = { finished: new Map(), names: new Set(), unfinished: 0, opened: 0 };
  return {
    create: (name) => createIn(held, name),
    open: (path) => openIn(held, path),
    bytesOf: (path) => bytesIn(held, path),
    remove: (path) => void held.finished.delete(path),
    get paths() {
      return [...held.finished.keys()];
    },
    get unfinished() {
      return held.unfinished;
    },
    get opened() {
      return held.opened;
    },
  };
}

function createIn(held: Held, name: string): RunFile {
  assert(!held.names.has(name), `no other file is named ${name}`);
  held.names.add(name);
  let pieces: Buffer[] | undefined = [];
  held.unfinished++;
  return {
    write(bytes) {
      assert(pieces !== undefined, "a file is written before it is finished");
      pieces.push(Buffer.from(bytes));
    },
    finish(): FinishedFile {
      assert(pieces !== undefined, "a file is finished once");
      const bytes = Buffer.concat(pieces);
      held.finished.set(name, bytes);
      pieces = undefined;
      held.unfinished--;
      return { path: name, bytes: bytes.length, tier: "memory" };
    },
    abort() {
      if (pieces === undefined) return;
      pieces = undefined;
      held.unfinished--;
    },
  };
}

function bytesIn({ finished }: Held, path: string): Buffer {
  const bytes = finished.get(path);
  if (bytes === undefined) throw new MillraceError("segment-lost", `${path} is gone`, { retry: "elsewhere" });
  return bytes;
}

function openIn(held: Held, path: string): RunBytes {
  const bytes = bytesIn(held, path);
  let isOpen = true;
  held.opened++;
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
      held.opened--;
    },
  };
}
