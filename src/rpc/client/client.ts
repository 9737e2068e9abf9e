// The client of a cluster's masters: the same interface as a master in this process, over gRPC on one HTTP/2
// connection, and HTTP/1.1 for blobs.
//
// Every call has a deadline and may be repeated, so a call that failed on its way is made again, at the next address of
// the list (masters.ts) and after a while, until no master has led for longer than the caller's patience. Two calls are
// not repeated after a pause: a heartbeat, because the agent makes the next one by itself with newer content, and logs
// that have begun. Pings detect a connection that leads nowhere (fault 49).
import { Code, ConnectError } from "@connectrpc/connect";
import { MillraceError } from "../../base/error.ts";
import type { JobId, WorkerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { WorkerOrders, WorkerReport } from "../../protocol/messages.ts";
import type { Blobs, HistoryEvent, LogChunk, RemoteMaster, Submission, Welcome } from "../../protocol/services.ts";
import { ourVersions } from "../../protocol/versions.ts";
import { hasEnded, type JobState } from "../../protocol/view.ts";
import { fromHistoryEvent, fromLogChunk, fromWelcome, toHello, toSubmission } from "../../wire/convert-service.ts";
import { fromClusterView, fromJobView } from "../../wire/convert-view.ts";
import { fromOrders, toReport } from "../../wire/convert-worker.ts";
import { clientTls } from "../access/tls.ts";
import type { Secret } from "../access/token-digest.ts";
import { parseAddresses } from "./address.ts";
import { backOffMs } from "./back-off.ts";
import { blobClient } from "./blob-client.ts";
import { Line } from "./line.ts";
import { Masters } from "./masters.ts";
import { Patience, type PatienceOptions } from "./patience.ts";
import { describeFailure, isTransient } from "./reach.ts";
import { untilSilent } from "./stream-silence.ts";

export interface ConnectOptions extends PatienceOptions {
  readonly token: Secret;
  /** PEM file of the authority that signed the masters' certificates. Default: those of this system. */
  readonly ca?: string | undefined;
  readonly role: "worker" | "client";
  /** The worker's name, when a worker calls. Left out: a command calls. */
  readonly worker?: WorkerId | undefined;
  readonly deadlineMs?: Partial<Deadlines>;
  readonly pingMs?: number;
  /**
   * Called after each handshake: at first use, and after the connection was lost. `cluster` may then be another one.
   */
  readonly onWelcome?: (welcome: Welcome) => void;
}

interface Deadlines {
  readonly hello: number;
  /** For heartbeats. Default: the lease that the master has told, and the usual one until then. */
  readonly heartbeat: number;
  /** For calls that a master answers from memory. */
  readonly question: number;
  /** For calls that a master makes durable, or asks storage and workers for. */
  readonly action: number;
  /** For the next item of a stream that does not wait for news. */
  readonly silence: number;
}

const defaultDeadlines = { hello: 5_000, question: 10_000, action: 120_000, silence: 2 * limits.silenceMs };
const defaultPingMs = 3_000;

export function connectMaster(options: ConnectOptions): RemoteMaster {
  return new Remote(options);
}

class Remote implements RemoteMaster {
  readonly blobs: Blobs;
  readonly #options: ConnectOptions;
  readonly #masters: Masters;
  readonly #closed = new AbortController();
  #pingMs: number;
  #leaseMs: number = limits.leaseMs;
  #heardAt: number | undefined;
  /** The highest epoch that orders were of. */
  #epoch = 0;

  constructor(options: ConnectOptions) {
    this.#options = options;
    const { token, ca } = options;
    this.#pingMs = options.pingMs ?? defaultPingMs;
    // Also where no address is of https: a file that is given is there.
    const tls = clientTls(ca);
    this.#masters = new Masters(
      parseAddresses(options.address),
      (address) => new Line(address, { token, tls, pingMs: this.#pingMs }),
    );
    this.blobs = blobClient({
      line: () => this.#masters.current,
      token,
      ca,
      closed: this.#closed.signal,
      failed: (line, error) => void this.#masters.walk().failed(line, error),
      pause: (failures, signal) => options.clock.sleep(backOffMs(failures, options.random), signal),
      repeat: (signal, call) => this.#repeat(signal, call),
    });
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new MillraceError("cancelled", "the connection to the master was closed here"));
    for (const { session } of this.#masters.all) session.abort();
  }

  /** Says hello again. It ignores its argument and sends this process's versions. */
  async hello(_hello: unknown, signal?: AbortSignal): Promise<Welcome> {
    return await this.#repeat(signal, (live, line) => this.#handshake(live, line));
  }

  /** Goes to each master once, and leaves the pause and the next try to the agent. */
  async heartbeat(report: WorkerReport, signal: AbortSignal): Promise<WorkerOrders> {
    const live = this.#live(signal);
    const walk = this.#masters.walk();
    for (;;) {
      const line = this.#masters.current;
      try {
        await this.#greeted(live, line);
        const timeoutMs = this.#options.deadlineMs?.heartbeat ?? this.#leaseMs;
        const orders = fromOrders(await line.workers.heartbeat(toReport(report), { signal: live, timeoutMs }));
        this.#heardAt = this.#options.clock.now();
        // A leader of before that has not noticed would be asked for ever, and the one that leads never.
        if (orders.epoch < this.#epoch && walk.failed(line, undefined)) continue;
        this.#epoch = Math.max(this.#epoch, orders.epoch);
        return orders;
      } catch (error) {
        const failure = this.#failed(error, live, line);
        if (live.aborted || !isTransient(error) || !walk.failed(line, failure)) throw failure;
      }
    }
  }

  submit(submission: Submission, signal?: AbortSignal): Promise<JobId> {
    const request = toSubmission(submission);
    return this.#call("action", signal, async (call, { jobs }) => (await jobs.submit(request, call)).job);
  }

  get(job: JobId, signal?: AbortSignal) {
    return this.#call("question", signal, async (call, { jobs }) => fromJobView(await jobs.get({ job }, call)));
  }

  view(signal?: AbortSignal) {
    return this.#call("question", signal, async (call, { jobs }) => fromClusterView(await jobs.view({}, call)));
  }

  cancel(job: JobId, signal?: AbortSignal): Promise<"cancelled" | "too-late"> {
    return this.#call("action", signal, async (call, { jobs }) => {
      const { outcome } = await jobs.cancel({ job }, call);
      return outcome === "cancelled" ? "cancelled" : "too-late";
    });
  }

  async retry(job: JobId, signal?: AbortSignal): Promise<void> {
    await this.#call("action", signal, (call, { jobs }) => jobs.retry({ job }, call));
  }

  async drain(worker: WorkerId, withinMs?: number, signal?: AbortSignal): Promise<void> {
    await this.#call("action", signal, (call, { jobs }) => jobs.drain({ worker, withinMs: withinMs ?? 0 }, call));
  }

  /** Goes on after the master was away: each view of a job is complete, so missing some in between does no harm. */
  async *watch(job: JobId, signal?: AbortSignal) {
    let state: JobState = "planning";
    yield* this.#stream(signal, async function* (live, { jobs }) {
      for await (const message of jobs.watch({ job }, { signal: live, timeoutMs: 0 })) {
        const view = fromJobView(message);
        state = view.state;
        yield view;
      }
      // A master that ends in good order ends its streams this way.
      if (!hasEnded(state)) throw new ConnectError("the master ended the watch", Code.Unavailable);
    });
  }

  async *logs(job: JobId, attempt: string | undefined, signal?: AbortSignal): AsyncIterable<LogChunk> {
    let isBegun = false;
    yield* this.#stream(
      signal,
      async function* (this: Remote, live, { jobs }) {
        const asked = { job, ...(attempt === undefined ? {} : { attempt }) };
        for await (const chunk of this.#untilSilent(live, (call) => jobs.logs(asked, call))) {
          isBegun = true;
          yield fromLogChunk(chunk);
        }
      },
      () => !isBegun,
    );
  }

  /** An event log only grows, so after a repeated call the events that were given out already are skipped. */
  async *history(job: JobId, signal?: AbortSignal): AsyncIterable<HistoryEvent> {
    let given = 0;
    yield* this.#stream(signal, async function* (this: Remote, live, { jobs }) {
      let index = 0;
      for await (const event of this.#untilSilent(live, (call) => jobs.history({ job }, call))) {
        if (index++ < given) continue;
        given++;
        yield fromHistoryEvent(event);
      }
    });
  }

  async #call<T>(
    kind: "question" | "action",
    signal: AbortSignal | undefined,
    call: (options: { signal: AbortSignal; timeoutMs: number }, line: Line) => Promise<T>,
  ): Promise<T> {
    const timeoutMs = this.#options.deadlineMs?.[kind] ?? defaultDeadlines[kind];
    return await this.#repeat(signal, async (live, line) => {
      await this.#greeted(live, line);
      return await call({ signal: live, timeoutMs }, line);
    });
  }

  /** Says hello once per connection, however many calls wait for it. */
  async #greeted(live: AbortSignal, line: Line): Promise<void> {
    line.welcome ??= this.#handshake(this.#closed.signal, line).catch((error) => {
      line.welcome = undefined;
      throw error;
    });
    const { welcome } = line;
    await new Promise<void>((resolve, reject) => {
      const leave = () => reject(live.reason);
      if (live.aborted) leave();
      live.addEventListener("abort", leave, { once: true });
      welcome.then(() => resolve(), reject).finally(() => live.removeEventListener("abort", leave));
    });
  }

  async #handshake(signal: AbortSignal, line: Line): Promise<Welcome> {
    const { role, worker, deadlineMs, onWelcome, clock } = this.#options;
    const request = toHello({ ...ourVersions, role, worker });
    const call = { signal, timeoutMs: deadlineMs?.hello ?? defaultDeadlines.hello };
    const answer = role === "worker" ? line.workers.hello(request, call) : line.jobs.hello(request, call);
    const welcome = fromWelcome(await answer);
    this.#leaseMs = welcome.leaseMs;
    // A dead connection is noticed within two pings, so that there is time for another one before the lease is over.
    if (role === "worker") this.#pingMs = Math.min(this.#pingMs, Math.max(100, welcome.leaseMs * 0.3));
    line.session.pingMs = this.#pingMs;
    this.#heardAt = clock.now();
    line.welcome = Promise.resolve(welcome);
    onWelcome?.(welcome);
    return welcome;
  }

  /** Repeats a call until it is answered, fails for a reason that stays, or patience ends. */
  async #repeat<T>(signal: AbortSignal | undefined, call: (live: AbortSignal, line: Line) => Promise<T>): Promise<T> {
    const live = this.#live(signal);
    const patience = new Patience(this.#options, () => this.#heardAt);
    const walk = this.#masters.walk();
    for (;;) {
      const line = this.#masters.current;
      try {
        const answer = await call(live, line);
        this.#heardAt = this.#options.clock.now();
        return answer;
      } catch (error) {
        const failure = this.#failed(error, live, line);
        await patience.after(error, failure, live, () => walk.failed(line, failure));
      }
    }
  }

  async *#stream<T>(
    signal: AbortSignal | undefined,
    open: (this: Remote, live: AbortSignal, line: Line) => AsyncIterable<T>,
    mayRepeat: () => boolean = () => true,
  ): AsyncIterable<T> {
    const live = this.#live(signal);
    const patience = new Patience(this.#options, () => this.#heardAt);
    const walk = this.#masters.walk();
    for (;;) {
      const line = this.#masters.current;
      try {
        await this.#greeted(live, line);
        for await (const item of open.call(this, live, line)) {
          this.#heardAt = this.#options.clock.now();
          patience.restart();
          yield item;
        }
        return;
      } catch (error) {
        // As with a `watch` in this process, a caller that leaves gets no error.
        if (signal?.aborted) return;
        const failure = this.#failed(error, live, line);
        if (!mayRepeat()) throw failure;
        await patience.after(error, failure, live, () => walk.failed(line, failure));
      }
    }
  }

  /** The items of a stream that never waits for news. */
  #untilSilent<T>(
    live: AbortSignal,
    call: (options: { signal: AbortSignal; timeoutMs: 0 }) => AsyncIterable<T>,
  ): AsyncIterable<T> {
    const { clock, deadlineMs } = this.#options;
    const silenceMs = deadlineMs?.silence ?? defaultDeadlines.silence;
    return untilSilent(live, { clock, silenceMs, open: (signal) => call({ signal, timeoutMs: 0 }) });
  }

  /** Ends with the caller's signal, and when this connection is closed. */
  #live(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
  }

  /**
   * The error of a failed call as a `MillraceError`. After an error of the connection the next call says hello again.
   */
  #failed(error: unknown, live: AbortSignal, line: Line): Error {
    if (live.aborted)
      return live.reason instanceof Error ? live.reason : new MillraceError("cancelled", "the call was given up");
    if (isTransient(error)) {
      line.welcome = undefined;
      // A call without an answer may have been sent over a dead connection: the next one takes a new connection.
      if (error instanceof ConnectError && error.code === Code.DeadlineExceeded) line.session.abort();
    }
    const failure = describeFailure(error, { address: line.address, hasAnswered: this.#heardAt !== undefined });
    // A master that does not lead has answered, so the address is right.
    if (failure instanceof MillraceError && failure.code === "not-leader") this.#heardAt ??= this.#options.clock.now();
    return failure;
  }
}
