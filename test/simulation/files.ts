// The storage of outputs that all processes reach: staged files by token, and what is visible at each destination. Publishing
// goes in steps, so a crash or a slow old leader may be anywhere among them.
import { MillraceError } from "../../src/base/error.ts";
import type { AttemptId, JobId } from "../../src/base/ids.ts";
import { attemptName } from "../../src/base/ids.ts";
import type { Chance } from "../../src/sim/chance.ts";
import type { Network, Request } from "../../src/sim/network.ts";
import type { Process } from "../../src/sim/process.ts";
import type { CommitDecision, Storage } from "../../src/storage/storage.ts";
import type { SimOptions } from "./options.ts";
import type { PartContent } from "./workload.ts";

interface Staged {
  readonly job: JobId;
  readonly attempt: string;
  readonly content: PartContent;
}

export interface Published {
  readonly job: JobId;
  /** By name, as they appear. */
  readonly files: Map<string, PartContent>;
  /** The bytes of `_SUCCESS`: with it the output is whole. */
  manifest: Uint8Array | undefined;
}

export class Files {
  readonly process: Process;
  readonly staged = new Map<string, Staged>();
  readonly published = new Map<string, Published>();
  failsUntil = 0;
  slowUntil = 0;
  /** Told of everything that becomes visible. */
  onVisible: (destination: string, job: JobId, name: string) => void = () => {};
  readonly #chance: Chance;
  readonly #options: SimOptions;
  readonly #now: () => number;

  constructor(process: Process, now: () => number, chance: Chance, options: SimOptions) {
    this.process = process;
    this.#now = now;
    this.#chance = chance;
    this.#options = options;
  }

  /** What an attempt wrote, on disk. The token names it. */
  stage(attempt: AttemptId, name: string, content: PartContent): string {
    const token = `${attempt.job}/${attemptName(attempt)}.${name}`;
    this.staged.set(token, { job: attempt.job, attempt: attemptName(attempt), content });
    return token;
  }

  /** A failed attempt removes what it has staged. */
  unstage(token: string): void {
    this.staged.delete(token);
  }

  serve({ kind, body }: Request): Promise<unknown> {
    if (kind === "publish") return this.#publish(body as CommitDecision);
    if (kind === "discard") return this.#discard(body as JobId);
    throw new Error(`storage knows no ${kind}`);
  }

  async #publish(decision: CommitDecision): Promise<void> {
    const { job, destination, files, manifest } = decision;
    // An error may come before anything happened, or after all of it.
    const errorAt = this.failsUntil > this.#now() ? this.#chance.below(files.length + 3) : -1;
    let step = 0;
    const next = async () => {
      await this.#wait();
      if (step++ === errorAt) throw new MillraceError("io-error", "storage can't be reached", { retry: "elsewhere" });
    };
    await next();
    const there = this.published.get(destination);
    if (there !== undefined && there.job !== job) throw new MillraceError("output-exists", `${destination} is there`);
    if (there?.manifest === undefined) await this.#makeVisible(decision, next);
    const output = this.published.get(destination);
    if (output?.job !== job) throw new MillraceError("output-exists", `${destination} is there`);
    if (output.manifest === undefined) {
      output.manifest = manifest;
      this.onVisible(destination, job, "_SUCCESS");
    }
    await next();
  }

  async #makeVisible({ job, destination, files }: CommitDecision, next: () => Promise<void>): Promise<void> {
    const isCopied = this.#options.storage === "copy";
    const output: Published = this.published.get(destination) ?? { job, files: new Map(), manifest: undefined };
    // Who copies file by file claims the place first.
    if (isCopied) this.published.set(destination, output);
    else await next();
    const found = new Map<string, PartContent>();
    for (const { name, token } of files) {
      if (isCopied) await next();
      if (this.published.get(destination)?.manifest !== undefined) return; // another publisher was first
      const content = output.files.get(name) ?? this.staged.get(token)?.content;
      if (content === undefined) throw new MillraceError("corrupt-output", `${name} is not staged any more`);
      if (isCopied) this.#show(destination, output, name, content);
      else found.set(name, content);
    }
    if (isCopied || this.published.has(destination)) return;
    this.published.set(destination, output);
    for (const [name, content] of found) this.#show(destination, output, name, content);
  }

  #show(destination: string, output: Published, name: string, content: PartContent): void {
    if (output.files.has(name)) return;
    output.files.set(name, content);
    this.onVisible(destination, output.job, name);
  }

  async #discard(job: JobId): Promise<void> {
    await this.#wait();
    for (const [token, file] of [...this.staged]) if (file.job === job) this.staged.delete(token);
  }

  #wait(): Promise<void> {
    const isSlow = this.slowUntil > this.#now();
    const ms = isSlow ? this.#chance.between(0, this.#options.leaseMs) : this.#chance.between(0.5, 20);
    return new Promise((resolve) => void this.process.after(ms, resolve));
  }
}

/** A master's end of it. Only what a master calls is there. */
export function storageClient(process: Process, network: Network, options: SimOptions): Storage {
  const call = (kind: string, body: unknown) =>
    network.call(process, "storage", kind, body, { timeoutMs: options.leaseMs * 4, isSteady: true });
  const never = () => {
    throw new Error("a master does not call this");
  };
  return {
    list: never,
    stat: never,
    read: never,
    stage: never,
    prepare: async () => ({ replaces: undefined }),
    publish: async (decision) => void (await call("publish", decision)),
    discard: async (_destination, job) => void (await call("discard", job)),
  };
}
