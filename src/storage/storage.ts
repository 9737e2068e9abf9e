import type { AttemptId, JobId } from "../base/ids.ts";

/**
 * What input and output need from a file system or an object store; one conformance suite. A signal ends the wait for a storage that is
 * elsewhere; what is thrown then is "cancelled". What a file system is in the middle of it ends first.
 */
export interface Storage {
  /** Regular files that an argument names (file, directory, glob), as `FileInfo` sorted by the bytes of their paths. */
  list(pattern: string, signal?: AbortSignal): Promise<readonly FileInfo[]>;
  /** One file as it is now; undefined where there is none. Throws `bad-input` for what is no regular file. */
  stat(path: string, signal?: AbortSignal): Promise<FileInfo | undefined>;
  /**
   * Bytes [start, end) in chunks of at most `limits.inputChunkBytes`; a chunk is valid until the next is asked for. Throws
   * `input-changed` when the file is no longer of this version, `bad-input` when it can't be read.
   */
  read(file: FileInfo, start: number, end: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /**
   * All that lies below a folder, hidden things too, in no order; links are not followed. Names are relative to it. Nothing where
   * there is no such folder.
   */
  below(directory: string, signal?: AbortSignal): AsyncIterable<FoundBelow>;
  /** Start a new, invisible output file of an attempt. */
  stage(destination: string, attempt: AttemptId, name: string, signal?: AbortSignal): StagedWriter;
  /**
   * Refuse early what `publish` would refuse: `output-exists`, no permission, no such parent. Returns the identity to replace. What jobs
   * that have `ended` left of a publish that was cut off is removed: it would be in the way.
   */
  prepare(
    destination: string,
    overwrite: boolean,
    signal?: AbortSignal,
    ended?: readonly JobId[],
  ): Promise<{ readonly replaces: string | undefined }>;
  /**
   * Looks, before the decision, whether these staged files of a job are there as their attempts wrote them. Returns those that
   * are not; the others stay there when the power fails. May be repeated.
   */
  findLost(
    destination: string,
    job: JobId,
    files: readonly StagedFile[],
    signal?: AbortSignal,
  ): Promise<readonly LostFile[]>;
  /** Make the decided files visible. Any later master may repeat it, at any time, with the same effect. */
  publish(decision: CommitDecision, signal?: AbortSignal): Promise<void>;
  /**
   * Of a decision that could not be published, and whose job has ended by that. Where a file of it is gone, what is left is
   * taken from every publisher that may still be at it, so that another decision can be made. May be repeated, cut off
   * anywhere, and come late: once there is another decision it has no effect on that.
   */
  withdraw(decision: CommitDecision, signal?: AbortSignal): Promise<Withdrawal>;
  /** Remove what is staged for a job; never touches what is published. May be repeated. */
  discard(destination: string, job: JobId, signal?: AbortSignal): Promise<void>;
}

export interface FileInfo {
  /** As it was given, or as found below what was given. */
  readonly path: string;
  readonly bytes: number;
  /** Modification time and inode, or etag: a file that differs from its plan fails the job by name. */
  readonly version: string;
  /**
   * Hosts that hold the bytes; a hint, never a promise. Reserved for a storage that knows them (HDFS, for one): a shared directory and an
   * object store do not, so both say `[]`. The scheduler goes by it already (schedule/assign/locality.ts).
   */
  readonly hosts: readonly string[];
}

export interface FoundBelow {
  readonly name: string;
  /** Undefined: it is no regular file. */
  readonly file: FileInfo | undefined;
}

export interface StagedWriter {
  /** Synchronous; throws `no-space` or `io-error`, and handles short writes. */
  write(chunk: Uint8Array): void;
  /** Bytes written so far. */
  readonly bytes: number;
  /** Flush and make durable; the token is opaque to all but this storage (a path, or an upload id with etags). */
  finish(): Promise<{ readonly bytes: number; readonly sha256: string; readonly token: string }>;
  /** Remove it; also after a failure. */
  abort(): void;
}

/** An output file written by an attempt, not yet visible. */
export interface StagedFile {
  /** Name of the output: "main", another, or "_dead-letters". */
  readonly output: string;
  /** Path below the destination once published: "part-00000.tsv", "rejects/part-m-00003.txt". */
  readonly name: string;
  readonly bytes: number;
  readonly records: number;
  readonly sha256: string;
  readonly token: string;
}

/** A staged file that can't be published. */
export interface LostFile {
  readonly token: string;
  /** "is missing", "has 3 bytes, but its attempt wrote 5" */
  readonly why: string;
}

/** What has become of the files of a decision that could not be published. */
export type Withdrawal =
  /** All are there, or visible already: the same decision can be published. */
  | { readonly kind: "whole" }
  /** Nobody can publish the decision any more. In the order of its files: each as it is staged now; undefined: it is gone. */
  | { readonly kind: "withdrawn"; readonly files: readonly (StagedFile | undefined)[] };

/** All that publishing needs, stored before anything becomes visible. */
export interface CommitDecision {
  readonly job: JobId;
  readonly destination: string;
  readonly files: readonly StagedFile[];
  /** Identity of the one directory that may be moved aside (`--overwrite`). */
  readonly replaces: string | undefined;
  /** The bytes of `_SUCCESS`. */
  readonly manifest: Uint8Array;
  /** A folder of their own for the dead letters, published before the rest. */
  readonly deadLetters?: Omit<CommitDecision, "job" | "deadLetters"> | undefined;
}

/** The same storage, for one who may stop waiting for it. */
export function stoppable(storage: Storage, signal: AbortSignal): Storage {
  return {
    ...storage,
    list: (pattern) => storage.list(pattern, signal),
    stat: (path) => storage.stat(path, signal),
    read: (file, start, end) => storage.read(file, start, end, signal),
    stage: (destination, attempt, name) => storage.stage(destination, attempt, name, signal),
    prepare: (destination, overwrite, _, ended) => storage.prepare(destination, overwrite, signal, ended),
    publish: (decision) => storage.publish(decision, signal),
    discard: (destination, job) => storage.discard(destination, job, signal),
  };
}
