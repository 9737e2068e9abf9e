// The storage of outputs that all processes reach: staged files by token, and what is visible at each destination.
// Publishing goes in steps, so a crash or a slow old leader may be anywhere among them.
import { MillraceError } from "../../src/base/error.ts";
import type { AttemptId, JobId } from "../../src/base/ids.ts";
import { attemptName } from "../../src/base/ids.ts";
import { Chance } from "../../src/sim/chance.ts";
import type { Endpoint, Network, Request } from "../../src/sim/network.ts";
import type { Process } from "../../src/sim/process.ts";
import type { Outputs } from "../../src/sim/scene.ts";
import { decisionName } from "../../src/storage/local/hidden.ts";
import type { CommitDecision, LostFile, StagedFile, Storage, Withdrawal } from "../../src/storage/storage.ts";
import type { SimOptions } from "./options.ts";
import type { PartContent } from "./workload.ts";
import type { OracleWorld } from "./world.ts";

interface Staged {
  readonly job: JobId;
  readonly attempt: string;
  readonly content: PartContent;
}

/** A staged file that a publisher has moved to where the output is put together. */
interface Moved {
  readonly token: string;
  readonly content: PartContent;
}

export interface Published {
  readonly job: JobId;
  /** Which of the job's decisions puts files there. */
  readonly decision: string;
  /** By name, as they appear. */
  readonly files: Map<string, PartContent>;
  /** The bytes of `_SUCCESS`: with it the output is whole. */
  manifest: Uint8Array | undefined;
}

export class Files implements Endpoint, Outputs {
  readonly process: Process;
  readonly unpublished = new Map<string, Staged>();
  /**
   * Where an output is put together, by decision, until one rename makes it visible; all publishers of a decision
   * share it.
   */
  readonly folders = new Map<string, Map<string, Moved>>();
  readonly published = new Map<string, Published>();
  failsUntil = 0;
  slowUntil = 0;
  /** By token: when each staged file that is gone was removed; and by job: when one was last looked for. */
  readonly lostAt = new Map<string, number>();
  readonly lookedAt = new Map<JobId, number>();
  /** All that was ever staged, by token. */
  readonly written = new Map<string, PartContent>();
  readonly #withdrawn = new Set<string>();
  /** Told of everything that becomes visible. */
  readonly #onVisible: (destination: string, job: JobId, name: string) => void;
  readonly #network: Network;
  readonly #chance: Chance;
  readonly #options: SimOptions;
  readonly #now: () => number;

  constructor(process: Process, { network, timeline, options, checks, note }: OracleWorld) {
    this.process = process;
    this.#network = network;
    this.#now = () => timeline.now;
    this.#chance = new Chance(options.seed, 6);
    this.#options = options;
    this.#onVisible = (destination, job, name) => {
      note(`${destination}/${name} of ${job.slice(0, 4)} is visible`);
      checks.visible(destination, job, name);
    };
    network.answerAt("storage", this);
  }

  /** What an attempt wrote, on disk. The token names it. */
  stage(attempt: AttemptId, name: string, content: PartContent): string {
    const token = `${attempt.job}/${attemptName(attempt)}.${name}`;
    this.unpublished.set(token, { job: attempt.job, attempt: attemptName(attempt), content });
    this.written.set(token, content);
    return token;
  }

  /** A failed attempt removes what it has staged. */
  unstage(token: string): void {
    this.unpublished.delete(token);
  }

  /** Not published yet, and not gone. */
  has(token: string): boolean {
    if (this.unpublished.has(token)) return true;
    return [...this.folders.values()].some((folder) => [...folder.values()].some((moved) => moved.token === token));
  }

  staged(chance: Chance): { readonly token: string; remove(): void } | undefined {
    const found = [...this.unpublished.keys()].map((token) => ({
      token,
      remove: () => this.unpublished.delete(token),
    }));
    for (const folder of this.folders.values())
      for (const [name, { token }] of folder) found.push({ token, remove: () => folder.delete(name) });
    const file = found[chance.below(found.length)];
    if (file === undefined) return undefined;
    const { token } = file;
    return {
      token,
      remove: () => {
        file.remove();
        this.lostAt.set(token, this.#now());
      },
    };
  }

  /** A master's end of it. Only what a master calls is there. */
  clientOf(process: Process): Storage {
    const call = (kind: string, body: unknown) =>
      this.#network.call(process, "storage", kind, body, { timeoutMs: this.#options.leaseMs * 4, isSteady: true });
    const never = () => {
      throw new Error("a master does not call this");
    };
    return {
      list: never,
      stat: never,
      read: never,
      below: never,
      stage: never,
      prepare: async () => ({ replaces: undefined }),
      findLost: async (_destination, job, files) => (await call("look", { job, files })) as LostFile[],
      publish: async (decision) => void (await call("publish", decision)),
      withdraw: async (decision) => (await call("withdraw", decision)) as Withdrawal,
      discard: async (_destination, job) => void (await call("discard", job)),
    };
  }

  /** Its own, which a check can read. */
  readonly manifest: Outputs["manifest"] = ({ counters, files }) =>
    new TextEncoder().encode(JSON.stringify({ counters, files: files.map(({ token }) => token) }));

  serve({ kind, body }: Request): Promise<unknown> {
    if (kind === "look") return this.#findLost(body as { job: JobId; files: readonly StagedFile[] });
    if (kind === "publish") return this.#publish(body as CommitDecision);
    if (kind === "withdraw") return this.#withdraw(body as CommitDecision);
    if (kind === "discard") return this.#discard(body as JobId);
    throw new Error(`storage knows no ${kind}`);
  }

  async #findLost({ job, files }: { job: JobId; files: readonly StagedFile[] }): Promise<LostFile[]> {
    await this.#steps(1)();
    this.lookedAt.set(job, this.#now());
    return files.filter(({ token }) => !this.unpublished.has(token)).map(({ token }) => ({ token, why: "is missing" }));
  }

  async #publish(decision: CommitDecision): Promise<void> {
    const { job, destination, files, manifest } = decision;
    const next = this.#steps(files.length + 3);
    await next();
    const there = this.published.get(destination);
    if (there !== undefined && there.job !== job) throw new MillraceError("output-exists", `${destination} is there`);
    if (there?.manifest === undefined) await this.#makeVisible(decision, next);
    const output = this.published.get(destination);
    if (output?.decision !== decisionName(decision))
      throw new MillraceError("output-exists", `${destination} is there, or was withdrawn`);
    if (output.manifest === undefined) {
      output.manifest = manifest;
      this.#onVisible(destination, job, "_SUCCESS");
    }
    await next();
  }

  async #makeVisible(decision: CommitDecision, next: () => Promise<void>): Promise<void> {
    const { job, destination, files } = decision;
    const name = decisionName(decision);
    const isCopied = this.#options.storage === "copy";
    const there = this.published.get(destination);
    if (this.#withdrawn.has(name) || (there !== undefined && there.decision !== name)) throw gone(destination);
    // A storage that copies file by file claims the place first; others put them together where no one looks.
    const output = there ?? { job, decision: name, files: new Map<string, PartContent>(), manifest: undefined };
    if (isCopied) this.published.set(destination, output);
    else if (!this.folders.has(name)) this.folders.set(name, new Map());
    for (const file of files) {
      await next();
      const now = this.published.get(destination);
      if (now?.manifest !== undefined) return; // another publisher was first
      const folder = this.folders.get(name);
      if (isCopied ? now !== output : folder === undefined) throw gone(destination);
      if (output.files.has(file.name) || folder?.has(file.name)) continue;
      const content = this.unpublished.get(file.token)?.content;
      if (content === undefined) throw gone(file.name);
      folder?.set(file.name, { token: file.token, content });
      if (isCopied) this.#show(destination, output, file.name, content);
      else this.unpublished.delete(file.token);
    }
    if (isCopied) return;
    await next();
    // The rename, right after a last look. What another publisher has made visible meanwhile is no loss.
    if (this.published.has(destination)) return;
    const folder = this.folders.get(name);
    if (folder === undefined || !files.every((file) => folder.has(file.name))) throw gone(destination);
    this.folders.delete(name);
    this.published.set(destination, output);
    for (const [file, { content }] of folder) this.#show(destination, output, file, content);
  }

  /** As the product's storages do it: what is staged is taken away from publishers of the decision in one step. */
  async #withdraw(decision: CommitDecision): Promise<Withdrawal> {
    const { job, destination, files } = decision;
    const next = this.#steps(3);
    await next();
    const name = decisionName(decision);
    const there = this.published.get(destination);
    if (there?.decision === name && there.manifest !== undefined) return { kind: "whole" };
    const shown = there?.decision === name ? there.files : undefined;
    const folder = this.folders.get(name);
    if (!this.#withdrawn.has(name)) {
      if (files.every((file) => this.unpublished.has(file.token) || folder?.has(file.name) || shown?.has(file.name)))
        return { kind: "whole" };
      this.#withdrawn.add(name);
    }
    this.folders.delete(name);
    if (there?.decision === name) this.published.delete(destination);
    const left = files.map((file) => {
      const token = `${job}/${name}=${file.token.slice(Math.max(file.token.indexOf("/"), file.token.indexOf("=")) + 1)}`;
      const content = [this.unpublished.get(token), this.unpublished.get(file.token), folder?.get(file.name)].find(
        (place) => place !== undefined,
      )?.content;
      if (content === undefined) return undefined;
      this.unpublished.delete(file.token);
      this.unpublished.set(token, { job, attempt: attemptName(content.attempt), content });
      this.written.set(token, content);
      return { ...file, token };
    });
    await next();
    return { kind: "withdrawn", files: left };
  }

  #show(destination: string, output: Published, name: string, content: PartContent): void {
    if (output.files.has(name)) return;
    output.files.set(name, content);
    this.#onVisible(destination, output.job, name);
  }

  async #discard(job: JobId): Promise<void> {
    await this.#wait();
    for (const [token, file] of [...this.unpublished]) if (file.job === job) this.unpublished.delete(token);
    for (const [name, folder] of [...this.folders])
      if ([...folder.values()].some(({ content }) => content.attempt.job === job)) this.folders.delete(name);
  }

  /** An error may come before anything happened, or after all of it. */
  #steps(count: number): () => Promise<void> {
    const errorAt = this.failsUntil > this.#now() ? this.#chance.below(count) : -1;
    let step = 0;
    return async () => {
      await this.#wait();
      if (step++ === errorAt) throw new MillraceError("io-error", "storage can't be reached", { retry: "elsewhere" });
    };
  }

  #wait(): Promise<void> {
    const isSlow = this.slowUntil > this.#now();
    const ms = isSlow ? this.#chance.between(0, this.#options.leaseMs) : this.#chance.between(0.5, 20);
    return new Promise((resolve) => void this.process.after(ms, resolve));
  }
}

function gone(what: string): MillraceError {
  return new MillraceError("corrupt-output", `${what} is not staged any more`);
}
