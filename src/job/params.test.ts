import { describe, expect, it } from "vitest";
import { z } from "zod";
import { text } from "../format/text.ts";
import { defineJob, jobDefinition } from "./define-job.ts";
import type { ParamsDefinition } from "./definition.ts";
import { describeJob } from "./describe.ts";
import { paramsFromText, paramsFromValues } from "./give-params.ts";
import type { Params } from "./params.ts";
import { readParams } from "./read-params.ts";

function definitionOf(params: Params): {
  readonly definition: ParamsDefinition;
  fromText(given: Record<string, string>): unknown;
} {
  const job = jobDefinition(defineJob({ name: "x", input: text(), params, map() {} }));
  // As it travels: the command line knows the job by its description only.
  const described = JSON.parse(JSON.stringify(describeJob(job))) as ReturnType<typeof describeJob>;
  return {
    definition: job.params,
    fromText: (given) => readParams(job.params, paramsFromText(described.params, new Map(Object.entries(given)))),
  };
}

describe("a table of parameters", () => {
  const { definition, fromText } = definitionOf({
    minLength: { type: "number", default: 3, about: "shortest word" },
    endpoint: { type: "string", about: "where to ask" },
    strict: { type: "boolean", default: false },
  });
  const fromValues = (given: unknown) => readParams(definition, paramsFromValues(given));

  it("reads text by each parameter's type and fills in defaults", () => {
    expect(fromText({ endpoint: "3" })).toEqual({ minLength: 3, endpoint: "3", strict: false });
    expect(fromText({ endpoint: "", minLength: "-1.5e3", strict: "true" })).toEqual({
      minLength: -1500,
      endpoint: "",
      strict: true,
    });
  });

  it("takes values as they are, and undefined for left out", () => {
    expect(fromValues({ endpoint: "x", strict: true, minLength: undefined })).toEqual({
      minLength: 3,
      endpoint: "x",
      strict: true,
    });
  });

  it("gives the job what it can't change", () => {
    expect(Object.isFrozen(fromText({ endpoint: "" }))).toBe(true);
  });

  it.each<[Record<string, string>, RegExp]>([
    [{}, /the job wants endpoint \(string: where to ask\): give --param endpoint=…/],
    [
      { endpoint: "", minlength: "3" },
      /no parameter "minlength" \(did you mean "minLength"\?\); there are minLength, endpoint, strict/,
    ],
    [{ endpoint: "", minLength: "three" }, /the parameter minLength is a number, not "three"/],
    [{ endpoint: "", minLength: "" }, /minLength is a number/],
    [{ endpoint: "", minLength: "Infinity" }, /minLength is a number/],
    [{ endpoint: "", minLength: "0x10" }, /minLength is a number/],
    [{ endpoint: "", strict: "yes" }, /the parameter strict is true or false, not "yes"/],
    [JSON.parse('{"endpoint":"","__proto__":"1"}'), /no parameter "__proto__"/],
    [{ endpoint: "", constructor: "1" }, /no parameter "constructor"/],
  ])("refuses the text %j", (given, message) => {
    expect(() => fromText(given)).toThrow(expect.objectContaining({ code: "wrong-params" }));
    expect(() => fromText(given)).toThrow(message);
  });

  it.each<[unknown, RegExp]>([
    [{}, /wants endpoint/],
    [{ endpoint: 1 }, /the parameter endpoint is a string, not 1/],
    [{ endpoint: "", strict: "true" }, /strict is a boolean, not "true"/],
    [{ endpoint: "", minLength: Number.NaN }, /NaN at \.minLength/],
    [{ endpoint: new Date(0) }, /a Date .*at \.endpoint/],
    [{ endpoint: null }, /endpoint is a string, not null/],
    [7, /params is an object of parameters by name, not 7/],
    [null, /params is an object of parameters by name, not null/],
  ])("refuses the value %j", (given, message) => {
    expect(() => fromValues(given)).toThrow(expect.objectContaining({ code: "wrong-params" }));
    expect(() => fromValues(given)).toThrow(message);
  });

  it("is empty for a job without params", () => {
    const none = definitionOf({});
    expect(none.fromText({})).toEqual({});
    expect(() => none.fromText({ a: "1" })).toThrow(/no parameter "a"; the job has none/);
  });
});

describe("a schema of parameters", () => {
  const { definition, fromText } = definitionOf(
    z.object({
      since: z.string().transform((day) => new Date(day)),
      n: z.number().default(3),
      on: z.boolean().optional(),
      id: z.string().optional(),
    }),
  );

  it("makes of text and values what the schema makes of them", () => {
    expect(fromText({ since: "2024-01-01" })).toEqual({ since: new Date("2024-01-01"), n: 3 });
    expect(readParams(definition, paramsFromValues({ since: "2024-01-01", n: 4 }))).toEqual({
      since: new Date("2024-01-01"),
      n: 4,
    });
  });

  it("reads text as a number or boolean only where the schema refuses the text", () => {
    expect(fromText({ since: "2024", id: "5", n: "5", on: "true" })).toEqual({
      since: new Date("2024"),
      id: "5",
      n: 5,
      on: true,
    });
  });

  it("names what the schema names", () => {
    expect(() => fromText({ n: "five" })).toThrow(expect.objectContaining({ code: "wrong-params" }));
    expect(() => fromText({ n: "five" })).toThrow(/since: .*n: /);
  });

  it("refuses to wait", () => {
    const slow = definitionOf({ "~standard": { version: 1, vendor: "test", validate: async (value) => ({ value }) } });
    expect(() => slow.fromText({})).toThrow(/validates asynchronously/);
  });
});
