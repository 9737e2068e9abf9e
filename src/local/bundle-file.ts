// The job's bundle as a file that a slot can load.
import { writeFileSync } from "node:fs";
import { MillraceError, systemCode } from "../base/error.ts";
import { bundleJob } from "../job/bundle.ts";
import type { Bundle } from "../worker/slot.ts";
import type { WorkDirectory } from "../worker/work-directory.ts";

/** What the job's code finds in its environment, wherever it runs: nothing that depends on who started it. */
export function jobEnvironment(given: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  return { TZ: "UTC", LANG: "C.UTF-8", ...given };
}

/** Throws what `bundleJob` throws, `no-space` and `io-error`. */
export async function writeBundle(
  module: string,
  work: WorkDirectory,
  environment: Readonly<Record<string, string>>,
): Promise<Bundle> {
  const { code, digest } = await bundleJob(module);
  try {
    writeFileSync(work.bundle, code, { mode: 0o600 });
  } catch (error) {
    throw new MillraceError(
      systemCode(error) === "ENOSPC" ? "no-space" : "io-error",
      `can't write to the work directory ${work.path}: ${(error as Error).message}. Choose another place with --work-dir`,
      { cause: error },
    );
  }
  return { path: work.bundle, digest, environment };
}
