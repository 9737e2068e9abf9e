// The leader's seat in a master's process, which listens before it leads. While the seat is empty every call is
// answered with `not-leader`, and with the address of the master that leads, where that is known.
import { MillraceError } from "../base/error.ts";
import type { JobId, WorkerId } from "../base/ids.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import type { Blobs, Hello, MasterApi, Submission } from "../protocol/services.ts";

/** What a master answers with once it leads. */
export interface Seated {
  readonly api: MasterApi;
  readonly blobs: Blobs;
}

export class Seat implements MasterApi {
  readonly #here: () => string;
  #seated: Seated | undefined;
  #leader: string | undefined;

  /** `here` is this process's own address. */
  constructor(here: () => string) {
    this.#here = here;
  }

  /** From now on calls are answered. Called once. */
  take(seated: Seated): void {
    this.#seated = seated;
  }

  get isTaken(): boolean {
    return this.#seated !== undefined;
  }

  /** Takes the address of the master that leads meanwhile; undefined: no one does, as far as is known. */
  leads(address: string | undefined): void {
    this.#leader = address;
  }

  /** As routes serve them. */
  readonly blobs: Blobs = {
    has: async (sha256, signal) => await this.#led().blobs.has(sha256, signal),
    put: async (sha256, content, bytesMax, signal) => await this.#led().blobs.put(sha256, content, bytesMax, signal),
    get: async (sha256, signal) => await this.#led().blobs.get(sha256, signal),
  };

  async hello(hello: Hello, signal?: AbortSignal) {
    return await this.#led().api.hello(hello, signal);
  }

  async heartbeat(report: WorkerReport, signal: AbortSignal) {
    return await this.#led().api.heartbeat(report, signal);
  }

  async submit(submission: Submission, signal?: AbortSignal) {
    return await this.#led().api.submit(submission, signal);
  }

  async get(job: JobId, signal?: AbortSignal) {
    return await this.#led().api.get(job, signal);
  }

  async view(signal?: AbortSignal) {
    return await this.#led().api.view(signal);
  }

  async *watch(job: JobId, signal?: AbortSignal) {
    yield* this.#led().api.watch(job, signal);
  }

  async cancel(job: JobId, signal?: AbortSignal) {
    return await this.#led().api.cancel(job, signal);
  }

  async retry(job: JobId, signal?: AbortSignal) {
    await this.#led().api.retry(job, signal);
  }

  async drain(worker: WorkerId, withinMs?: number, signal?: AbortSignal) {
    await this.#led().api.drain(worker, withinMs, signal);
  }

  async *logs(job: JobId, attempt: string | undefined, signal?: AbortSignal) {
    yield* this.#led().api.logs(job, attempt, signal);
  }

  async *history(job: JobId, signal?: AbortSignal) {
    yield* this.#led().api.history(job, signal);
  }

  #led(): Seated {
    if (this.#seated !== undefined) return this.#seated;
    const here = this.#here();
    const leader = this.#leader === here ? undefined : this.#leader;
    throw new MillraceError(
      "not-leader",
      leader === undefined
        ? `no master leads yet, as far as the one at ${here} knows`
        : `the master at ${here} does not lead, the one at ${leader} does`,
      { retry: "same", leader },
    );
  }
}
