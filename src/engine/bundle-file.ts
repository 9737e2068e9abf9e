// Writes the job's bundle to a file that a slot can load.
import { writeFileSync } from "node:fs";
import { MillraceError, systemCode } from "../base/error.ts";
import { bundleJob } from "../job/load/bundle.ts";
import type { WorkDirectory } from "../worker/disk/work-directory.ts";
import { slotVariables } from "../worker/slots/process.ts";
import type { Bundle } from "../worker/slots/task-slot.ts";

/**
 * The environment that the job's code sees, wherever it runs. Nothing in it depends on the user who started the job.
 */
export function jobEnvironment(given: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  return { TZ: "UTC", LANG: "C.UTF-8", ...given };
}

export interface BundleOptions {
  readonly module: string;
  readonly work: WorkDirectory;
  readonly environment: Readonly<Record<string, string>>;
  /** Whether the bundle goes to other machines, so that nothing may stay outside of it. Default: it does not. */
  readonly isShipped?: boolean | undefined;
  /** Called with a sentence about something odd that is no reason to stop. */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

/** Names that no warning is given for: those that a slot has itself, and those that packages commonly ask for. */
const notNamed: ReadonlySet<string> = new Set([
  ...Object.keys(jobEnvironment(undefined)),
  ...slotVariables,
  "NODE_ENV",
]);
const namedMax = 8;

/**
 * A warning when the job reads variables that are set for the caller and not passed on: they are undefined in a slot.
 */
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
  const [they, are, them] = missing.length === 1 ? ["it", "is", "it"] : ["they", "are", "them"];
  return `the job reads ${shown.join(", ")}${more} from its environment, but ${they} ${are} set only in yours: pass ${them} on with ${shown.map((name) => `--env ${name}`).join(" ")}`;
}

/** Machine code is made for one kind of machine, and stands at a path that only this one has. */
function notShipped(outside: readonly string[]): MillraceError {
  const shown = outside.slice(0, namedMax);
  const more = outside.length > shown.length ? ` and ${outside.length - shown.length} more` : "";
  return new MillraceError(
    "wrong-job",
    `the job loads native addons, which can't be shipped to the workers of a cluster: ${shown.join(", ")}${more}. Run it on one machine (--master none), or use a package in JavaScript or WebAssembly`,
  );
}

/** Throws what `bundleJob` throws, `no-space` and `io-error`. */
export async function writeBundle(options: BundleOptions): Promise<Bundle> {
  const { module, work, environment, isShipped = false, onWarning } = options;
  const { code, digest, unbundled, outside, environmentReads } = await bundleJob(module);
  if (isShipped && outside.length > 0) throw notShipped(outside);
  for (const text of unbundled) onWarning?.(text);
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
