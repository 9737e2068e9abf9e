// The directory that a worker keeps everything in, over all its starts:
//
//   WORKDIR/              mode 0700
//     lock/               held by the process that uses it (directory-lock.ts)
//     worker.json         id, incarnation, and the cluster whose runs these are
//     runs/ checkpoints/ logs/ slots/  as in a local run (work-directory.ts), logs in a directory per job
//     bundles/ files/     jobs' code and side files, by their SHA-256
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { MillraceError, systemCode } from "../../base/error.ts";
import type { WorkerId } from "../../base/ids.ts";
import { type DirectoryLock, lockDirectory } from "./directory-lock.ts";
import { removedMark } from "./file-run-store.ts";
import { openWorkDirectory, removeWorkDirectory, type WorkDirectory } from "./work-directory.ts";

export interface WorkerDirectory {
  readonly work: WorkDirectory;
  readonly bundles: string;
  readonly files: string;
  readonly id: WorkerId;
  /** Greater than that of any earlier start of a worker of this name; durable. Undefined until a cluster was joined. */
  readonly incarnation: number | undefined;
  /**
   * Notes whose worker this is from now on, and which start of it this is (`Welcome`); what is another cluster's is
   * removed first. True: there was such.
   */
  joinCluster(cluster: string, start: number): boolean;
  /** Releases the lock. With "remove", no runs stay, not in the memory tier either. */
  close(how: "keep" | "remove"): Promise<void>;
}

export interface WorkerDirectoryOptions {
  readonly path: string;
  /** The worker's name; undefined: the one that it had before, or a random one. */
  readonly name: WorkerId | undefined;
  readonly memoryRoot?: string | undefined;
}

/** The contents of `worker.json`. */
interface WorkerRecord {
  readonly version: 1;
  readonly id: WorkerId;
  readonly incarnation: number;
  /** The cluster that it belongs to; undefined: it never joined one. */
  readonly cluster?: string | undefined;
}

/**
 * Throws `state-busy` while another worker uses it, `wrong-usage` for a directory of other things, `io-error`,
 * `no-space`.
 */
export async function openWorkerDirectory(options: WorkerDirectoryOptions): Promise<WorkerDirectory> {
  const { name, memoryRoot } = options;
  if (name !== undefined && !/^[\w.-]{1,64}$/.test(name)) {
    throw new MillraceError("wrong-usage", `--name ${JSON.stringify(name)}: 1 to 64 letters, digits, ".", "-" and "_"`);
  }
  const path = makePrivate(options.path);
  const lock = await lockOf(path);
  try {
    const before = readRecord(path);
    const record: WorkerRecord = {
      version: 1,
      id: name ?? before?.id ?? `w-${randomBytes(3).toString("hex")}`,
      incarnation: before?.incarnation ?? 0,
      cluster: before?.cluster,
    };
    writeRecord(path, record);
    const id = `worker-${createHash("sha256").update(path).digest("hex").slice(0, 16)}`;
    const work = openWorkDirectory({ path, id, ...(memoryRoot === undefined ? {} : { memoryRoot }) });
    return new OpenWorkerDirectory(work, lock, record);
  } catch (error) {
    await lock.release();
    throw named(path, error);
  }
}

class OpenWorkerDirectory implements WorkerDirectory {
  readonly work: WorkDirectory;
  readonly bundles: string;
  readonly files: string;
  readonly #lock: DirectoryLock;
  #record: WorkerRecord;
  #incarnation: number | undefined;

  constructor(work: WorkDirectory, lock: DirectoryLock, record: WorkerRecord) {
    this.work = work;
    this.bundles = join(work.path, "bundles");
    this.files = join(work.path, "files");
    this.#lock = lock;
    this.#record = record;
    for (const directory of [this.bundles, this.files]) mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Slots of an earlier process have ended with it, and what was being removed then is still to be removed.
    for (const directory of new Set([work.slots, work.pages])) empty(directory);
    for (const runs of [work.runs.memory, work.runs.disk, work.checkpoints.memory, work.checkpoints.disk]) {
      if (runs !== undefined) empty(runs, (name) => name.includes(removedMark));
    }
  }

  get id(): WorkerId {
    return this.#record.id;
  }

  get incarnation(): number | undefined {
    return this.#incarnation;
  }

  joinCluster(cluster: string, start: number): boolean {
    const { cluster: before, incarnation: last } = this.#record;
    if (before !== cluster) {
      const { runs, checkpoints, logs } = this.work;
      // Before the note, so that a crash between the two removes again. A worker that never got an answer has nothing.
      const held = [runs.memory, runs.disk, checkpoints.memory, checkpoints.disk];
      for (const directory of [...held, logs, this.bundles, this.files]) {
        if (directory !== undefined) empty(directory);
      }
    }
    // The master's number is greater than those that it gave out before; that of the record is one more guard, should
    // it forget.
    this.#incarnation = Math.max(before === cluster ? last + 1 : 0, start);
    this.#record = { ...this.#record, cluster, incarnation: this.#incarnation };
    writeRecord(this.work.path, this.#record);
    return before !== undefined && before !== cluster;
  }

  async close(how: "keep" | "remove"): Promise<void> {
    const { work } = this;
    try {
      // The next start creates it again. Memory that no one comes back for would be lost to the machine.
      if (how === "remove" && work.memory !== undefined) removeWorkDirectory({ path: work.memory, memory: undefined });
      for (const directory of new Set([work.slots, work.pages])) empty(directory);
      if (how === "remove") for (const directory of [work.runs.disk, work.checkpoints.disk]) empty(directory);
    } finally {
      await this.#lock.release();
    }
  }
}

async function lockOf(path: string): Promise<DirectoryLock> {
  try {
    return await lockDirectory(path);
  } catch (error) {
    throw named(path, error);
  }
}

/** Creates the directory, or takes an existing work directory. Refuses a directory with other content. */
function makePrivate(directory: string): string {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = realpathSync(directory);
    const names = readdirSync(path).filter((name) => name !== "lost+found");
    const isOurs = names.some((name) => name === "worker.json" || name.startsWith("lock"));
    if (names.length > 0 && !isOurs) {
      throw new MillraceError(
        "wrong-usage",
        `${path} holds other things than a worker's (${names.slice(0, 3).join(", ")}): give --work-dir an empty directory or a new one`,
      );
    }
    const { uid, mode } = statSync(path);
    if (process.getuid !== undefined && uid !== process.getuid()) {
      throw new MillraceError("wrong-usage", `${path} belongs to another user: start the worker as that user`);
    }
    if ((mode & 0o077) !== 0) chmodSync(path, 0o700);
    return path;
  } catch (error) {
    throw named(directory, error);
  }
}

function named(path: string, error: unknown): unknown {
  const code = systemCode(error);
  if (error instanceof MillraceError || code === undefined) return error;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new MillraceError(
      "no-space",
      `the disk of the work directory ${path} is full: make room, or choose another --work-dir`,
      { cause: error },
    );
  }
  return new MillraceError("io-error", `the work directory ${path} can't be used: ${code}; choose another --work-dir`, {
    cause: error,
  });
}

function readRecord(path: string): WorkerRecord | undefined {
  let text: string;
  try {
    text = readFileSync(join(path, "worker.json"), "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { version, id, incarnation, cluster } = JSON.parse(text) as Partial<WorkerRecord>;
    if (version !== 1 || typeof id !== "string") return undefined;
    if (typeof incarnation !== "number" || !Number.isSafeInteger(incarnation)) return undefined;
    return { version, id, incarnation, cluster: typeof cluster === "string" ? cluster : undefined };
  } catch {
    return undefined; // cut short: a new worker
  }
}

/** Writes the record in one step, durably, as an incarnation must not be used twice. */
function writeRecord(path: string, record: WorkerRecord): void {
  const target = join(path, "worker.json");
  const fd = openSync(`${target}.new`, "w", 0o600);
  try {
    writeSync(fd, `${JSON.stringify(record)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${target}.new`, target);
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function empty(directory: string, isRemoved: (name: string) => boolean = () => true): void {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return; // removed with the memory tier
  }
  for (const name of names) {
    if (isRemoved(name)) rmSync(join(directory, name), { recursive: true, force: true, maxRetries: 3 });
  }
}
