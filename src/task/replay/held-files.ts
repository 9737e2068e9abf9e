// Runs in this process's memory, up to a bound.
import type { MillraceError } from "../../base/error.ts";
import { createMemoryFiles } from "../../sort/memory-files.ts";
import type { RunFiles } from "../../sort/run.ts";

/** Throws what `refuse` makes where more than `bytesMax` would be held. */
export function heldFiles(bytesMax: number, refuse: () => MillraceError): RunFiles {
  const files = createMemoryFiles();
  const sizes = new Map<string, number>();
  let held = 0;
  return {
    create(name) {
      const file = files.create(name);
      let own = 0;
      return {
        write(bytes) {
          if (held + bytes.length > bytesMax) throw refuse();
          held += bytes.length;
          own += bytes.length;
          file.write(bytes);
        },
        finish() {
          const finished = file.finish();
          sizes.set(finished.path, own);
          own = 0;
          return finished;
        },
        abort() {
          held -= own;
          own = 0;
          file.abort();
        },
      };
    },
    open: (path) => files.open(path),
    remove(path) {
      held -= sizes.get(path) ?? 0;
      sizes.delete(path);
      files.remove(path);
    },
  };
}
