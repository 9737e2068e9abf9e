import type { RunFiles } from "./run.ts";

/**
 * The same files, for the part of an attempt that begins again: no name is given to two files, whatever became of the
 * first. `restarts`: how often it has begun again.
 */
export function filesAgain(files: RunFiles, restarts: number): RunFiles {
  if (restarts === 0) return files;
  return {
    create: (name) => files.create(`${name}.again-${restarts}`),
    open: (path) => files.open(path),
    remove: (path) => files.remove(path),
  };
}
