// Parameters in a task: from the value that is stored with the job to `ctx.params`.
import { didYouMean } from "../../base/closest.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { deepFrozen } from "../../base/value/frozen.ts";
import { autoValue } from "../codecs/auto.ts";
import type { ParamDefinition, ParamsDefinition } from "../definition.ts";

/**
 * The value of `ctx.params`, which is the same in every task and can't be changed. `stored` is what `validateParams`
 * made of the given parameters; undefined for a job that has none.
 */
export function readParams(definition: ParamsDefinition, stored: Uint8Array | undefined): unknown {
  if (stored !== undefined) return deepFrozen(autoValue.read(stored));
  if (definition.kind === "table" && definition.params.size === 0) return Object.freeze({});
  throw wrongParams(
    "the job was submitted without the value of its params, as an earlier version of Millrace did: submit it again",
  );
}

/** Throws `wrong-params` for names that the table does not have, and for required ones that are missing. */
export function checkNames(params: ReadonlyMap<string, ParamDefinition>, given: ReadonlyMap<string, unknown>): void {
  for (const name of given.keys()) {
    if (params.has(name)) continue;
    const those = params.size === 0 ? "it takes none" : `it takes ${[...params.keys()].join(", ")}`;
    throw wrongParams(`the job has no parameter ${JSON.stringify(name)}${didYouMean(name, params.keys())}; ${those}`);
  }
  const missing = [...params].filter(([name, param]) => param.default === undefined && !given.has(name));
  if (missing.length > 0) {
    const wanted = missing.map(
      ([name, { type, about }]) => `${name} (${type}${about === undefined ? "" : `: ${about}`})`,
    );
    throw wrongParams(
      `the job needs ${wanted.join(", ")}: give ${missing.map(([name]) => `--param ${name}=…`).join(" ")}`,
    );
  }
}

/** The parameters with defaults filled in. Throws `wrong-params`. */
export function tableValue(params: ReadonlyMap<string, ParamDefinition>, given: ReadonlyMap<string, unknown>): object {
  checkNames(params, given);
  const values = [...params].map(([name, { type, default: otherwise }]) => {
    if (!given.has(name)) return [name, otherwise] as const;
    const value = given.get(name);
    if (typeof value !== type) throw wrongParams(`the parameter ${name} is a ${type}, not ${excerptOf(value)}`);
    return [name, value] as const;
  });
  return Object.fromEntries(values);
}

/** The error for everything that is wrong with parameters. */
export function wrongParams(message: string): MillraceError {
  return new MillraceError("wrong-params", message);
}
