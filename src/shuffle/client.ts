// The fetching side of the shuffle: brings one partition of the map outputs on other workers into files of this
// attempt. It asks a few workers at a time, each for one list of maps after the other, and verifies every block as it
// comes (segment-stream.ts). After an interruption it pauses and goes on at the byte where it was. When several tries
// in a row brought nothing, the map is reported as lost, and how: that decides whether it is made again (faults 51,
// 53-56, 59).

import { MillraceError } from "../base/error.ts";
import { type AttemptId, attemptName } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Clock } from "../base/system/clock.ts";
import { forEachAtMost } from "../base/system/parallel.ts";
import { removeQuietly } from "../sort/merge.ts";
import { segmentInput } from "../sort/merge-input.ts";
import type { RunFiles, RunRef } from "../sort/run.ts";
import { FetchFile } from "./fetch-file.ts";
import type { MappedInput } from "./gather.ts";
import { lostTogether, SegmentLost } from "./segment-lost.ts";
import { SegmentStream } from "./segment-stream.ts";
import { type CallLimits, type ShuffleAccess, WorkerCalls } from "./segments-call.ts";
import { TransferFault } from "./transfer-fault.ts";
import { noPartition, writeRequest } from "./wire.ts";

export type { ShuffleAccess } from "./segments-call.ts";

/** Runs that lie on one worker, in the order of their ordinals. */
export interface RemoteRuns {
  readonly worker: string;
  /** "http://10.0.0.7:7071" */
  readonly address: string;
  readonly runs: readonly RunRef[];
}

export interface FetchLimits extends CallLimits {
  readonly workersMax: number;
  readonly mapsMax: number;
  /** The bytes that a request aims at, guessed from the sizes of the runs. */
  readonly bytesAim: number;
  readonly triesMax: number;
  readonly backOffMsMin: number;
  readonly backOffMsMax: number;
  readonly progressBytes: number;
  readonly busyMsMax: number;
  readonly writeBytes: number;
}

export interface FetchOptions {
  readonly remote: readonly RemoteRuns[];
  readonly access: ShuffleAccess;
  /** The number of partitions of the job. */
  readonly partitions: number;
  readonly partition: number;
  /** The attempt that fetches; its files are named after it. */
  readonly attempt: AttemptId;
  readonly files: RunFiles;
  readonly clock: Clock;
  /** Returns 0 <= x < 1, for jitter, so that reduces that lost the same worker don't come back in step (fault 55). */
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Called with the number of bytes whenever some arrive. */
  readonly onBytes?: (bytes: number) => void;
  /** Defaults are in `base/limits.ts`. */
  readonly limits?: Partial<FetchLimits>;
}

export interface Fetched {
  /** The inputs of maps that have pairs in the partition, in the order of the maps' ordinals. */
  readonly inputs: readonly MappedInput[];
  /** Bytes that came over the network, repeated ones included. */
  readonly bytes: number;
  /** Removes the files. May be repeated. */
  close(): void;
}

const defaults: FetchLimits = {
  workersMax: limits.fetchWorkersMax,
  mapsMax: limits.fetchMapsMax,
  bytesAim: limits.fetchBytesAim,
  triesMax: limits.fetchTriesMax,
  backOffMsMin: limits.fetchBackOffMsMin,
  backOffMsMax: limits.fetchBackOffMsMax,
  progressBytes: limits.fetchProgressBytes,
  busyMsMax: limits.fetchBusyMsMax,
  writeBytes: limits.fetchWriteBytes,
  windowMs: limits.fetchWindowMs,
  windowBytesMin: limits.fetchWindowBytesMin,
  deadlineMs: limits.fetchDeadlineMs,
};

/**
 * Fetches all of `remote`, for a reduce attempt, in its slot. Rejects with `SegmentLost` for a map output that can't be
 * had, with "cancelled" when aborted, and with what the files throw; then no file is left.
 */
export async function fetchSegments(options: FetchOptions): Promise<Fetched> {
  const fetch = new Fetch(options);
  try {
    return await fetch.run();
  } catch (error) {
    fetch.close();
    throw error;
  }
}

class Fetch {
  readonly #options: FetchOptions;
  readonly #limits: FetchLimits;
  /** Aborted when one map is lost, or with the attempt. */
  readonly #stop = new AbortController();
  readonly #inputs: MappedInput[] = [];
  readonly #paths: string[] = [];
  #files = 0;
  #bytes = 0;
  #failure: { readonly thrown: unknown } | undefined;

  constructor(options: FetchOptions) {
    this.#options = options;
    this.#limits = { ...defaults, ...options.limits };
  }

  async run(): Promise<Fetched> {
    const { remote, signal, attempt } = this.#options;
    const stop = () => this.#stop.abort();
    signal.addEventListener("abort", stop);
    try {
      if (signal.aborted) throw cancelled();
      // All reduces start at the same time, so each begins with another worker.
      const first = remote.length === 0 ? 0 : attempt.index % remote.length;
      const workers = [...remote.slice(first), ...remote.slice(0, first)];
      await forEachAtMost(this.#limits.workersMax, workers, async (worker) => {
        if (this.#failure !== undefined) return;
        try {
          await this.#fetchFrom(worker);
        } catch (error) {
          // Errors of other workers' fetches that were stopped because of this one are not the reason.
          this.#failure ??= { thrown: error };
          stop();
        }
      });
      if (this.#failure !== undefined) throw this.#failure.thrown;
    } finally {
      signal.removeEventListener("abort", stop);
    }
    const inputs = this.#inputs.toSorted((a, b) => a.map.index - b.map.index);
    return { inputs, bytes: this.#bytes, close: () => this.close() };
  }

  close(): void {
    for (const path of this.#paths.splice(0)) removeQuietly(this.#options.files, path);
  }

  async #fetchFrom(worker: RemoteRuns): Promise<void> {
    const [first] = worker.runs;
    if (first === undefined) return;
    const calls = this.#connect(worker, first);
    const buffer = Buffer.allocUnsafeSlow(this.#limits.writeBytes);
    try {
      for (const runs of cut(worker.runs, this.#options.partitions, this.#limits)) {
        await this.#fetchList(worker, calls, runs, buffer);
      }
    } catch (error) {
      if (!(error instanceof SegmentLost) || error.how === "unreachable") throw error;
      throw lostTogether([error, ...(await this.#findLost(worker, calls, error.map))]);
    } finally {
      calls.close();
    }
  }

  #connect({ address }: RemoteRuns, first: RunRef): WorkerCalls {
    try {
      return new WorkerCalls(address, this.#options.access);
    } catch (error) {
      if (error instanceof TransferFault) throw new SegmentLost(first.writtenBy, "unreachable", error);
      throw error;
    }
  }

  /**
   * Finds out which of the worker's runs behind a lost one are lost too: a disk seldom loses just one file, and each
   * loss that is found later costs another attempt. It looks for runs and footers only, and ends at the first other
   * failure.
   */
  async #findLost(worker: RemoteRuns, calls: WorkerCalls, map: AttemptId): Promise<SegmentLost[]> {
    const lost: SegmentLost[] = [];
    const nothing = { position: 0, append() {} };
    let rest = worker.runs.slice(worker.runs.findIndex((run) => run.writtenBy === map) + 1);
    while (rest.length > 0 && lost.length < limits.lostMapsMax) {
      const list = rest.slice(0, this.#limits.mapsMax);
      const stream = new SegmentStream(list, noPartition, nothing);
      const fault = await this.#call(calls, stream, noPartition);
      if (stream.isComplete) {
        rest = rest.slice(list.length);
        continue;
      }
      if (fault?.kind !== "missing" && fault?.kind !== "corrupt") break;
      lost.push(new SegmentLost(stream.map.writtenBy, fault.kind, fault));
      rest = rest.slice(list.indexOf(stream.map) + 1);
    }
    return lost;
  }

  /** Fetches the segments of some maps into one file. */
  async #fetchList(worker: RemoteRuns, calls: WorkerCalls, runs: readonly RunRef[], buffer: Buffer): Promise<void> {
    const { attempt, files, partition } = this.#options;
    const file = new FetchFile(files, `${attemptName(attempt)}.fetch-${this.#files++}`, buffer);
    try {
      const stream = new SegmentStream(runs, partition, file);
      await this.#fetchAll(worker, calls, stream);
      const path = file.finish();
      if (path === undefined) return;
      this.#paths.push(path);
      for (const { map, segment } of stream.received) {
        this.#inputs.push({ map, input: segmentInput(segment, map, files, path) });
      }
    } catch (error) {
      file.abort();
      throw error;
    }
  }

  /** Calls until everything has come. */
  async #fetchAll(worker: RemoteRuns, calls: WorkerCalls, stream: SegmentStream): Promise<void> {
    const { clock, random } = this.#options;
    const { triesMax, backOffMsMin, backOffMsMax, busyMsMax, progressBytes } = this.#limits;
    let progressAt = clock.now();
    let before = stream.progress;
    for (let tries = 0; !stream.isComplete; ) {
      const fault = await this.#call(calls, stream);
      if (fault === undefined || stream.isComplete) return;
      if (this.#stop.signal.aborted) throw cancelled();
      const { progress } = stream;
      // A corrupt segment comes again from its beginning: however far it came, that is no progress.
      if (progress.maps > before.maps || progress.bytes - before.bytes >= progressBytes) {
        tries = 0;
        progressAt = clock.now();
      }
      before = progress;
      const isBusy = fault.kind === "busy" && clock.now() - progressAt < busyMsMax;
      if (fault.kind === "missing" || (!isBusy && ++tries >= triesMax)) throw lost(worker, stream, fault);
      const backOffMs = Math.min(backOffMsMax, backOffMsMin * 2 ** (isBusy ? 3 : tries - 1));
      await clock.sleep(backOffMs * (0.5 + random() / 2), this.#stop.signal);
      if (this.#stop.signal.aborted) throw cancelled();
    }
  }

  /** Makes one call. Returns what went wrong with the network or the other side, and throws what went wrong here. */
  async #call(
    calls: WorkerCalls,
    stream: SegmentStream,
    partition = this.#options.partition,
  ): Promise<TransferFault | undefined> {
    const { attempt, clock, onBytes } = this.#options;
    const { from, maps } = stream.begin();
    try {
      await calls.call({
        job: attempt.job,
        body: writeRequest({ partition, from, maps: maps.map((run) => run.writtenBy) }),
        clock,
        signal: this.#stop.signal,
        limits: this.#limits,
        push: (chunk) => {
          this.#bytes += chunk.length;
          stream.push(chunk);
          onBytes?.(chunk.length);
        },
        isComplete: () => stream.isComplete,
      });
      return undefined;
    } catch (error) {
      if (error instanceof TransferFault) return error;
      throw error;
    }
  }
}

/** Cuts the runs into lists for requests, in order. */
function* cut(
  runs: readonly RunRef[],
  partitions: number,
  { mapsMax, bytesAim }: Pick<FetchLimits, "mapsMax" | "bytesAim">,
): Generator<readonly RunRef[]> {
  let start = 0;
  let bytes = 0;
  for (const [index, run] of runs.entries()) {
    const more = run.bytes / partitions;
    if (index > start && (index - start >= mapsMax || bytes + more > bytesAim)) {
      yield runs.slice(start, index);
      start = index;
      bytes = 0;
    }
    bytes += more;
  }
  yield runs.slice(start);
}

function lost({ worker, address }: RemoteRuns, stream: SegmentStream, fault: TransferFault): SegmentLost {
  const how = fault.kind === "missing" || fault.kind === "corrupt" ? fault.kind : "unreachable";
  const where = new Error(`from ${worker} (${address}): ${fault.message}`, { cause: fault });
  return new SegmentLost(stream.map.writtenBy, how, where);
}

function cancelled(): MillraceError {
  return new MillraceError("cancelled", "the attempt was revoked", { retry: "elsewhere" });
}
