// The interface of storages: where input is read and output is published. local/ and s3/ implement it, any.ts picks one
// by the path, and one conformance suite holds what is said here.
import type { AttemptId, JobId } from "../base/ids.ts";

/**
 * What input and output need from a file system or an object store. A signal ends the wait for a storage that is
 * elsewhere, which then throws "cancelled"; a call on a file system first finishes the step that it is in.
 */
export interface Storage {
  /**
   * Finds the regular files that an argument (file, directory, glob) names, sorted by the bytes of their paths. The
   * plan task calls it.
   */
  list(pattern: string, signal?: AbortSignal): Promise<readonly FileInfo[]>;
  /** One file as it is now; undefined where there is none. Throws `bad-input` for anything but a regular file. */
  stat(path: string, signal?: AbortSignal): Promise<FileInfo | undefined>;
  /**
   * Reads bytes [start, end) in chunks of at most `limits.inputChunkBytes`; a chunk is valid until the next is asked
   * for. Throws `input-changed` when the file is no longer of this version, `bad-input` when it can't be read. Tasks
   * call it, in slots.
   */
  read(file: FileInfo, start: number, end: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * Yields everything below a folder, hidden things too, in no order, without following links. Names are relative to
   * the folder. Yields nothing where there is no such folder.
   */
  below(directory: string, signal?: AbortSignal): AsyncIterable<FoundBelow>;
  /**
   * Starts a new, invisible output file of an attempt. An attempt that is started again under the same number starts
   * over with it. With `from`, the file begins with what another attempt had saved, and `corrupt-output` is thrown
   * where that is gone, shorter or altered.
   */
  stage(
    destination: string,
    attempt: AttemptId,
    name: string,
    signal?: AbortSignal,
    options?: StageOptions,
  ): StagedWriter;
  /**
   * Refuses early what `publish` would refuse: `output-exists`, no permission, no such parent. The engine calls it
   * before the job begins, and stores the returned identity of what is to be replaced. Also removes what interrupted
   * publishes of jobs that have `ended` left, because it would be in the way.
   */
  prepare(
    destination: string,
    overwrite: boolean,
    signal?: AbortSignal,
    ended?: readonly JobId[],
  ): Promise<{ readonly replaces: string | undefined }>;
  /**
   * Checks, before the decision, whether these staged files of a job are there as their attempts wrote them. Returns
   * those that are not. The others are durable from then on. The master calls it; it may be repeated.
   */
  findLost(
    destination: string,
    job: JobId,
    files: readonly StagedFile[],
    signal?: AbortSignal,
  ): Promise<readonly LostFile[]>;
  /** Makes the decided files visible. Any later master may repeat it, at any time, with the same effect. */
  publish(decision: CommitDecision, signal?: AbortSignal): Promise<void>;
  /**
   * Withdraws a decision that could not be published, and whose job has ended because of that. Where a file of it is
   * gone, what is left is taken away from every publisher that may still be at work, so that another decision can be
   * made. May be repeated, cut off anywhere, and come late: once there is another decision, it has no effect on that.
   */
  withdraw(decision: CommitDecision, signal?: AbortSignal): Promise<Withdrawal>;
  /** Removes what is staged for a job, and never touches what is published. May be repeated. */
  discard(destination: string, job: JobId, signal?: AbortSignal): Promise<void>;
}

export interface FileInfo {
  /** The path as it was given, or as it was found below what was given. */
  readonly path: string;
  readonly bytes: number;
  /** Modification time and inode, or etag: a file that differs from its plan fails the job, by name. */
  readonly version: string;
  /**
   * Hosts that hold the bytes; a hint, never a promise. Reserved for a storage that knows them (HDFS, for one): a
   * shared directory and an object store do not, so both say `[]`. The scheduler uses them already
   * (schedule/assign/locality.ts).
   */
  readonly hosts: readonly string[];
}

export interface FoundBelow {
  readonly name: string;
  /** The file; undefined where it is not a regular file. */
  readonly file: FileInfo | undefined;
}

export interface StageOptions {
  /** Whether `save` and `leave` may be called. Default false. */
  readonly isSavable?: boolean | undefined;
  /**
   * What another attempt had saved of its file of the same name. It is copied, as only an attempt itself writes to its
   * files, and compared with its checksum. Default: nothing.
   */
  readonly from?: StagedPrefix | undefined;
  /** Called now and then while that is copied. */
  readonly beat?: (() => void) | undefined;
}

/** The beginning of a staged file, from where another attempt can go on. */
export interface StagedPrefix {
  readonly bytes: number;
  /** The checksum of these bytes. More may follow them in the file. */
  readonly sha256: string;
  /** Says which file it is, to the storage alone. */
  readonly token: string;
  /**
   * A file on this machine that holds the bytes, and that whoever wants to go on from them has to keep under another
   * name. Undefined: the storage itself has them.
   */
  readonly file: string | undefined;
}

/** An output file being written by an attempt, in its slot. It ends with `finish`, `abort` or `leave`. */
export interface StagedWriter {
  /** Writes all of the chunk, synchronously; the chunk may be reused afterwards. Throws `no-space` or `io-error`. */
  write(chunk: Uint8Array): void;
  /** Bytes written so far. */
  readonly bytes: number;
  /**
   * Flushes the file and makes it durable. Called once. The token is opaque to everything but this storage (a path, or
   * an upload id with etags).
   */
  finish(): Promise<{ readonly bytes: number; readonly sha256: string; readonly token: string }>;
  /** Removes the file, also after a failure. */
  abort(): void;
  /** Makes what was written so far durable, and says how another attempt can go on from there. */
  save(): StagedPrefix;
  /** Ends writing without removing what was saved. */
  leave(): void;
}

/** An output file that an attempt has written and that is not visible yet. */
export interface StagedFile {
  /** The output's name: "main", another name, or "_dead-letters". */
  readonly output: string;
  /** The path below the destination once published: "part-00000.tsv", "rejects/part-m-00003.txt". */
  readonly name: string;
  readonly bytes: number;
  readonly records: number;
  readonly sha256: string;
  readonly token: string;
}

/** A staged file that can't be published. */
export interface LostFile {
  readonly token: string;
  /** "is missing", "has 3 bytes, but its attempt wrote 5". */
  readonly why: string;
}

/** What has become of the files of a decision that could not be published. */
export type Withdrawal =
  /** All files are there, or visible already: the same decision can be published. */
  | { readonly kind: "whole" }
  /**
   * The decision can't be published any more. In the order of its files: each as it is staged now; undefined: it is
   * gone.
   */
  | { readonly kind: "withdrawn"; readonly files: readonly (StagedFile | undefined)[] };

/** Everything that publishing needs, stored before anything becomes visible. */
export interface CommitDecision {
  readonly job: JobId;
  readonly destination: string;
  readonly files: readonly StagedFile[];
  /** The identity of the one directory that may be moved aside (`--overwrite`). */
  readonly replaces: string | undefined;
  /** The bytes of `_SUCCESS`. */
  readonly manifest: Uint8Array;
  /** The decision for the dead letters' own folder, published before the rest. */
  readonly deadLetters?: Omit<CommitDecision, "job" | "deadLetters"> | undefined;
}

/**
 * The same storage for a caller that may stop waiting: `list`, `stat`, `read`, `stage`, `prepare`, `publish` and
 * `discard` get the signal.
 */
export function stoppable(storage: Storage, signal: AbortSignal): Storage {
  return {
    ...storage,
    list: (pattern) => storage.list(pattern, signal),
    stat: (path) => storage.stat(path, signal),
    read: (file, start, end) => storage.read(file, start, end, signal),
    stage: (destination, attempt, name, _, options) => storage.stage(destination, attempt, name, signal, options),
    prepare: (destination, overwrite, _, ended) => storage.prepare(destination, overwrite, signal, ended),
    publish: (decision) => storage.publish(decision, signal),
    discard: (destination, job) => storage.discard(destination, job, signal),
  };
}
