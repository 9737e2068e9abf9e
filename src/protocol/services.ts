// What a cluster's processes ask of a master, as plain data and one interface. The master's node implements it; on the wire it
// is the Connect services of `proto/millrace/v1/service.proto`; `connectMaster` (client.ts) is the other end of the wire with
// the same interface, so whatever runs against it runs without a network too.
import type { JobId, WorkerId } from "../base/ids.ts";
import type { JobSpec } from "../job/spec.ts";
import type { WorkerOrders, WorkerReport } from "./messages.ts";
import type { ClusterView, JobView } from "./view.ts";

/** What a worker calls, and what a master serves: safe to repeat, lose, delay or reorder. */
export interface Heartbeats {
  heartbeat(report: WorkerReport, signal: AbortSignal): Promise<WorkerOrders>;
}

/**
 * Of the messages and of what is signed; who differs in it does not talk (fault 30). 2: a signature covers body and host, and goes
 * by the master's clock.
 */
export const protocolVersion = 2;

/** Said before anything else: versions that must agree, because the output depends on them (`\p{L}`, `Intl`). */
export interface Hello {
  readonly role: "worker" | "client";
  readonly protocol: number;
  readonly millrace: string;
  readonly nodeMajor: number;
  readonly icu: string;
  /** Of a worker. */
  readonly worker: WorkerId | undefined;
}

export interface Welcome {
  readonly protocol: number;
  readonly millrace: string;
  /** Names this cluster's state: a worker that was another cluster's starts with an empty work directory. */
  readonly cluster: string;
  readonly leaseMs: number;
  /**
   * The master's clock, in milliseconds since 1970. Durations, never instants, cross the wire; this is the exception: signatures
   * between workers hold for some minutes by one clock (signature.ts), and nothing else may be decided by it.
   */
  readonly timeMs: number;
  /**
   * To a worker: the number of this start of it, greater than any that this cluster's masters gave out before, so that it does not
   * hang on clocks which life of a worker is the newest. To others 0.
   */
  readonly start: number;
}

export interface Submission {
  /** 32 hexadecimal digits; the same key is the same job, however often it is sent. */
  readonly idempotencyKey: string;
  /** Its bundle and side files have been put as blobs before. `replaces` is filled in by the master (`overwrite`). */
  readonly spec: JobSpec;
  readonly overwrite: boolean;
}

/** Some bytes of what an attempt has printed. */
export interface LogChunk {
  /** "map-00012.1.7" */
  readonly attempt: string;
  readonly worker: WorkerId;
  readonly bytes: Uint8Array;
}

/** One line of a job's event log. `time`: ISO 8601, for people; nothing is decided by it. */
export interface HistoryEvent {
  readonly time: string;
  readonly kind: string;
  readonly job: JobId;
  readonly task: string | undefined;
  readonly attempt: string | undefined;
  readonly worker: WorkerId | undefined;
  readonly message: string | undefined;
}

/** All that a master answers. Every call may be repeated. Rejects with a `MillraceError`; its code crosses the wire. */
export interface MasterApi extends Heartbeats {
  /** Throws `not-supported` where the two must not talk. */
  hello(hello: Hello, signal?: AbortSignal): Promise<Welcome>;
  /** Probes that master and a worker can reach inputs and output first. Resolves once the job is durable. */
  submit(submission: Submission, signal?: AbortSignal): Promise<JobId>;
  get(job: JobId, signal?: AbortSignal): Promise<JobView>;
  /** All jobs that are known, the oldest first, and all workers. */
  view(signal?: AbortSignal): Promise<ClusterView>;
  /** The view now and after each change, until the job has ended. */
  watch(job: JobId, signal?: AbortSignal): AsyncIterable<JobView>;
  cancel(job: JobId, signal?: AbortSignal): Promise<"cancelled" | "too-late">;
  /** Starts a failed job again with the winners that it had. */
  retry(job: JobId, signal?: AbortSignal): Promise<void>;
  /** The worker finishes what it runs and takes nothing new. */
  drain(worker: WorkerId, signal?: AbortSignal): Promise<void>;
  /** What attempts printed, from the workers that ran them; `attempt` undefined: those of the newest failures, or all running. */
  logs(job: JobId, attempt: string | undefined, signal?: AbortSignal): AsyncIterable<LogChunk>;
  history(job: JobId, signal?: AbortSignal): AsyncIterable<HistoryEvent>;
}

/** Content by its SHA-256 (hexadecimal): bundles and side files. Over plain HTTP, because they may be large. */
export interface Blobs {
  has(sha256: string, signal?: AbortSignal): Promise<boolean>;
  /** Rejects with `over-limit` beyond `bytesMax`, and with `corrupt-run` where the content is another. May be repeated. */
  put(sha256: string, content: AsyncIterable<Uint8Array>, bytesMax: number, signal?: AbortSignal): Promise<void>;
  /** Rejects with `bad-input` where there is none. The reader checks the digest. */
  get(sha256: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
}

/** A master somewhere else. Calls are tried again with jittered back-off where that may help and the call may be repeated. */
export interface RemoteMaster extends MasterApi {
  readonly blobs: Blobs;
  close(): void;
}
