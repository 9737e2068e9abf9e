// Parameters on the caller's side: from words of a command line or values of a program to the JSON that travels with
// the job.
import { held } from "../../base/assert.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { strictJson } from "../../base/value/strict-json.ts";
import type { ParamDefinition } from "../definition.ts";
import type { ParamsDescription } from "../load/describe.ts";
import { checkNames, wrongParams } from "./read.ts";

/**
 * Reads `--param name=value`. With a table every value is read as its type ("3" as a number, "true" as a boolean) and
 * names are checked; with a schema text stays text, and the schema decides. Throws `wrong-params`.
 */
export function paramsFromText(described: ParamsDescription, given: ReadonlyMap<string, string>): string {
  if (described.kind === "schema") return JSON.stringify(Object.fromEntries(given));
  const params = new Map(described.params.map(({ name, ...param }): [string, ParamDefinition] => [name, param]));
  checkNames(params, given);
  return JSON.stringify(
    Object.fromEntries(
      [...given].map(([name, text]) => [name, parseText(name, text, held(params, name, "definition"))]),
    ),
  );
}

/**
 * Reads `run(job, { params })`: refuses what JSON can't carry, and leaves the rest to the slots. Throws `wrong-params`.
 */
export function paramsFromValues(given: unknown): string {
  if (given === undefined) return "{}";
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw wrongParams(`params is an object of parameters by name, not ${excerptOf(given)}`);
  }
  // An undefined property counts as left out, as in all options.
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  try {
    return strictJson(Object.fromEntries(entries), "params");
  } catch (thrown) {
    throw thrown instanceof MillraceError ? wrongParams(thrown.message) : thrown;
  }
}

function parseText(name: string, text: string, param: ParamDefinition): string | number | boolean {
  switch (param.type) {
    case "string":
      return text;
    case "boolean":
      if (text === "true" || text === "false") return text === "true";
      break;
    case "number": {
      const value = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN;
      if (Number.isFinite(value)) return value;
      break;
    }
  }
  const takes = param.type === "boolean" ? "true or false" : "a number";
  throw wrongParams(
    `the parameter ${name} is ${takes}, not ${excerptOf(text)}: give --param ${name}=${param.type === "boolean" ? "true" : "3"}`,
  );
}
