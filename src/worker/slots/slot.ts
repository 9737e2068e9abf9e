// A slot as the agent sees it: one child process that runs attempts of one job, one at a time. User code may block it,
// end it or crash it. The agent never waits for it, and ends it by SIGKILL to its process group.
//
//   starting ─► idle ─► busy (load, describe, run) ─► idle …     any ─► ended
//
// File descriptors of the child: 0 nothing, 1 and 2 captured to the attempt's log, 3 messages (frames.ts), its
// configuration first.
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { assert, unreachable } from "../../base/assert.ts";
import { MillraceError, type Retry } from "../../base/error.ts";
import { type AttemptId, attemptName, type JobId } from "../../base/ids.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import type { Combining } from "../../kernel/kernel.ts";
import type { AttemptResult, Failure, FailureText } from "../../protocol/messages.ts";
import { FrameReader, frameOf } from "../../slot/frames.ts";
import { decodeFromSlot, encodeToSlot, type FromSlot, type RunAttempt, type ToSlot } from "../../slot/messages.ts";
import type { SlotConfig } from "../../slot/program.ts";
import { type PageContent, readStatusPage } from "../../slot/status-page.ts";
import { type AccessByScheme, accessFor } from "../../storage/schemes.ts";
import { LogFile, logLine } from "../disk/log-file.ts";
import { type Budget, windowBytesOf } from "./budget.ts";
import {
  type Death,
  deathText,
  endedLoading,
  errorOf,
  isOwnEnd,
  type KillReason,
  silentText,
  spawnError,
} from "./death.ts";
import { killGroup, startSlotProcess } from "./process.ts";
import type { Bundle, TaskSlot } from "./task-slot.ts";

export interface SlotOptions {
  /** The slot's name, which its files have too. */
  readonly name: string;
  /** Path of the program, `dist/slot.cjs`. */
  readonly program: string;
  /** A process that was started before. Default: a new one. */
  readonly process?: ChildProcess | undefined;
  readonly budget: Budget;
  /** Working directories of attempts, logs, and status pages. */
  readonly directories: { readonly slots: string; readonly logs: string; readonly pages: string };
  readonly clock: Clock;
  /** Opens the log of an attempt. Default: a file in `places.logs`. */
  readonly openLog?: ((attempt: AttemptId) => LogFile) | undefined;
  /** When combine is called. Default "auto". */
  readonly combining?: Combining | undefined;
  /** Each map task is interrupted once behind a checkpoint. Default false. */
  readonly interrupting?: boolean | undefined;
  /** Called with what attempts print, as it comes, in addition to the log file. */
  readonly onOutput?: (attempt: AttemptId | undefined, bytes: Buffer) => void;
  /**
   * A call of user code did something after it had ended: emitted, counted, threw. Told at any time: while another
   * attempt runs, while the slot is idle, just before its process ends. Not told of what the attempt's own result says.
   */
  readonly onLate?: ((attempt: AttemptId, error: FailureText) => void) | undefined;
}

/** Enough for V8's last output with its stack. */
const stderrTailBytes = 8192;
/** Time to read what is left in the pipes of an ended process. */
const drainMs = 1000;

type Reply = Extract<FromSlot, { kind: "loaded" | "described" | "validated" | "finished" | "failed" }>;

export class Slot implements TaskSlot {
  readonly ended: Promise<FailureText>;
  readonly #options: SlotOptions;
  readonly #child: ChildProcess;
  readonly #pipe: Duplex;
  readonly #pagePath: string;
  #isAlive = true;
  #bundle: Bundle | undefined;
  #reply: { resolve: (reply: Reply) => void; reject: (error: FailureText) => void } | undefined;
  /** Waiting calls of `settle`, one for each message that was sent. */
  readonly #settling: (() => void)[] = [];
  #attempt: AttemptId | undefined;
  /** The job whose attempts it runs: a slot serves only one. */
  #job: JobId | undefined;
  /**
   * The attempt whose code may go on in the idle slot; undefined if it was revoked, failed, or was reported already.
   */
  #last: AttemptId | undefined;
  #isStopped = false;
  #log: LogFile;
  #stderrTail = "";
  #killedFor: KillReason | undefined;
  #death: FailureText | undefined;
  #deathRetry: Retry = "never";
  /** True when the process exited by itself: the code that it ran did that, and would do it again. */
  #isEndedByCode = false;

  constructor(options: SlotOptions) {
    const { name, budget, directories } = options;
    this.#options = options;
    this.#pagePath = join(directories.pages, `${name}.page`);
    this.#log = new LogFile(join(directories.logs, `${name}.log`));
    const config: SlotConfig = {
      directory: directories.slots,
      page: this.#pagePath,
      arenaBytes: budget.arenaBytes,
      windowBytesMax: windowBytesOf(budget),
      agent: process.pid,
      combining: options.combining,
      interrupting: options.interrupting,
    };
    this.#child = options.process ?? startSlotProcess(options.program, budget.heapMiB);
    this.ended = this.#untilEnded();
    // With too many open files, Node makes no streams.
    if (this.#child.stdio === undefined) {
      throw new MillraceError("io-error", "a slot's process can't be started: too many open files");
    }
    this.#pipe = this.#child.stdio[3] as Duplex;
    const frames = new FrameReader((message) => this.#receive(decodeFromSlot(message)));
    this.#pipe.on("data", (chunk: Buffer) => {
      try {
        frames.push(chunk);
      } catch (error) {
        this.kill({
          kind: "broken-pipe",
          what: `its messages can't be read (${error instanceof Error ? error.message : String(error)})`,
        });
      }
    });
    this.#pipe.on("error", () => {}); // the process's end is what counts
    this.#pipe.write(frameOf(Buffer.from(JSON.stringify(config))));
    this.#child.stdout!.on("data", (chunk: Buffer) => this.#output(chunk));
    this.#child.stderr!.on("data", (chunk: Buffer) => {
      this.#stderrTail = (this.#stderrTail + chunk.toString("latin1")).slice(-stderrTailBytes);
      this.#output(chunk);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get bundle(): Bundle | undefined {
    return this.#bundle;
  }

  async load(bundle: Bundle): Promise<void> {
    this.#bundle = bundle;
    const reply = await this.#ask({
      kind: "load",
      path: bundle.path,
      digest: bundle.digest,
      environment: bundle.environment,
    }).catch((death: FailureText) => this.#ended(death));
    if (reply.kind === "failed") throw errorOf(reply.error);
    assert(reply.kind === "loaded", "load is answered by loaded");
  }

  async describe(): Promise<JobDescription> {
    const reply = await this.#ask({ kind: "describe" }).catch((death: FailureText) => this.#ended(death));
    if (reply.kind === "failed") throw errorOf(reply.error);
    assert(reply.kind === "described", "describe is answered by described");
    return reply.description;
  }

  async validate(params: string): Promise<Uint8Array | undefined> {
    const asked = this.#ask({ kind: "validate", params });
    const reply = await asked.catch((death: FailureText): never => {
      throw errorOf(death, this.#deathRetry);
    });
    if (reply.kind === "failed") throw errorOf(reply.error);
    assert(reply.kind === "validated", "validate is answered by validated");
    return reply.value;
  }

  async run(request: RunAttempt): Promise<AttemptResult> {
    const { attempt, careful } = request.assignment;
    this.#log.close();
    this.#log = this.#openLog(attempt);
    this.#attempt = attempt;
    this.#job = attempt.job;
    this.#last = undefined;
    this.#isStopped = false;
    try {
      const reply = await this.#ask({
        kind: "run",
        ...request,
        sentAtMs: this.#options.clock.date().getTime(),
        storageAccess: accessOf(request),
      });
      if (reply.kind === "finished") {
        if (reply.result.ok && !this.#isStopped) this.#last = attempt;
        return reply.result;
      }
      assert(reply.kind === "failed", "run is answered by finished");
      return { attempt, ok: false, reason: { kind: "infrastructure", error: reply.error } };
    } catch (error) {
      return { attempt, ok: false, reason: this.#died(attempt, careful, error as FailureText) };
    } finally {
      this.#attempt = undefined;
    }
  }

  #openLog(attempt: AttemptId): LogFile {
    const { openLog, directories } = this.#options;
    return openLog?.(attempt) ?? new LogFile(join(directories.logs, `${attemptName(attempt)}.log`));
  }

  settle(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#death !== undefined) return resolve();
      this.#settling.push(resolve);
      this.#send({ kind: "settle" });
    });
  }

  stop(why: string): void {
    if (this.#attempt === undefined) return;
    this.#isStopped = true;
    this.#send({ kind: "stop", why });
  }

  kill(reason: KillReason): void {
    this.#isAlive = false;
    this.#killedFor ??= reason;
    // Written to the log of its last attempt, as no result will report it.
    if (reason.kind === "silent") this.#output(logLine(this.#options.clock.date(), silentText(reason.ms), ""));
    killGroup(this.#child.pid);
  }

  page(): PageContent | undefined {
    return readStatusPage(this.#pagePath);
  }

  /**
   * The failure of an attempt whose process has ended. A process that had not begun the attempt is not the attempt's
   * fault.
   */
  #died(attempt: AttemptId, careful: boolean, error: FailureText): Failure {
    const page = this.page();
    const isOurs = page !== undefined && page.epoch === attempt.epoch && page.attempt === attempt.attempt;
    // A message that no slot sends was written by the job's code, so no machine is to blame.
    const isLie = this.#killedFor?.kind === "broken-pipe";
    if (isOurs || isLie) return { kind: "slot-died", error, at: isOurs ? page.at : undefined, careful };
    return { kind: "infrastructure", error };
  }

  #ended(death: FailureText): never {
    throw errorOf(this.#isEndedByCode ? endedLoading(death) : death, this.#deathRetry);
  }

  #ask(message: ToSlot): Promise<Reply> {
    assert(this.#reply === undefined, "a slot does one thing at a time");
    return new Promise<Reply>((resolve, reject) => {
      if (this.#death !== undefined) return reject(this.#death);
      this.#reply = { resolve, reject };
      this.#send(message);
    });
  }

  #send(message: ToSlot): void {
    if (!this.#pipe.destroyed) this.#pipe.write(frameOf(encodeToSlot(message)));
  }

  #receive(message: FromSlot): void {
    switch (message.kind) {
      case "log":
        this.#output(logLine(this.#options.clock.date(), message.message, message.fields));
        return;
      case "late":
        // A job's code may have written it, and must not speak for another job.
        if (message.attempt.job !== this.#job) return;
        this.#last = undefined;
        this.#options.onLate?.(message.attempt, message.error);
        return;
      case "settled":
        this.#settling.shift()?.();
        return;
      case "loaded":
      case "described":
      case "validated":
      case "failed":
      case "finished": {
        const waiting = this.#reply;
        if (waiting === undefined) return; // the attempt was given up meanwhile
        this.#reply = undefined;
        waiting.resolve(message);
        return;
      }
      default:
        unreachable(message);
    }
  }

  #output(chunk: Buffer): void {
    this.#log.write(chunk);
    this.#options.onOutput?.(this.#attempt, chunk);
  }

  async #untilEnded(): Promise<FailureText> {
    const child = this.#child;
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    const end = await new Promise<{ code: number | null; signal: NodeJS.Signals | null } | Error>((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
      child.once("error", (error) => resolve(error));
    });
    this.#isAlive = false;
    if (!(end instanceof Error)) {
      // Processes that the job's code started are killed with it. Its last output is still in the pipes.
      killGroup(child.pid);
      const timer = new AbortController();
      await Promise.race([closed, this.#options.clock.sleep(drainMs, timer.signal)]);
      timer.abort();
    }
    for (const stream of child.stdio ?? []) stream?.destroy();
    this.#log.close();
    this.#isEndedByCode = !(end instanceof Error) && end.signal === null && this.#killedFor === undefined;
    this.#death = end instanceof Error ? spawnError(end) : deathText(this.#deathOf(end));
    if (end instanceof Error || this.#killedFor?.kind === "stopped") this.#deathRetry = "elsewhere";
    else if (end.signal !== null && this.#killedFor === undefined) this.#deathRetry = "same";
    // If the job's code ended an idle process (process.exit, a crash), it did so after its call; what the system did is
    // no one's fault.
    const isItsOwn = !(end instanceof Error) && this.#killedFor === undefined && isOwnEnd(end);
    if (isItsOwn && this.#attempt === undefined && this.#last !== undefined) {
      this.#options.onLate?.(this.#last, this.#death);
    }
    this.#reply?.reject(this.#death);
    this.#reply = undefined;
    for (const resolve of this.#settling.splice(0)) resolve();
    return this.#death;
  }

  #deathOf(end: { code: number | null; signal: NodeJS.Signals | null }): Death {
    const { heapMiB, rssBytesMax } = this.#options.budget;
    return { ...end, killedFor: this.#killedFor, stderrTail: this.#stderrTail, heapMiB, rssBytesMax };
  }
}

/** Credentials leave this process only for a job that reads or writes what they are for (S25). */
function accessOf({ assignment }: RunAttempt): AccessByScheme {
  const { inputs, output, deadLetters } = assignment.spec;
  return accessFor([output, deadLetters?.path ?? output, ...inputs.flatMap(({ paths }) => paths)]);
}
