import { held } from "../../base/assert.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { JobSpec } from "../../job/spec.ts";
import { createStorage } from "../../storage/any.ts";
import type { ReplayOptions } from "../../task/replay/record.ts";
import { printable } from "../screen/error-text.ts";
import { readable } from "./readable.ts";

/** The environment that a slot would give the task, without its files. What the job logs goes to standard error. */
export function environmentOf(job: JobDefinition, spec: JobSpec): ReplayOptions["env"] {
  const paths = new Map(spec.files.map(({ name, path }) => [name, path]));
  return {
    job,
    storage: createStorage(),
    status: { write() {} },
    signal: new AbortController().signal,
    file: (name) => held(paths, name, "path"),
    log: (message, fields) => {
      const more = fields === undefined ? "" : ` ${readable(fields, { oneLine: true })}`;
      process.stderr.write(`log  ${printable(message)}${more}\n`);
    },
  };
}
