import { didYouMean } from "../../base/closest.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { hasValidate } from "../../base/value/standard-schema.ts";
import { checkName, wrong } from "../check.ts";
import type { ParamDefinition, ParamsDefinition } from "../definition.ts";
import type { StandardSchema } from "../params/params.ts";

const types = ["string", "number", "boolean"] as const;
const properties = ["type", "default", "about"];

/** Parses a job's `params` property: a table or a Standard Schema. Throws `wrong-job`. */
export function parseParams(given: unknown): ParamsDefinition {
  if (given === undefined) return { kind: "table", params: new Map() };
  if (isSchema(given)) return { kind: "schema", schema: given };
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw wrong(`params is an object of parameters by name, or a Standard Schema, not ${excerptOf(given)}`);
  }
  if ("~standard" in given)
    throw wrong('params has a property "~standard" and is not a Standard Schema: there is no function validate in it');
  return {
    kind: "table",
    params: new Map(Object.entries(given).map(([name, param]) => [name, parseParam(name, param)])),
  };
}

/** True for schemas of zod, valibot, arktype (whose schemas are functions) and others. */
export function isSchema(value: unknown): value is StandardSchema {
  return (typeof value === "object" || typeof value === "function") && value !== null && hasValidate(value);
}

function parseParam(name: string, given: unknown): ParamDefinition {
  checkName("a parameter", name);
  if (typeof given !== "object" || given === null) {
    throw wrong(
      `the parameter ${name} is declared by an object such as { type: "number", default: 3 }, not ${excerptOf(given)}`,
    );
  }
  for (const property of Object.keys(given)) {
    if (!properties.includes(property)) {
      throw wrong(
        `the parameter ${name} has no property ${JSON.stringify(property)}${didYouMean(property, properties)}`,
      );
    }
  }
  const { type: typeGiven, default: defaultGiven, about } = given as Readonly<Record<string, unknown>>;
  const type = types.find((word) => word === typeGiven);
  if (type === undefined)
    throw wrong(
      `the parameter ${name} must have the type "string", "number" or "boolean", not ${excerptOf(typeGiven)}`,
    );
  const fits = typeof defaultGiven === type && (type !== "number" || Number.isFinite(defaultGiven));
  if (defaultGiven !== undefined && !fits)
    throw wrong(`the default of the parameter ${name} is not a ${type}: ${excerptOf(defaultGiven)}`);
  if (about !== undefined && typeof about !== "string")
    throw wrong(`about of the parameter ${name} is text, not ${excerptOf(about)}`);
  return { type, default: defaultGiven, about };
}
