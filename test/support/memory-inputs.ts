import type { FileInfo, Storage } from "../../src/storage/storage.ts";

export interface MemoryInputs extends Storage {
  /** Ranges read so far, in order. */
  readonly reads: readonly { readonly path: string; readonly start: number; readonly end: number }[];
  /** Most files that were open at once, and how many are now. */
  readonly openMost: number;
  readonly open: number;
}

/** Input files in memory, handed out in small chunks that are overwritten when the next is asked for. */
export function memoryInputs(contents: Readonly<Record<string, string | Uint8Array>>, chunkBytes = 7): MemoryInputs {
  const files = new Map(Object.entries(contents).map(([path, content]) => [path, Buffer.from(content)]));
  const reads: { path: string; start: number; end: number }[] = [];
  let open = 0;
  let openMost = 0;
  const infoOf = (path: string): FileInfo | undefined => {
    const content = files.get(path);
    return content && { path, bytes: content.length, version: "1", hosts: [] };
  };
  const refuse = () => {
    throw new Error("inputs in memory have no outputs");
  };
  return {
    reads,
    get open() {
      return open;
    },
    get openMost() {
      return openMost;
    },
    list: async (pattern) =>
      [...files.keys()]
        .filter((path) => path === pattern || path.startsWith(`${pattern}/`))
        .map((path) => infoOf(path)!),
    stat: async (path) => infoOf(path),
    async *read(file, start, end) {
      const until = Math.min(end, file.bytes);
      if (start >= until) return;
      reads.push({ path: file.path, start, end: until });
      open++;
      openMost = Math.max(openMost, open);
      const buffer = Buffer.alloc(chunkBytes);
      try {
        for (let at = start; at < until; at += chunkBytes) {
          const count = files.get(file.path)!.copy(buffer, 0, at, Math.min(at + chunkBytes, until));
          yield buffer.subarray(0, count);
          buffer.fill("#");
        }
      } finally {
        open--;
      }
    },
    below: refuse,
    stage: refuse,
    prepare: refuse,
    findLost: refuse,
    publish: refuse,
    withdraw: refuse,
    discard: refuse,
  };
}
