// A job for a cluster: the twin of local/open.ts for `run --master` and `run(job, { master })`. The job is bundled,
// described and checked here, and planned, run and published there.
//
//   openRemote ─► bundle, describe in a slot ─► submit: blobs, then the job under its key ─► watch … ─► close
//
// From `submit` on the job belongs to the cluster: this process may end at any time, and nothing is lost.
import type { ChildProcess } from "node:child_process";
import { mkdir, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { MillraceError } from "../../base/error.ts";
import type { JobId } from "../../base/ids.ts";
import { isUrl, outputPath } from "../../base/paths.ts";
import { type Clock, systemClock } from "../../base/system/clock.ts";
import { randomId } from "../../base/system/random.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import { jobIdOf } from "../../master/master.ts";
import type { RemoteMaster, Submission } from "../../protocol/services.ts";
import { createStorage } from "../../storage/any.ts";
import { stagingDirectoryOf, workDirectoryOf } from "../../storage/local/hidden.ts";
import { type Storage, stoppable } from "../../storage/storage.ts";
import type { JobEngine, JobHandle, SubmitOptions } from "../engine.ts";
import type { Loading } from "../loading.ts";
import { sizedSpec } from "../spec.ts";
import { type DescribedJob, describeInSlot } from "./describe.ts";
import { Feed } from "./feed.ts";
import { bundleUpload, sideFileUpload, upload } from "./upload.ts";

/** `signal` ends everything before the submission; from then on the job has to be cancelled. */
export interface RemoteOptions extends Loading {
  /** Directory to publish, which the workers must see under the same path; or a URL. */
  readonly output: string;
  /** The master, which was greeted or is being greeted. `close` closes it. */
  readonly master: RemoteMaster | Promise<RemoteMaster>;
  /** The master's address as the user gave it, for commands in messages. */
  readonly address: string;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** How many slots may be killed while the job is described. Default `limits.attemptsMax`. */
  readonly attempts?: number | undefined;
  /**
   * A separate folder for dead letters, absolute or a URL (engine/dead-letters.ts). Default: they go into the output.
   */
  readonly deadLetters?: string | undefined;
  readonly overwrite?: boolean | undefined;
  /**
   * Called with what the job's module prints while it is loaded here. What attempts print stays with the workers
   * (`millrace logs`).
   */
  readonly onOutput?: ((attempt: undefined, bytes: Buffer) => void) | undefined;
  /** Called with a sentence about something odd that is no reason to stop. */
  readonly onWarning?: ((warning: string) => void) | undefined;
  readonly clock?: Clock;
  /** A slot's process that was started early (engine/first-slot.ts). */
  readonly firstSlot?: ChildProcess | undefined;
}

/** An engine of a cluster. `stop` and `close` leave the job alone; `JobHandle.cancel` ends it. */
export interface RemoteEngine extends JobEngine {
  /** The id that the job will have, or has. */
  readonly job: JobId;
}

/**
 * Bundles and describes the job while the connection to the master is made. If connecting fails, that error is thrown.
 * When it fails, it leaves nothing behind and closes the master.
 */
export async function openRemote(options: RemoteOptions): Promise<RemoteEngine> {
  const key = randomId();
  const { module, environment, attempts, onOutput, onWarning, firstSlot, signal, onSlow } = options;
  const [connected, described] = await Promise.allSettled([
    options.master,
    describeInSlot({
      module,
      environment,
      attempts,
      keepsSlot: true,
      isShipped: true,
      onOutput,
      onWarning,
      job: jobIdOf(key),
      firstSlot,
      signal,
      onSlow,
    }),
  ]);
  if (connected.status === "fulfilled" && described.status === "fulfilled")
    return new Remote({ ...options, master: connected.value }, key, described.value);
  if (connected.status === "fulfilled") connected.value.close();
  if (described.status === "fulfilled") described.value.close();
  throw (connected.status === "rejected" ? connected : (described as PromiseRejectedResult)).reason;
}

interface ConnectedOptions extends RemoteOptions {
  readonly master: RemoteMaster;
}

class Remote implements RemoteEngine {
  readonly job: JobId;
  readonly storage: Storage = createStorage();
  readonly destination: string;
  readonly #options: ConnectedOptions;
  readonly #key: string;
  readonly #described: DescribedJob;
  readonly #closing = new AbortController();
  #feed: Feed | undefined;
  /** "under-way": the submission may have arrived, whether or not an answer has come. */
  #submission: "none" | "under-way" | "done" = "none";
  #spooled: string | undefined;

  constructor(options: ConnectedOptions, key: string, described: DescribedJob) {
    this.#options = options;
    this.#key = key;
    this.#described = described;
    this.job = jobIdOf(key);
    this.destination = outputPath(options.output);
  }

  get description(): JobDescription {
    return this.#described.description;
  }

  /** The folder of the job's staged files, beside the output, as the workers must see that anyway. */
  async spoolDirectory(): Promise<string> {
    const parent = dirname(this.destination);
    if (isUrl(this.destination) || !(await isDirectory(parent))) {
      throw new MillraceError(
        "wrong-usage",
        `standard input can't be handed to the cluster: it is written beside the output, and this machine has no directory ${parent}. Write it to a file that the workers can read, and give that`,
      );
    }
    const directory = stagingDirectoryOf(this.destination, this.job);
    this.#spooled = workDirectoryOf(this.destination, this.job);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return directory;
  }

  async submit(options: SubmitOptions): Promise<JobHandle> {
    if (this.#submission !== "none") throw new MillraceError("wrong-usage", "an engine runs one job: open another");
    const { master, module, overwrite, deadLetters, clock = systemClock, address } = this.#options;
    const { bundle, description } = this.#described;
    const { signal: given } = this.#options;
    const signal = given === undefined ? this.#closing.signal : AbortSignal.any([this.#closing.signal, given]);
    const { spec } = await sizedSpec(options, {
      module,
      description,
      bundle: bundle.digest,
      destination: this.destination,
      replaces: undefined, // the master looks at the output itself
      ...(deadLetters !== undefined && { deadLetters: { path: deadLetters, replaces: undefined } }),
      environment: bundle.environment,
      startedAt: clock.date().toISOString(),
      storage: stoppable(this.storage, signal),
      validate: (params) => this.#described.validate(params),
      onUnseen: (why) =>
        this.#options.onWarning?.(`${lowerFirst(why)} That is how it looks here; the workers may see it.`),
    });
    await upload(master.blobs, bundleUpload(bundle.path, bundle.digest), signal);
    for (const { name, path, sha256 } of spec.files)
      await upload(master.blobs, sideFileUpload(name, path, sha256), signal);
    signal.throwIfAborted();
    const job = await this.#deliver({ idempotencyKey: this.#key, spec, overwrite: overwrite ?? false });
    const feed = new Feed({
      master,
      job,
      first: await master.get(job, this.#closing.signal),
      later: `millrace status ${job.slice(0, 8)} --watch --master ${address}`,
    });
    this.#feed = feed;
    return {
      job,
      spec,
      view: () => feed.latest,
      watch: (stop) => feed.watch(stop),
      ended: feed.ended,
      isKept: true, // a master keeps what a failed job has
      cancel: () => master.cancel(job),
      file: () => undefined,
    };
  }

  async #deliver(submission: Submission): Promise<JobId> {
    this.#submission = "under-way";
    try {
      const job = await this.#options.master.submit(submission, this.#closing.signal);
      this.#submission = "done";
      return job;
    } catch (error) {
      const isRefused = error instanceof MillraceError && error.code !== "unreachable" && error.code !== "cancelled";
      if (isRefused) this.#submission = "none";
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#closing.abort();
    this.#feed?.close();
    this.#options.master.close();
  }

  async close(): Promise<void> {
    await this.stop();
    this.#described.close();
    if (this.#spooled !== undefined && this.#submission === "none")
      await rm(this.#spooled, { recursive: true, force: true });
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
