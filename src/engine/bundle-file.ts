// The job's bundle as a file that a slot can load.
import { writeFileSync } from "node:fs";
import { MillraceError, systemCode } from "../base/error.ts";
import { bundleJob } from "../job/load/bundle.ts";
import type { WorkDirectory } from "../worker/disk/work-directory.ts";
import { slotVariables } from "../worker/slots/process.ts";
import type { Bundle } from "../worker/slots/slot.ts";

/** What the job's code finds in its environment, wherever it runs: nothing that depends on who started it. */
export function jobEnvironment(given: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  return { TZ: "UTC", LANG: "C.UTF-8", ...given };
}

export interface BundleOptions {
  readonly module: string;
  readonly work: WorkDirectory;
  readonly environment: Readonly<Record<string, string>>;
  /** What is odd and no reason to stop, as a sentence. */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

/** What a slot has of its own, and what packages and jobs ask for as a matter of course. */
const notNamed: ReadonlySet<string> = new Set([
  ...Object.keys(jobEnvironment(undefined)),
  ...slotVariables,
  "NODE_ENV",
]);
const namedMax = 8;

/** The job reads names that are set for the caller: without a word they would be undefined there. */
export function notPassed(
  names: readonly string[],
  given: Readonly<Record<string, string>>,
  callers: Readonly<NodeJS.ProcessEnv>,
): string | undefined {
  const missing = names.filter((name) => {
    return callers[name] !== undefined && !Object.hasOwn(given, name) && !notNamed.has(name);
  });
  if (missing.length === 0) return undefined;
  const shown = missing.slice(0, namedMax);
  const more = missing.length > shown.length ? ` and ${missing.length - shown.length} more` : "";
  const [what, is] = missing.length === 1 ? ["which is set here and", "is"] : ["which are set here and", "are"];
  return `the job reads ${shown.join(", ")}${more} from its environment, ${what} ${is} undefined there: pass ${missing.length === 1 ? "it" : "them"} on with ${shown.map((name) => `--env ${name}`).join(" ")}`;
}

/** Throws what `bundleJob` throws, `no-space` and `io-error`. */
export async function writeBundle({ module, work, environment, onWarning }: BundleOptions): Promise<Bundle> {
  const { code, digest, environmentReads } = await bundleJob(module);
  const warning = notPassed(environmentReads, environment, process.env);
  if (warning !== undefined) onWarning?.(warning);
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
