// Parameters in a task: from the JSON that travels with the job to what `ctx.params` shows.
import { didYouMean } from "../base/closest.ts";
import { MillraceError } from "../base/error.ts";
import { excerptOf } from "../base/excerpt.ts";
import type { ParamDefinition, ParamsDefinition } from "./definition.ts";
import type { StandardSchema } from "./params.ts";

/**
 * What `ctx.params` shows: with a table of parameters a frozen object with defaults filled in, with a schema what it made of
 * them. `json` is an object by name, as `paramsFromText` or `paramsFromValues` made it. Throws `wrong-params`.
 */
export function readParams(definition: ParamsDefinition, json: string): unknown {
  const given: unknown = JSON.parse(json);
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw wrongParams(`params is an object of parameters by name, not ${excerptOf(given)}`);
  }
  const byName = new Map<string, unknown>(Object.entries(given));
  return definition.kind === "table" ? readTable(definition.params, byName) : readSchema(definition.schema, byName);
}

/** Throws `wrong-params` for names that the table does not have, and for those that it wants and misses. */
export function checkNames(params: ReadonlyMap<string, ParamDefinition>, given: ReadonlyMap<string, unknown>): void {
  for (const name of given.keys()) {
    if (params.has(name)) continue;
    const those = params.size === 0 ? "the job has none" : `there are ${[...params.keys()].join(", ")}`;
    throw wrongParams(`the job has no parameter ${JSON.stringify(name)}${didYouMean(name, params.keys())}; ${those}`);
  }
  const missing = [...params].filter(([name, param]) => param.default === undefined && !given.has(name));
  if (missing.length > 0) {
    const wanted = missing.map(
      ([name, { type, about }]) => `${name} (${type}${about === undefined ? "" : `: ${about}`})`,
    );
    throw wrongParams(
      `the job wants ${wanted.join(", ")}: give ${missing.map(([name]) => `--param ${name}=…`).join(" ")}`,
    );
  }
}

/** For all that is wrong with parameters. */
export function wrongParams(message: string): MillraceError {
  return new MillraceError("wrong-params", message);
}

function readTable(params: ReadonlyMap<string, ParamDefinition>, given: ReadonlyMap<string, unknown>): object {
  checkNames(params, given);
  const values = [...params].map(([name, { type, default: otherwise }]) => {
    if (!given.has(name)) return [name, otherwise] as const;
    const value = given.get(name);
    if (typeof value !== type) throw wrongParams(`the parameter ${name} is a ${type}, not ${excerptOf(value)}`);
    return [name, value] as const;
  });
  return Object.freeze(Object.fromEntries(values));
}

/**
 * A schema does not say of which type its parameters are, and the command line gives text: where the schema refuses a
 * parameter's text that is a JSON number, true or false, it is asked again with that instead.
 */
function readSchema(schema: StandardSchema, given: ReadonlyMap<string, unknown>): unknown {
  const first = validate(schema, Object.fromEntries(given));
  if (first.issues === undefined) return first.value;
  const refused = new Set(first.issues.map(({ path }) => path[0]));
  const converted = new Map(given);
  for (const [name, value] of given) {
    if (refused.has(name) && typeof value === "string" && /^(?:true|false|-?\d[\d.eE+-]*)$/.test(value)) {
      converted.set(name, jsonOr(value));
    }
  }
  const second = validate(schema, Object.fromEntries(converted));
  if (second.issues === undefined) return second.value;
  const lines = first.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.join(".")}: ${message}`,
  );
  throw wrongParams(`the job's schema refuses the parameters: ${lines.join("; ")}`);
}

interface Validated {
  readonly value: unknown;
  readonly issues: readonly { readonly path: readonly string[]; readonly message: string }[] | undefined;
}

/** One call of a Standard Schema, whose result is not trusted to be of any shape. */
function validate(schema: StandardSchema, value: unknown): Validated {
  const result: unknown = schema["~standard"].validate(value);
  if (result instanceof Promise) {
    result.catch(() => {}); // not wanted any more
    throw wrongParams("the schema of params validates asynchronously; do that in setup");
  }
  const { value: output, issues } = result as { readonly value?: unknown; readonly issues?: unknown };
  if (!Array.isArray(issues)) return { value: output, issues: undefined };
  return {
    value: undefined,
    issues: issues.slice(0, 10).map((issue: { readonly message?: unknown; readonly path?: unknown }) => ({
      message: String(issue.message),
      path: Array.isArray(issue.path) ? issue.path.map(stepOf) : [],
    })),
  };
}

/** A step is a key, or an object that holds one. */
function stepOf(step: unknown): string {
  return String(typeof step === "object" && step !== null && "key" in step ? step.key : step);
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
