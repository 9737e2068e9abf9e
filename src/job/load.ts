// A bundle becomes a job, in a slot.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { toHex } from "../base/bytes.ts";
import { MillraceError } from "../base/error.ts";
import { version } from "../base/version.ts";
import * as api from "./api.ts";
import { jobDefinition } from "./define-job.ts";
import type { JobDefinition } from "./definition.ts";
import { importModule } from "./import-module.ts";
import { describeThrown } from "./thrown.ts";

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

/** Puts what a bundle's `import … from "millrace"` reads where it reads it. May be repeated. */
export function installMillrace(globalObject: object = globalThis): void {
  Object.defineProperty(globalObject, Symbol.for("millrace"), { value: slotApi, configurable: true });
}

/**
 * Imports the bundle at `path` once its SHA-256 (hexadecimal) is right, with source maps on; `installMillrace` comes first.
 * Throws `io-error` for a damaged file (retry elsewhere), and `wrong-job` when the module throws or its default export is no job.
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
  const module = await imported(path);
  if (!("default" in module)) {
    throw new MillraceError("wrong-job", "the job file has no default export: write export default defineJob({ … })");
  }
  return jobDefinition(module["default"], "the job file's default export");
}

async function imported(path: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await importModule(pathToFileURL(path).href);
  } catch (thrown) {
    if (thrown instanceof MillraceError) throw thrown; // by defineJob: it says what is wrong
    const { message, stack } = describeThrown(thrown);
    const frames = stack === undefined ? "" : `\n${stack.replace(/^/gm, "  ")}`;
    throw new MillraceError("wrong-job", `the job file throws while it is loaded: ${message}${frames}`, {
      cause: thrown,
    });
  }
}
