// The interface of a master for the processes of a cluster, as plain data. The master's node implements it; on the wire
// it is the Connect services of `proto/millrace/v1/service.proto`; and `connectMaster` (client.ts) is the other end of
// the wire with the same interface, so callers of it also run without a network.
import type { JobId, WorkerId } from "../base/ids.ts";
import type { JobSpec } from "../job/spec.ts";
import type { WorkerOrders, WorkerReport } from "./messages.ts";
import type { ClusterView, JobView } from "./view.ts";

/** The one call of a worker, made by its agent. It may be repeated, lost, delayed or reordered without harm. */
export interface Heartbeats {
  heartbeat(report: WorkerReport, signal: AbortSignal): Promise<WorkerOrders>;
}

/**
 * The version of messages and signatures. Processes with different versions refuse each other (fault 30). 2: a
 * signature covers body and host, and its time is the master's.
 */
export const protocolVersion = 2;

/** The first message of a caller: versions that must agree, because the output depends on them (`\p{L}`, `Intl`). */
export interface Hello {
  readonly role: "worker" | "client";
  readonly protocol: number;
  readonly millrace: string;
  readonly nodeMajor: number;
  readonly icu: string;
  /** The worker's name; undefined when a command calls. */
  readonly worker: WorkerId | undefined;
}

export interface Welcome {
  readonly protocol: number;
  readonly millrace: string;
  /**
   * The name of this cluster's state. A worker that belonged to another cluster starts with an empty work directory.
   */
  readonly cluster: string;
  readonly leaseMs: number;
  /**
   * The time by the master's clock, in milliseconds since 1970. It is the one instant that crosses the wire: signatures
   * between workers are valid for some minutes by this clock (signature.ts), and nothing else may be decided by it.
   */
  readonly timeMs: number;
  /**
   * For a worker, the number of this start, greater than any that this cluster's masters have given out before, so that
   * the newest life of a worker does not depend on clocks. For others 0.
   */
  readonly start: number;
}

export interface Submission {
  /** 32 hexadecimal digits. The same key is the same job, however often it is sent. */
  readonly idempotencyKey: string;
  /**
   * The job's spec. Its bundle and side files were put as blobs before. The master fills in `replaces` (`overwrite`).
   */
  readonly spec: JobSpec;
  readonly overwrite: boolean;
}

/** Some bytes of an attempt's log. */
export interface LogChunk {
  /** The attempt's name, such as "map-00012.1.7". */
  readonly attempt: string;
  readonly worker: WorkerId;
  readonly bytes: Uint8Array;
}

/** One line of a job's event log. `time` is in ISO 8601, for people; nothing is decided by it. */
export interface HistoryEvent {
  readonly time: string;
  readonly kind: string;
  readonly job: JobId;
  readonly task: string | undefined;
  readonly attempt: string | undefined;
  readonly worker: WorkerId | undefined;
  readonly message: string | undefined;
}

/**
 * The calls that a master answers, made by commands and workers. Every call may be repeated: the same `submit` is one
 * job, and a second `cancel`, `retry` or `drain` changes nothing more. Calls reject with a `MillraceError`, whose code
 * crosses the wire; `signal` ends the wait for an answer and undoes nothing. Jobs that the master does not know are
 * refused with `wrong-usage`.
 */
export interface MasterApi extends Heartbeats {
  /** The first call of every connection. Throws `not-supported` when the two must not work together. */
  hello(hello: Hello, signal?: AbortSignal): Promise<Welcome>;
  /** Submits a job, after looking at its inputs and its output. Resolves once the job is durable. */
  submit(submission: Submission, signal?: AbortSignal): Promise<JobId>;
  /** Everything that is known of one job. A view is a copy of that moment. */
  get(job: JobId, signal?: AbortSignal): Promise<JobView>;
  /** All known jobs in short, the oldest first, and all workers. */
  view(signal?: AbortSignal): Promise<ClusterView>;
  /** The job's view now and after each change, until the job has ended. A slow reader misses views in between. */
  watch(job: JobId, signal?: AbortSignal): AsyncIterable<JobView>;
  /** Cancels a job; "too-late" when it has ended, or its output is decided. */
  cancel(job: JobId, signal?: AbortSignal): Promise<"cancelled" | "too-late">;
  /** Lets a failed job go on with the winners that it has. */
  retry(job: JobId, signal?: AbortSignal): Promise<void>;
  /**
   * Tells a worker to take nothing new, hand over what others need of it, and end. `withinMs`: how long it may stay;
   * the shortest that was said counts. Default: as long as it is needed.
   */
  drain(worker: WorkerId, withinMs?: number, signal?: AbortSignal): Promise<void>;
  /**
   * The logs of attempts, from the workers that ran them. `attempt` undefined: the newest ones that failed, or else
   * those that run.
   */
  logs(job: JobId, attempt: string | undefined, signal?: AbortSignal): AsyncIterable<LogChunk>;
  /** The job's event log, the oldest event first. */
  history(job: JobId, signal?: AbortSignal): AsyncIterable<HistoryEvent>;
}

/**
 * Bundles and side files, by the SHA-256 (hexadecimal) of their content. Commands put them before they submit, workers
 * get them before they run. They go over plain HTTP, because they may be large. Every call may be repeated.
 */
export interface Blobs {
  /** Whether the content is there. Asking keeps it from being removed for a while. */
  has(sha256: string, signal?: AbortSignal): Promise<boolean>;
  /**
   * Stores content, which is durable when this resolves. Rejects with `over-limit` beyond `bytesMax`, and with
   * `corrupt-run` for content with another digest. The content is read once, so the caller opens it again to repeat the
   * call.
   */
  put(sha256: string, content: AsyncIterable<Uint8Array>, bytesMax: number, signal?: AbortSignal): Promise<void>;
  /** Opens content. Rejects with `bad-input` when it is not there. The reader has to check the digest. */
  get(sha256: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

/**
 * A master in another process. Calls that failed on their way are repeated with jittered back-off, for as long as its
 * patience lasts.
 */
export interface RemoteMaster extends MasterApi {
  readonly blobs: Blobs;
  /** Closes the connection, and cancels calls that are under way. May be called again. */
  close(): void;
}
