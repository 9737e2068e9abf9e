// Validates parameters once, before the job is stored. The result is stored with the job, so that a computed default,
// and whatever else a schema does, gives the same value in all tasks.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { limits } from "../../base/limits.ts";
import type { Codec } from "../codec.ts";
import { paramsCodec } from "../codecs/auto.ts";
import type { ParamsDefinition } from "../definition.ts";
import type { ParamsDescription } from "../load/describe.ts";
import { tableValue, wrongParams } from "./read.ts";
import { schemaValue } from "./schema.ts";

/**
 * The value of the parameters, encoded by the `auto` codec; undefined for a job that has none. `json` is an object by
 * name, as `paramsFromText` or `paramsFromValues` made it. Runs the code of a schema, and waits for an asynchronous
 * one. Throws `wrong-params` for refused parameters and for a value that can't be stored, `user-error` when a schema's
 * code throws.
 */
export async function validateParams(definition: ParamsDefinition, json: string): Promise<Uint8Array | undefined> {
  if (definition.kind === "schema") return stored(await schemaValue(definition.schema, givenOf(json)));
  return tableOf(definition.params, json);
}

/** Does the same for a table, without the job's code. */
export function validateTable(
  { params }: Extract<ParamsDescription, { readonly kind: "table" }>,
  json: string,
): Uint8Array | undefined {
  return tableOf(new Map(params.map(({ name, ...param }) => [name, param])), json);
}

function tableOf(params: Parameters<typeof tableValue>[0], json: string): Uint8Array | undefined {
  const value = tableValue(params, givenOf(json));
  return params.size === 0 ? undefined : stored(value);
}

function givenOf(json: string): Map<string, unknown> {
  const given: unknown = JSON.parse(json);
  if (typeof given === "object" && given !== null && !Array.isArray(given)) return new Map(Object.entries(given));
  throw wrongParams(`params is an object of parameters by name, not ${excerptOf(given)}`);
}

function stored(value: unknown): Uint8Array {
  const out = new ByteBuffer(256);
  try {
    (paramsCodec as Codec<unknown>).write(value, out);
  } catch (thrown) {
    throw thrown instanceof MillraceError ? wrongParams(thrown.message) : thrown;
  }
  if (out.length <= limits.paramsBytesMax) return out.copy();
  throw new MillraceError(
    "over-limit",
    `the value of the job's params has ${out.length} bytes, and at most ${limits.paramsBytesMax} are stored with a job: make it in setup, or use a side file`,
  );
}
