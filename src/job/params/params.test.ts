import { describe, expect, it } from "vitest";
import { z } from "zod";
import { text } from "../../format/lines/text.ts";
import { defineJob, jobDefinition } from "../define-job.ts";
import type { ParamsDefinition } from "../definition.ts";
import { describeJob } from "../load/describe.ts";
import { parseParams } from "../parse/params.ts";
import { paramsFromText, paramsFromValues } from "./give.ts";
import type { Params } from "./params.ts";
import { readParams } from "./read.ts";
import { validateParams } from "./validate.ts";

function definitionOf(params: Params): {
  readonly definition: ParamsDefinition;
  fromText(given: Record<string, string>): Promise<unknown>;
} {
  const job = jobDefinition(defineJob({ name: "x", input: text(), params, map() {} }));
  // The description travels as JSON: the command line knows the job only by it.
  const described = JSON.parse(JSON.stringify(describeJob(job))) as ReturnType<typeof describeJob>;
  return {
    definition: job.params,
    fromText: async (given) => await read(job.params, paramsFromText(described.params, new Map(Object.entries(given)))),
  };
}

/** Goes through the bytes that are stored with the job. */
async function read(definition: ParamsDefinition, json: string): Promise<unknown> {
  return readParams(definition, await validateParams(definition, json));
}

describe("a table of parameters", () => {
  const { definition, fromText } = definitionOf({
    minLength: { type: "number", default: 3, about: "shortest word" },
    endpoint: { type: "string", about: "where to ask" },
    strict: { type: "boolean", default: false },
  });
  const fromValues = async (given: unknown) => await read(definition, paramsFromValues(given));

  it("reads text by each parameter's type and fills in defaults", async () => {
    expect(await fromText({ endpoint: "3" })).toEqual({ minLength: 3, endpoint: "3", strict: false });
    expect(await fromText({ endpoint: "", minLength: "-1.5e3", strict: "true" })).toEqual({
      minLength: -1500,
      endpoint: "",
      strict: true,
    });
  });

  it("takes values as they are, and undefined for left out", async () => {
    expect(await fromValues({ endpoint: "x", strict: true, minLength: undefined })).toEqual({
      minLength: 3,
      endpoint: "x",
      strict: true,
    });
  });

  it("gives the job what it can't change", async () => {
    expect(Object.isFrozen(await fromText({ endpoint: "" }))).toBe(true);
  });

  it.each<[Record<string, string>, RegExp]>([
    [{}, /the job needs endpoint \(string: where to ask\): give --param endpoint=…/],
    [
      { endpoint: "", minlength: "3" },
      /no parameter "minlength" \(did you mean "minLength"\?\); it takes minLength, endpoint, strict/,
    ],
    [{ endpoint: "", minLength: "three" }, /the parameter minLength is a number, not "three"/],
    [{ endpoint: "", minLength: "" }, /minLength is a number/],
    [{ endpoint: "", minLength: "Infinity" }, /minLength is a number/],
    [{ endpoint: "", minLength: "0x10" }, /minLength is a number/],
    [{ endpoint: "", strict: "yes" }, /the parameter strict is true or false, not "yes"/],
    [JSON.parse('{"endpoint":"","__proto__":"1"}'), /no parameter "__proto__"/],
    [{ endpoint: "", constructor: "1" }, /no parameter "constructor"/],
  ])("refuses the text %j", async (given, message) => {
    await expect(fromText(given)).rejects.toThrow(expect.objectContaining({ code: "wrong-params" }));
    await expect(fromText(given)).rejects.toThrow(message);
  });

  it.each<[unknown, RegExp]>([
    [{}, /needs endpoint/],
    [{ endpoint: 1 }, /the parameter endpoint is a string, not 1/],
    [{ endpoint: "", strict: "true" }, /strict is a boolean, not "true"/],
    [{ endpoint: "", minLength: Number.NaN }, /NaN at \.minLength/],
    [{ endpoint: new Date(0) }, /a Date .*at \.endpoint/],
    [{ endpoint: null }, /endpoint is a string, not null/],
    [7, /params is an object of parameters by name, not 7/],
    [null, /params is an object of parameters by name, not null/],
  ])("refuses the value %j", async (given, message) => {
    await expect(fromValues(given)).rejects.toThrow(expect.objectContaining({ code: "wrong-params" }));
    await expect(fromValues(given)).rejects.toThrow(message);
  });

  it("is empty for a job without params", async () => {
    const none = definitionOf({});
    expect(await none.fromText({})).toEqual({});
    await expect(none.fromText({ a: "1" })).rejects.toThrow(/no parameter "a"; it takes none/);
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

  it("makes of text and values what the schema makes of them", async () => {
    expect(await fromText({ since: "2024-01-01" })).toEqual({ since: new Date("2024-01-01"), n: 3 });
    expect(await read(definition, paramsFromValues({ since: "2024-01-01", n: 4 }))).toEqual({
      since: new Date("2024-01-01"),
      n: 4,
    });
  });

  it("reads text as a number or boolean only where the schema refuses the text", async () => {
    expect(await fromText({ since: "2024", id: "5", n: "5", on: "true" })).toEqual({
      since: new Date("2024"),
      id: "5",
      n: 5,
      on: true,
    });
  });

  it("names what the schema names", async () => {
    await expect(fromText({ n: "five" })).rejects.toThrow(expect.objectContaining({ code: "wrong-params" }));
    await expect(fromText({ n: "five" })).rejects.toThrow(/since: .*n: /);
  });

  const own = (validate: (value: Readonly<Record<string, unknown>>) => unknown) => definitionOf(ownSchema(validate));

  it("waits for one that is asynchronous", async () => {
    expect(await own(async (value) => ({ value })).fromText({ a: "b" })).toEqual({ a: "b" });
    expect(await definitionOf(z.object({ n: z.string().refine(async () => true) })).fromText({ n: "1" })).toEqual({
      n: "1",
    });
    await expect(own(async () => ({ issues: [{ message: "not today" }] })).fromText({})).rejects.toThrow("not today");
  });

  it.each<[string, () => unknown]>([
    ["throws", boom],
    ["rejects", async () => boom()],
  ])("one whose code %s says what, as the job's own error", async (_, validate) => {
    await expect(own(validate).fromText({})).rejects.toMatchObject({
      code: "user-error",
      message: expect.stringContaining("the schema of params throws: TypeError: boom"),
    });
  });

  it("tells an exception in a transform of zod", async () => {
    const schema = z.object({ n: z.string().transform(() => boom()) });
    await expect(definitionOf(schema).fromText({ n: "1" })).rejects.toThrow("TypeError: boom");
  });

  it.each([null, undefined, 7])("is not a Standard Schema where it answers %s", async (answer) => {
    await expect(own(() => answer).fromText({})).rejects.toThrow(/is not a Standard Schema/);
  });

  it("gives nested data, deeply frozen, the same however it is looked at", async () => {
    const value = {
      list: [{ deep: [1] }],
      since: new Date(5),
      salt: Buffer.from("ab"),
      big: 2n ** 70n,
      none: undefined,
    };
    const params = (await own(() => ({ value })).fromText({})) as typeof value;
    expect(params).toEqual({ list: [{ deep: [1] }], since: new Date(5), salt: Uint8Array.of(97, 98), big: 2n ** 70n });
    expect(() => ((params as { since: unknown }).since = 1)).toThrow(TypeError);
    expect(() => params.list.push({ deep: [] })).toThrow(TypeError);
    expect(() => (params.list[0]!.deep[0] = 2)).toThrow(TypeError);
    expect(() => params.since.setTime(6)).toThrow(/setTime of a Date that is shared/);
    expect(() => params.since.setUTCDate(6)).toThrow(TypeError);
    params.salt[0] = 0;
    expect(params.salt[0]).toBe(97);
    const copy = new Date(params.since);
    copy.setTime(6);
    expect([copy.getTime(), params.since.getTime(), structuredClone(params.since).getTime()]).toEqual([6, 5, 5]);
  });

  it.each<[string, unknown, RegExp]>([
    ["a function", { match: () => true }, /a function at \.match/],
    ["a Map", { by: { id: new Map() } }, /a Map .* at \.by\.id/],
    ["a Set", new Set(), /a Set/],
    ["an object of a class", [new URL("http://a")], /an? .*URL.* at \[0\]/],
    ["a regular expression", { re: /x/ }, /a RegExp .* at \.re/],
    ["a promise", { later: Promise.resolve() }, /a promise .* at \.later/],
    ["NaN", { n: Number.NaN }, /NaN at \.n/],
    ["undefined", undefined, /undefined/],
    ["nothing but holes", [undefined], /undefined at \[0\]/],
  ])("refuses what can't be stored with the job: %s", async (_, value, message) => {
    const refused = own(() => ({ value })).fromText({});
    await expect(refused).rejects.toMatchObject({ code: "wrong-params", message: expect.stringMatching(message) });
    await expect(refused).rejects.toThrow(/make it in `setup`/);
  });

  const atLeast3 = z.number("a number please").min(3, "too small");
  const day = z.string("a text please").regex(/^\d{4}-\d\d-\d\d$/, "no day");
  const lettered = (value: Readonly<Record<string, unknown>>) =>
    typeof value["n"] !== "number"
      ? { issues: [{ path: [{ key: "n" }], message: `expected number, received ${JSON.stringify(value["n"])}` }] }
      : value["n"] < 3
        ? { issues: [{ path: ["n"], message: `${value["n"]} is too small` }] }
        : { value };

  it.each<[string, Params, Record<string, string>, string]>([
    ["a number", z.object({ n: atLeast3 }), { n: "2" }, "n: too small"],
    ["a number, in an own schema that quotes", ownSchema(lettered), { n: "2" }, "n: 2 is too small"],
    [
      "a number, with others that are right",
      z.object({ n: atLeast3, day }),
      { n: "2", day: "2024-01-01" },
      "n: too small",
    ],
    ["a text", z.object({ day }), { day: "5" }, "day: no day"],
    ["a text beside a number", z.object({ day, n: atLeast3 }), { day: "5", n: "7" }, "day: no day"],
    ["both", z.object({ day, n: atLeast3 }), { day: "5", n: "2" }, "day: no day; n: too small"],
    ["a boolean", z.object({ on: z.literal(true, "must be on") }), { on: "false" }, "on: must be on"],
    ["neither of them", z.object({ x: z.enum(["a", "b"], "a or b") }), { x: "5" }, "x: a or b"],
    ["no number", z.object({ n: atLeast3 }), { n: "two" }, "n: a number please"],
    ["digits that would be lost", z.object({ n: atLeast3 }), { n: "12345678901234567890" }, "n: a number please"],
  ])("refuses in the words for the value that was meant: %s", async (_, params, given, words) => {
    const message = `the job's schema refuses the parameters: ${words}`;
    await expect(definitionOf(params).fromText(given)).rejects.toMatchObject({ code: "wrong-params", message });
  });

  it("reads a text as a number also where the schema does not say what it refuses, or says one thing at a time", async () => {
    const sullen = own(({ a, b }) =>
      typeof a === "number" && typeof b === "number" ? { value: { a, b } } : { issues: [{ message: "no" }] },
    );
    expect(await sullen.fromText({ a: "1", b: "2" })).toEqual({ a: 1, b: 2 });
    const slow = own(({ a, b }) =>
      typeof a !== "number"
        ? { issues: [{ path: ["a"], message: "no" }] }
        : typeof b !== "number"
          ? { issues: [{ path: ["b"], message: "no" }] }
          : { value: { a, b } },
    );
    expect(await slow.fromText({ a: "1", b: "2" })).toEqual({ a: 1, b: 2 });
  });
});

function boom(): never {
  throw new TypeError("boom");
}

function ownSchema(validate: (value: Readonly<Record<string, unknown>>) => unknown): Params {
  return { "~standard": { version: 1, vendor: "own", validate: validate as (value: unknown) => unknown } };
}

it("params with the name of a Standard Schema and no validate are named as that", () => {
  for (const standard of [null, {}, { version: 1, vendor: "x" }])
    expect(() => parseParams({ "~standard": standard })).toThrow(
      /not a Standard Schema: there is no function validate/,
    );
});
