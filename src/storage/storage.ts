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
  /** Make the decided files visible. Any later master may repeat it, at any time, with the same effect. */
  publish(decision: CommitDecision, signal?: AbortSignal): Promise<void>;
  /** Remove what is staged for a job; never touches what is published. May be repeated. */
  discard(destination: string, job: JobId, signal?: AbortSignal): Promise<void>;
}

export interface FileInfo {
  /** As it was given, or as found below what was given. */
  readonly path: string;
  readonly bytes: number;
  /** Modification time and inode, or etag: a file that differs from its plan fails the job by name. */
  readonly version: string;
  /** Hosts that hold the bytes; a hint, never a promise. */
  readonly hosts: readonly string[];
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
