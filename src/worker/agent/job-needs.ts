// Prepares what a job's attempts need on this machine before the first of them begins: checks that the output is the
// folder that the master sees, and fetches the job's code and side files. This is done once per job, and again only
// where it failed.

import { MillraceError } from "../../base/error.ts";
import type { JobId, WorkerId } from "../../base/ids.ts";
import { GiB, limits, MiB } from "../../base/limits.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { JobSpec } from "../../job/spec.ts";
import { checkProbe } from "../../output/probe.ts";
import type { Blobs } from "../../protocol/services.ts";
import { ContentCache } from "../disk/content-cache.ts";
import type { Bundle } from "../slots/task-slot.ts";

export interface JobNeedsOptions {
  readonly worker: WorkerId;
  readonly blobs: Pick<Blobs, "get">;
  readonly clock: Clock;
  readonly bundles: string;
  readonly files: string;
}

const unusedMs = 7 * 86_400_000;
/** Bytes of bundles, and of side files, that are kept although no job here uses them. */
const bundlesBytesMax = 256 * MiB;
const filesBytesMax = 4 * GiB;
/** A network file system may not show at once what the master has just written. */
const probes = { tries: 3, waitMs: 1000 };

export class JobNeeds {
  readonly #options: JobNeedsOptions;
  readonly #bundles: ContentCache;
  readonly #files: ContentCache;
  readonly #prepared = new Map<JobId, Promise<JobSpec>>();

  constructor(options: JobNeedsOptions) {
    this.#options = options;
    const { blobs, clock } = options;
    this.#bundles = new ContentCache({
      directory: options.bundles,
      suffix: ".mjs",
      blobs,
      clock,
      unusedBytesMax: bundlesBytesMax,
      unusedMs,
      fileBytesMax: limits.bundleBytesMax,
    });
    this.#files = new ContentCache({
      directory: options.files,
      suffix: "",
      blobs,
      clock,
      unusedBytesMax: filesBytesMax,
      unusedMs,
      fileBytesMax: limits.sideFileBytesMax,
    });
  }

  /** Fetches side files. Resolves with the spec as slots get it, with the paths of side files here. */
  async prepare(job: JobId, spec: JobSpec): Promise<JobSpec> {
    let prepared = this.#prepared.get(job);
    if (prepared === undefined) {
      prepared = this.#prepare(job, spec);
      this.#prepared.set(job, prepared);
      prepared.catch(() => this.#prepared.get(job) === prepared && this.#prepared.delete(job));
    }
    return await prepared;
  }

  async bundle(job: JobId, spec: JobSpec): Promise<Bundle> {
    const path = await this.#bundles.get(spec.bundle, job).catch((error) => {
      throw this.#named("the job's code", error);
    });
    return { path, digest: spec.bundle, environment: spec.environment };
  }

  /** Called when the job is over. */
  release(job: JobId): void {
    this.#prepared.delete(job);
    this.#bundles.release(job);
    this.#files.release(job);
  }

  async sweep(): Promise<void> {
    await Promise.all([this.#bundles.sweep(), this.#files.sweep()]);
  }

  async close(): Promise<void> {
    await Promise.all([this.#bundles.close(), this.#files.close()]);
  }

  async #prepare(job: JobId, spec: JobSpec): Promise<JobSpec> {
    await this.#probe(job, spec);
    const files = await Promise.all(
      spec.files.map(async ({ name, sha256 }) => {
        const path = await this.#files.get(sha256, job).catch((error) => {
          throw this.#named(`the side file ${name}`, error);
        });
        return { name, path, sha256 };
      }),
    );
    return { ...spec, files };
  }

  async #probe(job: JobId, spec: JobSpec): Promise<void> {
    const { worker, clock } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        return await checkProbe(spec.output, job, worker);
      } catch (error) {
        if (tries === probes.tries) throw error;
        await clock.sleep(probes.waitMs);
      }
    }
  }

  #named(what: string, error: unknown): MillraceError {
    const code = error instanceof MillraceError ? error.code : "io-error";
    const why = error instanceof Error ? error.message : String(error);
    return new MillraceError(code, `worker ${this.#options.worker} can't get ${what}: ${why}`, { cause: error });
  }
}
