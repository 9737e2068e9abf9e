// The work of a slot's process: messages in, one thing done at a time, messages out.
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { assert, unreachable } from "../base/assert.ts";
import { MillraceError } from "../base/error.ts";
import { limits, MiB } from "../base/limits.ts";
import { systemClock } from "../base/system/clock.ts";
import { failpoint } from "../base/system/failpoint.ts";
import type { Checkpoints } from "../checkpoint/checkpoint.ts";
import { CheckpointFolders, type RunPlace } from "../checkpoint/folders.ts";
import { InterruptingCheckpoints } from "../checkpoint/interrupting.ts";
import { workDigest } from "../checkpoint/work-digest.ts";
import type { JobDefinition } from "../job/definition.ts";
import { describeLoaded, installMillrace, loadJob } from "../job/load/load.ts";
import { validateParams } from "../job/params/validate.ts";
import { describeThrown } from "../job/thrown.ts";
import { createKernel } from "../kernel/create-kernel.ts";
import type { Combining, Kernel } from "../kernel/kernel.ts";
import type { AttemptDone, AttemptResult, FailureText } from "../protocol/messages.ts";
import type { Fetched } from "../shuffle/client.ts";
import type { RunFiles } from "../sort/run.ts";
import { openRun } from "../sort/run-reader.ts";
import { createStorage } from "../storage/any.ts";
import type { AccessByScheme } from "../storage/schemes.ts";
import { stoppable } from "../storage/storage.ts";
import type { FetchRequest, ReduceInputs, TaskEnvironment } from "../task/environment.ts";
import { lateFailure } from "../task/failure.ts";
import { runAttempt } from "../task/run-attempt.ts";
import { isRefusal, LateCalls } from "../task/user/late-calls.ts";
import { revoked } from "../task/user/revoked.ts";
import { createTier } from "../tier/tier.ts";
import { frameOf } from "./frames.ts";
import { encodeFromSlot, type FromSlot, type RunAttempt, type ToSlot } from "./messages.ts";
import { watchForOrphan } from "./orphan-watch.ts";
import { StatusPageFile } from "./status-page.ts";
import { uncaughtMark } from "./uncaught.ts";
import { UserWork } from "./user-work.ts";

/** The slot's first message, as JSON. */
export interface SlotConfig {
  /** The directory in which it works between attempts. */
  readonly directory: string;
  /** The path of the status page. */
  readonly page: string;
  readonly arenaBytes: number;
  /** For the window of a zstd frame. */
  readonly windowBytesMax: number;
  /** The process id of the agent. */
  readonly agent: number;
  /** Default "auto". */
  readonly combining?: Combining | undefined;
  /** Each map task is interrupted once behind a checkpoint (checkpoint/interrupting.ts). Default false. */
  readonly interrupting?: boolean | undefined;
}

interface Attempt {
  readonly request: RunAttempt;
  readonly late: LateCalls;
  readonly stop: AbortController;
  /** From now on `late` reports what comes of it. */
  isReported: boolean;
}

/** Bytes of log lines waiting to be sent; more are dropped. While user code keeps the thread, nothing is sent. */
const logBytesWaitingMax = 1 * MiB;

export class SlotProgram {
  readonly #config: SlotConfig;
  readonly #warmed: () => void;
  readonly #pipe: Socket;
  readonly #storage = createStorage({
    access: (scheme) => this.#storageAccess[scheme],
    spoolDirectory: () => this.#attempt?.request.directory ?? tmpdir(),
  });
  /** The access to storages that came with the attempt. */
  #storageAccess: AccessByScheme = {};
  readonly #page: StatusPageFile;
  #job: JobDefinition | undefined;
  /** One for all attempts, because an arena is never given back. */
  #kernel: Kernel | undefined;
  readonly #work: UserWork;
  #attempt: Attempt | undefined;
  /** The last attempt that user code ran for. */
  #last: Attempt | undefined;
  /** Resolves when what is under way is over. */
  #running: Promise<unknown> = Promise.resolve();

  /** `warmed` is called when an attempt has run (boot.ts). */
  constructor(config: SlotConfig, pipe: Socket, warmed: () => void) {
    this.#config = config;
    this.#pipe = pipe;
    this.#warmed = warmed;
    this.#work = new UserWork(pipe);
    this.#page = new StatusPageFile(config.page);
    process.chdir(config.directory);
    process.on("uncaughtException", (thrown) => this.#uncaught(thrown));
  }

  receive(message: ToSlot): void {
    switch (message.kind) {
      case "load":
        this.#answer(async () => {
          watchForOrphan(this.#config.agent);
          Object.assign(process.env, message.environment);
          installMillrace();
          this.#job = await this.#work.loading(() => loadJob(message.path, message.digest));
          return { kind: "loaded" };
        });
        return;
      case "describe":
        this.#answer(async () => ({ kind: "described", description: describeLoaded(this.#loaded()) }));
        setImmediate(() => this.#prepareKernel());
        return;
      case "validate":
        this.#answer(async () => ({
          kind: "validated",
          value: await validateParams(this.#loaded().params, message.params),
        }));
        return;
      case "run":
        this.#storageAccess = message.storageAccess;
        this.#work.interrupt();
        this.#answer(async () => {
          const running = this.#run(withOwnClock(message));
          this.#running = running.catch(() => {});
          return { kind: "finished", result: await running };
        });
        return;
      case "stop":
        this.#attempt?.stop.abort(revoked(message.why));
        this.#attempt?.late.void();
        return;
      case "settle":
        this.#running = this.#running.then(() => this.#settle());
        return;
      default:
        unreachable(message);
    }
  }

  #answer(work: () => Promise<FromSlot>): void {
    work().then(
      (message) => {
        // Called before the attempt is reported as over, as no one ends this process until then.
        if (message.kind === "finished" && message.result.attempt.phase === "reduce") this.#warmed();
        this.#send(message);
      },
      (thrown: unknown) => this.#send({ kind: "failed", error: textOf(thrown) }),
    );
  }

  async #run(request: RunAttempt): Promise<AttemptResult> {
    assert(this.#attempt === undefined, "a slot runs one attempt at a time");
    const { assignment } = request;
    const late = new LateCalls((first) => {
      if (attempt.isReported)
        this.#send({ kind: "late", attempt: assignment.attempt, error: lateFailure(first).reason.error });
    });
    const attempt: Attempt = { request, late, stop: new AbortController(), isReported: false };
    this.#attempt = attempt;
    this.#page.begin(assignment.attempt);
    process.chdir(request.directory);
    failpoint(`slot.before.${assignment.attempt.phase}`);
    try {
      const result = await runAttempt(assignment, this.#environment(attempt), inputsOf(request));
      failpoint(`slot.after.${assignment.attempt.phase}`);
      return await this.#settled(attempt, result);
    } finally {
      attempt.isReported = true;
      this.#attempt = undefined;
    }
  }

  /** Waits for what user code has left going, which belongs to the attempt. A failed attempt loses nothing by it. */
  async #settled(attempt: Attempt, result: AttemptResult): Promise<AttemptResult> {
    const { request, late } = attempt;
    if (!result.ok) {
      // One turn of the event loop, so that an error in a promise that no one awaits, or in a timer that is due, does
      // not count against what runs next.
      await new Promise((resolve) => setImmediate(resolve));
      return result;
    }
    const leftOpen = await this.#work.over(false);
    attempt.isReported = true;
    if (late.first !== undefined) {
      return { attempt: request.assignment.attempt, ok: false, reason: lateFailure(late.first).reason };
    }
    return leftOpen.length === 0 ? result : this.#leaving(result, leftOpen);
  }

  /**
   * Adds to the result what is left open: the summary says of which of two sorts it was, the attempt's log says what it
   * was.
   */
  #leaving(result: AttemptDone, kinds: readonly string[]): AttemptDone {
    const message = `after ${limits.settleMs / 1000} s the job's code still has open: ${kinds.join(", ")}`;
    this.#send({ kind: "log", message, fields: "" });
    const stats = {
      ...result.stats,
      timersLeft: kinds.includes("Timeout") ? 1 : 0,
      othersLeft: kinds.some((kind) => kind !== "Timeout") ? 1 : 0,
    };
    return { ...result, stats };
  }

  async #settle(): Promise<void> {
    // A run that has come meanwhile makes the question void: the agent asks again when that has ended.
    if (this.#attempt === undefined) await this.#work.over(true);
    this.#send({ kind: "settled" });
  }

  #environment(attempt: Attempt): TaskEnvironment {
    const { request, late, stop } = attempt;
    const kernel = this.#openKernel();
    const runs = tierOf(request);
    const paths = new Map(request.assignment.spec.files.map((file) => [file.name, file.path]));
    return {
      job: this.#loaded(),
      storage: stoppable(this.#storage, stop.signal),
      kernel,
      runs,
      checkpoints: checkpointsOf(request, runs, this.#config.interrupting === true),
      status: {
        write: (status) => {
          if (status.phase !== "fetch") this.#last = attempt;
          this.#page.write(status);
        },
      },
      clock: systemClock,
      late,
      settingUp: (work) => this.#work.settingUp(work),
      signal: stop.signal,
      combining: this.#config.combining,
      file: (name) => {
        const path = paths.get(name);
        assert(path !== undefined, `side file ${name} came with the job`);
        return path;
      },
      windowBytesMax: this.#config.windowBytesMax,
      log: (message, fields) => {
        if (this.#pipe.writableLength > logBytesWaitingMax) return;
        this.#send({ kind: "log", message, fields: fields === undefined ? "" : jsonOf(fields) });
      },
    };
  }

  /**
   * Runs while the master plans, so that the first attempt does not wait for it. Where there is no room, that attempt
   * reports it.
   */
  #prepareKernel(): void {
    try {
      this.#openKernel();
    } catch {
      // The attempt tries again.
    }
  }

  #openKernel(): Kernel {
    this.#kernel ??= createKernel({ arenaBytes: this.#config.arenaBytes });
    return this.#kernel;
  }

  /**
   * Handles an error that was thrown outside of any call of ours, in a timer's callback or in a promise that no one
   * awaits. It is the fault of the attempt whose code ran last (fault 17, 26). No one knows what state the process is
   * in, so it ends, and the agent starts another.
   */
  #uncaught(thrown: unknown): void {
    if (isRefusal(thrown)) return; // noted when it was made, and it has stopped what was late
    process.exitCode = 1;
    const { late } = this.#last ?? {};
    late?.note(thrown);
    if (this.#attempt !== undefined && this.#attempt === this.#last && late?.first !== undefined) {
      const { attempt } = this.#attempt.request.assignment;
      const { reason } = lateFailure(late.first);
      this.#endWith({ kind: "finished", result: { attempt, ok: false, reason } });
      return;
    }
    // `note` has reported it, or it belongs to a revoked attempt, or to none at all.
    const { message, stack } = describeThrown(thrown);
    const place = stack?.split("\n", 1)[0];
    process.stderr.write(`${uncaughtMark}${message}${place === undefined ? "" : ` (${place})`}\n`);
    this.#pipe.end(() => process.exit(1));
  }

  #endWith(message: FromSlot): void {
    this.#pipe.end(frameOf(encodeFromSlot(message)), () => process.exit(1));
  }

  #loaded(): JobDefinition {
    assert(this.#job !== undefined, "the job's code is loaded first");
    return this.#job;
  }

  #send(message: FromSlot): void {
    if (!this.#pipe.destroyed && !this.#pipe.writableEnded) this.#pipe.write(frameOf(encodeFromSlot(message)));
  }
}

/** Converts `clockAheadMs` to this process's clock: an agent may have a different clock than its slots (faketime). */
function withOwnClock(request: RunAttempt & { readonly sentAtMs: number }): RunAttempt {
  const { access, sentAtMs } = request;
  if (access === undefined) return request;
  const aheadMs = access.clockAheadMs + sentAtMs - systemClock.date().getTime();
  return { ...request, access: { ...access, clockAheadMs: Math.round(aheadMs) } };
}

function tierOf(request: RunAttempt) {
  return createTier({
    memoryDirectory: request.memoryDirectory,
    memoryBytesMax: request.memoryBytesMax,
    diskDirectory: request.diskDirectory,
  });
}

/** Undefined where the job is to have none. */
function checkpointsOf(request: RunAttempt, runs: RunFiles, interrupting: boolean): Checkpoints | undefined {
  const { assignment, diskDirectory, checkpoints, memoryDirectory } = request;
  const { checkpointMs } = assignment.spec;
  if (checkpointMs === 0 || checkpoints === undefined) return undefined;
  const places: [RunPlace, ...RunPlace[]] = [{ runs: diskDirectory, checkpoints: checkpoints.disk }];
  if (memoryDirectory !== undefined && checkpoints.memory !== undefined)
    places.push({ runs: memoryDirectory, checkpoints: checkpoints.memory });
  const folders = new CheckpointFolders({
    attempt: assignment.attempt,
    work: workDigest(assignment),
    intervalMs: checkpointMs,
    places,
    open: (path) => runs.open(path),
  });
  if (!interrupting || assignment.attempt.phase !== "map") return folders;
  // Not behind the same one in all tasks.
  const at = 1 + (assignment.attempt.index % 2);
  return new InterruptingCheckpoints(folders, at, () => process.kill(process.pid, "SIGKILL"));
}

function inputsOf(request: RunAttempt): ReduceInputs | undefined {
  const { work } = request.assignment;
  if (work.phase !== "reduce") return undefined;
  const tier = tierOf(request);
  return {
    mapVersion: work.mapVersion,
    runs: request.inputs,
    open: (run) => openRun(tier.open(run.path), run.writtenBy, run.path),
    fetch: request.remote.length === 0 ? undefined : (wanted) => fetchRemote(request, wanted),
  };
}

/** The module is loaded when it is needed: a run on one machine does not need HTTP. */
async function fetchRemote({ remote, access }: RunAttempt, wanted: FetchRequest): Promise<Fetched> {
  assert(access !== undefined, "a fetch gets what it needs");
  const { fetchSegments } = await import("../shuffle/client.ts");
  return await fetchSegments({ ...wanted, remote, access, clock: systemClock, random: Math.random });
}

function textOf(thrown: unknown): FailureText {
  const { message, stack } = describeThrown(thrown);
  const code = thrown instanceof MillraceError ? thrown.code : "user-error";
  return { code, message, stack, where: undefined, excerpt: undefined };
}

/** The fields of a log line are the user's. Whatever they are, a log line must not fail the attempt. */
function jsonOf(fields: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(fields) ?? "";
  } catch {
    return "[fields that JSON can't hold]";
  }
}
