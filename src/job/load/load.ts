// Makes a bundle into a job, in a slot.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { toHex } from "../../base/bytes/bytes.ts";
import { MillraceError } from "../../base/error.ts";
import { meaningOf } from "../../base/error-codes.ts";
import { version } from "../../base/version.ts";
import * as api from "../api.ts";
import { jobDefinition } from "../define-job.ts";
import type { JobDefinition } from "../definition.ts";
import { bundleLoadedFrom, describeThrown, isOurs } from "../thrown.ts";
import { describeJob, type JobDescription } from "./describe.ts";
import { importModule } from "./import-module.ts";

const slotApi = Object.freeze({
  ...api,
  version,
  run(): never {
    throw new MillraceError(
      "wrong-job",
      "a job module must not call run: it is loaded in every slot, and each would run the job again. Call run in a module of its own that imports the job",
    );
  },
});

/** Installs the exports that a bundle's `import … from "millrace"` reads. May be repeated. */
export function installMillrace(globalObject: object = globalThis): void {
  Object.defineProperty(globalObject, Symbol.for("millrace"), { value: slotApi, configurable: true });
}

/**
 * Imports the bundle at `path`, with source maps on, after checking its SHA-256 (hexadecimal). Call `installMillrace`
 * first. Throws `io-error` for a damaged file (retry elsewhere), and `wrong-job` when the module throws or its default
 * export is no job.
 */
export async function loadJob(path: string, digest: string): Promise<JobDefinition> {
  let found: string;
  try {
    found = toHex(
      createHash("sha256")
        .update(await readFile(path))
        .digest(),
    );
  } catch (error) {
    throw new MillraceError("io-error", `the job's bundle can't be read: ${(error as Error).message}`, {
      retry: "elsewhere",
      cause: error,
    });
  }
  if (found !== digest) {
    throw new MillraceError("io-error", `the job's bundle ${path} is damaged: its SHA-256 is ${found}, not ${digest}`, {
      retry: "elsewhere",
    });
  }
  process.setSourceMapsEnabled(true);
  bundleLoadedFrom(path);
  try {
    const module = await importModule(pathToFileURL(path).href);
    if (!("default" in module)) {
      throw new MillraceError("wrong-job", "the job file has no default export: write export default defineJob({ … })");
    }
    return jobDefinition(module["default"], "the job file's default export");
  } catch (thrown) {
    throw placed("the job file throws while it is loaded", thrown);
  }
}

/**
 * `describeJob` in a slot, where the job's getters and its formats' headers may throw, or return something that can't
 * travel.
 */
export function describeLoaded(job: JobDefinition): JobDescription {
  try {
    return JSON.parse(JSON.stringify(describeJob(job))) as JobDescription;
  } catch (thrown) {
    throw placed(`the job ${job.name} throws when it is asked what it is`, thrown);
  }
}

const messageCharactersMax = 1_000;

/** Adds the lines of the job's own sources. Errors of `defineJob` say by themselves what is wrong. */
function placed(what: string, thrown: unknown): MillraceError {
  const { message: whole, stack } = describeThrown(thrown);
  // The lines follow the message, and both are shortened together where they are shown.
  const message = whole.length <= messageCharactersMax ? whole : `${whole.slice(0, messageCharactersMax)}…`;
  const frames = stack === undefined ? "" : `\n${stack.replace(/^/gm, "  ")}`;
  // Whatever the job throws, it throws everywhere. So no machine is at fault, even where the error's code says so.
  const code = isOurs(thrown) && meaningOf(thrown.code).failure !== "machine" ? thrown.code : "wrong-job";
  return new MillraceError(code, `${isOurs(thrown) ? message : `${what}: ${message}`}${frames}`, { cause: thrown });
}
