import type { RunFiles } from "./run.ts";

/** Passes all calls on to other files, and counts the bytes of finished ones by where they ended up. */
export interface MeasuredFiles extends RunFiles {
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

export function measureFiles(files: RunFiles): MeasuredFiles {
  const bytes = { memory: 0, disk: 0 };
  return {
    get memoryBytes() {
      return bytes.memory;
    },
    get diskBytes() {
      return bytes.disk;
    },
    create(name) {
      const file = files.create(name);
      return {
        write: (piece) => file.write(piece),
        finish() {
          const finished = file.finish();
          bytes[finished.tier ?? "memory"] += finished.bytes;
          return finished;
        },
        abort: () => file.abort(),
      };
    },
    open: (path) => files.open(path),
    remove: (path) => files.remove(path),
  };
}
