// A storage of files in memory, for tests of what stands on it. Publishes nothing.
import { createHash } from "node:crypto";
import { MillraceError } from "../../src/base/error.ts";
import { attemptName } from "../../src/base/ids.ts";
import type { FileInfo, StagedWriter, Storage } from "../../src/storage/storage.ts";

export interface MemoryStorage extends Storage {
  /** Bytes of staged files by their tokens; those not finished are missing. */
  readonly staged: ReadonlyMap<string, Buffer>;
  /** What was saved of staged files, by their tokens: tests may damage it. */
  readonly saved: Map<string, Buffer>;
  /** Staged files begun and neither finished, aborted nor left. */
  readonly unfinished: number;
  /** When set, called before each write to a staged file: may throw. */
  beforeWrite: (() => void) | undefined;
}

/** `chunkBytes`: how many bytes a read hands out at once. */
export function createMemoryStorage(files: Readonly<Record<string, Uint8Array>>, chunkBytes = 1 << 20): MemoryStorage {
  const contents = new Map(Object.entries(files).map(([path, bytes]) => [path, Buffer.from(bytes)]));
  const staged = new Map<string, Buffer>();
  const saved = new Map<string, Buffer>();
  let unfinished = 0;
  const infoOf = (path: string): FileInfo => ({ path, bytes: contents.get(path)!.length, version: "1", hosts: [] });
  const unused = async (): Promise<never> => {
    throw new Error("the memory storage only reads and stages");
  };
  const storage: MemoryStorage = {
    staged,
    saved,
    get unfinished() {
      return unfinished;
    },
    beforeWrite: undefined,
    async list(pattern) {
      const below = pattern.endsWith("/") ? pattern : `${pattern}/`;
      const paths = [...contents.keys()].filter((path) => path === pattern || path.startsWith(below));
      return paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))).map(infoOf);
    },
    stat: async (path) => (contents.has(path) ? infoOf(path) : undefined),
    async *read(file, start, end) {
      const bytes = contents.get(file.path);
      if (bytes === undefined) throw new MillraceError("bad-input", `${file.path} is gone`);
      // One chunk for all, as it is valid only until the next is asked for.
      const chunk = Buffer.alloc(chunkBytes);
      for (let at = start; at < Math.min(end, bytes.length); at += chunkBytes) {
        const length = bytes.copy(chunk, 0, at, Math.min(at + chunkBytes, end));
        yield chunk.subarray(0, length);
      }
    },
    stage(_destination, attempt, name, _, { from, beat } = {}) {
      const pieces: Buffer[] = [];
      const token = `${attemptName(attempt)}/${name}`;
      let length = 0;
      let open = true;
      unfinished++;
      const close = () => {
        if (open) unfinished--;
        open = false;
      };
      const writer: StagedWriter = {
        get bytes() {
          return length;
        },
        write(bytes) {
          storage.beforeWrite?.();
          pieces.push(Buffer.from(bytes));
          length += bytes.length;
        },
        async finish() {
          close();
          const all = Buffer.concat(pieces);
          staged.set(token, all);
          return { bytes: all.length, sha256: sha256(all), token };
        },
        abort() {
          close();
          staged.delete(token);
        },
        save() {
          const all = Buffer.concat(pieces);
          saved.set(token, all);
          return { bytes: all.length, sha256: sha256(all), token, file: undefined };
        },
        leave: close,
      };
      if (from === undefined) return writer;
      const bytes = saved.get(from.token)?.subarray(0, from.bytes);
      if (bytes === undefined || sha256(bytes) !== from.sha256) {
        close();
        throw new MillraceError("corrupt-output", `${from.token} is not what was saved`);
      }
      writer.write(bytes);
      beat?.();
      return writer;
    },
    below: () => {
      throw new Error("the memory storage only reads and stages");
    },
    prepare: unused,
    findLost: unused,
    publish: unused,
    withdraw: unused,
    discard: unused,
  };
  return storage;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
