import { excerptOf } from "../../base/excerpt.ts";
import { limits } from "../../base/limits.ts";
import type { OutputFormat } from "../../format/format.ts";
import { tsv } from "../../format/table/tsv.ts";
import { checkName, isFormat, isObject, refuseUncalled, wrong } from "../check.ts";
import type { JobDefinition } from "../definition.ts";

/** Parses a job's `output`; `main` comes first in the result. Throws `wrong-job`. */
export function parseOutputs(output: unknown): JobDefinition["outputs"] {
  if (output === undefined) return [{ name: "main", format: tsv() as OutputFormat<unknown> }];
  refuseUncalled("output", output);
  if (isFormat(output, "write")) return [{ name: "main", format: outputFormat("output", output) }];
  if (isFormat(output, "read")) throw wrong("the format given as output can only be read");
  if (!isObject(output))
    throw wrong(
      `output is a format such as tsv(), or an object of formats with main among them, not ${excerptOf(output)}`,
    );
  const names = Object.keys(output);
  if (!names.includes("main")) throw wrong("output has several formats, and one of them must be named main");
  if (names.length > limits.outputsMax)
    throw wrong(`output has ${names.length} formats, and at most ${limits.outputsMax} are allowed`);
  return ["main", ...names.filter((name) => name !== "main")].map((name) => {
    checkName("an output", name);
    refuseUncalled(`output ${name}`, output[name]);
    return { name, format: outputFormat(`output ${name}`, output[name]) };
  });
}

function outputFormat(what: string, value: unknown): OutputFormat<unknown> {
  if (!isFormat(value, "write")) throw wrong(`${what} is not a format that can be written: ${excerptOf(value)}`);
  const { extension } = value as { readonly extension?: unknown };
  if (typeof extension !== "string" || !/^[a-z0-9][a-z0-9.]{0,15}$/i.test(extension)) {
    throw wrong(`${what}: a format's extension is letters and digits, such as "tsv", not ${excerptOf(extension)}`);
  }
  return value as OutputFormat<unknown>;
}
