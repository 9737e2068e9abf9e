// Events of `--json` against the schema in the package. Readers skip fields that they don't know, so the schema allows
// more; here a field that it does not name is a mistake.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { z } from "zod";
import { repository } from "./cli.ts";

type Schema = { readonly [name: string]: unknown };

export const eventSchema = JSON.parse(readFileSync(join(repository, "schema/events.schema.json"), "utf8")) as Schema;

/** The same schema, in which objects have the fields that are named, and no others. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const inside = Object.fromEntries(Object.entries(schema).map(([name, each]) => [name, closed(each)]));
  return inside["type"] === "object" && "properties" in inside ? { ...inside, additionalProperties: false } : inside;
}

const validator = z.fromJSONSchema(closed(eventSchema) as Parameters<typeof z.fromJSONSchema>[0]);

/** Why an event is none by the schema; undefined: it is one. */
export function eventProblem(event: unknown): string | undefined {
  const { error } = validator.safeParse(event);
  return error === undefined ? undefined : z.prettifyError(error);
}

/** The events of a stream that holds nothing else, each of them as the schema says. */
export function eventsIn(stream: string | Buffer): Record<string, unknown>[] {
  const lines = stream.toString().split("\n");
  expect(lines.pop(), "behind the last line").toBe("");
  return lines.map((line) => {
    const event = JSON.parse(line) as Record<string, unknown>;
    expect(eventProblem(event), line).toBeUndefined();
    return event;
  });
}
