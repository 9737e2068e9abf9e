// Checkpoints of one task in files of its worker:
//
//   DISK/TASK/ATTEMPT/checkpoint     what the attempt had done (bytes.ts)
//   DISK/TASK/ATTEMPT/RUN            runs that lie on disk, and outputs that are not uploaded yet
//   MEMORY/TASK/ATTEMPT/RUN          runs that lie in the memory tier, which lasts until the machine restarts
//
// Only the attempt writes to its folders. Files are in them under a second name (a hard link), so they cost no bytes,
// and outlive what becomes of the first name. An attempt that goes on from another's checkpoint gives the files a name
// in its own folders first: from then on no one can take them away. All calls are synchronous: they run in a slot,
// between two records.
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { MillraceError, systemCode } from "../base/error.ts";
import { type AttemptId, attemptName, taskName } from "../base/ids.ts";
import { namesIn } from "../base/system/names-in.ts";
import type { RunFiles, RunRef } from "../sort/run.ts";
import { verifyRun } from "../sort/verify-run.ts";
import { checkpointBytes, checkpointOf } from "./bytes.ts";
import { type Checkpoint, type Checkpoints, progressOf } from "./checkpoint.ts";

export interface CheckpointFoldersOptions {
  readonly attempt: AttemptId;
  /** A digest of what the attempt is given to do: only checkpoints of the same work are gone on from. */
  readonly work: Uint8Array;
  readonly intervalMs: number;
  /** Where runs are made, and where checkpoints of the same job lie on the same disk; the first of them is on disk. */
  readonly places: readonly [RunPlace, ...RunPlace[]];
  /** Opens a run by its path. */
  readonly open: RunFiles["open"];
}

export interface RunPlace {
  readonly runs: string;
  readonly checkpoints: string;
}

const fileName = "checkpoint";

export class CheckpointFolders implements Checkpoints {
  readonly intervalMs: number;
  readonly #options: CheckpointFoldersOptions;
  /** The attempt's own folders, in the order of the places. */
  readonly #own: readonly string[];
  readonly #task: string;
  readonly #name: string;
  /** Runs that have a name in a folder of the attempt's own. */
  readonly #linked = new Set<string>();
  #isMade = false;

  constructor(options: CheckpointFoldersOptions) {
    const { attempt, places, intervalMs } = options;
    this.intervalMs = intervalMs;
    this.#options = options;
    this.#task = taskName(attempt);
    this.#name = attemptName(attempt);
    this.#own = places.map(({ checkpoints }) => join(checkpoints, this.#task, this.#name));
  }

  newest(beat: () => void): Checkpoint | undefined {
    const { places, work } = this.#options;
    const folder = join(places[0].checkpoints, this.#task);
    const found: { readonly name: string; readonly checkpoint: Checkpoint }[] = [];
    for (const name of namesIn(folder)) {
      const bytes = name === this.#name ? undefined : readIfPossible(join(folder, name, fileName));
      const checkpoint = bytes === undefined ? undefined : checkpointOf(work, bytes);
      if (checkpoint !== undefined) found.push({ name, checkpoint });
    }
    found.sort((a, b) => progressOf(b.checkpoint) - progressOf(a.checkpoint));
    for (const { name, checkpoint } of found) {
      const taken = this.#take(name, checkpoint, beat);
      if (taken !== undefined) return taken;
    }
    return undefined;
  }

  write(checkpoint: Checkpoint): void {
    this.#make();
    const kept = withFiles(
      checkpoint,
      (run) => ({ ...run, path: this.#keep(run.path) }),
      (path) => this.#keepOnDisk(path),
    );
    const target = join(this.#own[0]!, fileName);
    writeDurably(`${target}.new`, checkpointBytes(this.#options.work, kept));
    renameSync(`${target}.new`, target);
    syncDirectory(this.#own[0]!);
  }

  discard(): void {
    for (const { checkpoints } of this.#options.places) removeIfPossible(join(checkpoints, this.#task));
    this.#linked.clear();
    this.#isMade = false;
  }

  /** Takes over another attempt's checkpoint. Undefined: some of its files are gone, or its runs damaged. */
  #take(name: string, checkpoint: Checkpoint, beat: () => void): Checkpoint | undefined {
    try {
      this.#make();
      const taken = withFiles(
        checkpoint,
        (run) => this.#takeRun(name, run),
        (file) => this.#takeFile(name, file),
      );
      if (taken.kind === "map") for (const run of taken.runs) verifyRun(this.#options.open, run, beat);
      return taken;
    } catch (error) {
      if (error instanceof MillraceError || systemCode(error) !== undefined) return undefined;
      throw error;
    }
  }

  #takeRun(name: string, run: RunRef): RunRef {
    const { places } = this.#options;
    if (basename(run.path) !== run.path) throw new MillraceError("corrupt-run", `${run.path} is no name of a run`);
    for (const [i, { checkpoints }] of places.entries()) {
      const path = join(this.#own[i]!, run.path);
      if (this.#linked.has(path)) return { ...run, path };
      if (!linkIfThere(join(checkpoints, this.#task, name, run.path), path)) continue;
      this.#linked.add(path);
      return { ...run, path };
    }
    throw new MillraceError("segment-lost", `${run.path} is gone`);
  }

  #takeFile(name: string, file: string): string {
    if (basename(file) !== file) throw new MillraceError("corrupt-output", `${file} is no name of a file`);
    const path = join(this.#own[0]!, file);
    if (this.#linked.has(path)) return path;
    linkSync(join(this.#options.places[0].checkpoints, this.#task, name, file), path);
    this.#linked.add(path);
    return path;
  }

  /** Returns the run's name in the attempt's folder. */
  #keep(path: string): string {
    const folder = dirname(path);
    const name = basename(path);
    if (this.#own.includes(folder)) return name; // of an earlier attempt, and taken over
    const place = this.#options.places.findIndex(({ runs }) => runs === folder);
    this.#link(path, join(this.#own[place]!, name));
    return name;
  }

  #keepOnDisk(path: string): string {
    this.#link(path, join(this.#own[0]!, basename(path)));
    return basename(path);
  }

  #link(path: string, own: string): void {
    if (this.#linked.has(own)) return;
    linkSync(path, own);
    this.#linked.add(own);
  }

  #make(): void {
    if (this.#isMade) return;
    for (const folder of this.#own) mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#isMade = true;
  }
}

/** The same checkpoint with other paths of runs, and of files in which outputs are saved. */
function withFiles(
  checkpoint: Checkpoint,
  runOf: (run: RunRef) => RunRef,
  fileOf: (path: string) => string,
): Checkpoint {
  const outputs = checkpoint.outputs.map((part) => {
    const { file } = part.staged;
    return file === undefined ? part : { ...part, staged: { ...part.staged, file: fileOf(file) } };
  });
  if (checkpoint.kind === "reduce") return { ...checkpoint, outputs };
  return { ...checkpoint, outputs, runs: checkpoint.runs.map(runOf) };
}

/** False where there is no such file. */
function linkIfThere(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}

function readIfPossible(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined; // not made yet, removed, or unreadable: as if it were not there
  }
}

function writeDurably(path: string, bytes: Uint8Array): void {
  const fd = openSync(path, "w", 0o600);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function removeIfPossible(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // Its worker removes it with the job.
  }
}
