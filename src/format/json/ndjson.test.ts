import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { formatConformance, readAll, writeAll } from "../../../test/conformance/format.ts";
import type { JsonValue } from "../../job/codec.ts";
import { bigint } from "../../job/codecs/bigint.ts";
import { bool } from "../../job/codecs/bool.ts";
import { date } from "../../job/codecs/date.ts";
import { nullable } from "../../job/codecs/nullable.ts";
import { float64, int, uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import type { StandardSchema } from "../../job/params/params.ts";
import type { Columns } from "../../job/table.ts";
import { BadRecord, type Format } from "../format.ts";
import { ndjson } from "./ndjson.ts";

const own = (name: string, value: JsonValue): JsonValue => Object.fromEntries([[name, value]]);

describe("ndjson()", () => {
  formatConformance({
    format: ndjson(),
    samples: [
      {
        name: "values of all kinds",
        content: '{"a":[1,{"b":null}]}\r\n"é"\n 12.5 \ntrue\nnull',
        records: [{ a: [1, { b: null }] }, "é", 12.5, true, null],
        starts: [0, 22, 27, 34, 39],
      },
      { name: "blank lines, which are no records", content: "\n1\n \t\r\n\n2\n\n", records: [1, 2], starts: [1, 8] },
      { name: "an empty file (fault 70)", content: "", records: [] },
      {
        name: "names that objects have anyway (fault 81)",
        content: '{"__proto__":1}\n',
        records: [own("__proto__", 1)],
      },
    ],
    written: {
      records: fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)) as null),
    },
  });

  it("refuses a line that is not JSON with its place, and can go on behind it", async () => {
    const bad = await readAll(ndjson(), Buffer.from('{"a":1}\n{"a":\n{"a":2}\n')).catch((error: unknown) => error);
    expect(bad).toBeInstanceOf(BadRecord);
    expect(bad).toMatchObject({ start: 8, end: 14 });
    expect((bad as BadRecord).message).toMatch(/^the line is not JSON: /);
  });

  it.each([
    [{ a: [1, { b: undefined }] }, /undefined at \.a\[1\]\.b/],
    [{ when: new Date(0) }, /\.when/],
    [new Map(), /Map/],
    [Number.NaN, /NaN/],
    [{ n: 1n }, /1n at \.n/],
    [{ f() {} }, /function at \.f/],
    [[["\ud800"]], undefined],
    [{ toJSON: () => 1 }, /toJSON/],
  ])("refuses to write %o, naming the place, or writes it without loss (fault 82)", async (record, message) => {
    if (message === undefined) {
      const bytes = writeAll(ndjson(), [record as object]);
      expect((await readAll(ndjson(), bytes)).records).toEqual([record]);
    } else expect(() => writeAll(ndjson(), [record as object])).toThrow(message);
  });

  it("refuses to write what contains itself", () => {
    const cycle: { self?: object } = {};
    cycle.self = cycle;
    expect(() => writeAll(ndjson(), [cycle])).toThrow(/contains itself/);
  });
});

describe("ndjson(schema)", () => {
  const schema = z.object({ id: z.string(), at: z.iso.datetime().transform((at) => new Date(at)) });

  it("reads what the schema makes of a line, and writes without change", async () => {
    const bytes = writeAll(ndjson(schema), [{ id: "a", at: "2024-01-01T00:00:00Z" }]);
    expect((await readAll(ndjson(schema), bytes)).records).toEqual([{ id: "a", at: new Date("2024-01-01") }]);
  });

  it("refuses what does not match, with the schema's own words and the record's place", async () => {
    const bytes = Buffer.from('{"id":"a","at":"2024-01-01T00:00:00Z"}\n{"id":5,"at":"soon"}\n');
    const bad = await readAll(ndjson(schema), bytes).catch((error: unknown) => error);
    expect(bad).toMatchObject({ start: 39, end: 60 });
    expect((bad as BadRecord).message).toMatch(/does not match its schema \(zod\): id: .*string.*; at: /);
  });

  const ownSchema = (validate: (value: unknown) => unknown) =>
    ndjson({ "~standard": { version: 1, vendor: "own", validate } } as StandardSchema);

  it.each<[string, Format<unknown>]>([
    ["of zod, that passes", ndjson(z.string().refine(async () => true))],
    ["of zod, that refuses", ndjson(z.string().refine(async () => false))],
    ["that resolves", ownSchema(async (value) => ({ value }))],
    ["that never settles", ownSchema(() => new Promise(() => {}))],
  ])("an asynchronous schema %s is the job's error, and no bad record", async (_, format) => {
    for (const line of ['"a"\n', '"\xff"\n"a"\n']) {
      const thrown = await readAll(format as never, Buffer.from(line, "latin1")).catch((error: unknown) => error);
      if (line.startsWith('"a'))
        expect(thrown).toMatchObject({
          code: "wrong-job",
          message: expect.stringContaining("can't be used for records"),
        });
      else expect(thrown).toBeInstanceOf(BadRecord);
    }
  });

  it.each<[string, (boom: () => never) => Format<unknown>]>([
    ["zod", (boom) => ndjson(z.object({ id: z.number().transform((id) => (id === 2 ? boom() : id)) }))],
    ["a refinement of zod", (boom) => ndjson(z.object({ id: z.number() }).refine(({ id }) => id !== 2 || boom()))],
    ["a schema that throws", (boom) => ownSchema((value) => ((value as { id: number }).id === 2 ? boom() : { value }))],
    [
      "a schema that rejects",
      (boom) => ownSchema((value) => ((value as { id: number }).id === 2 ? Promise.resolve().then(boom) : { value })),
    ],
  ])("an exception in %s is that exception, at its record, behind which reading may go on", async (_, formatOf) => {
    const boom = new TypeError("boom in transform");
    const format = formatOf(() => {
      throw boom;
    });
    const bytes = Buffer.from('{"id":1}\n{"id":2}\n{"id":3}\n');
    const bad = (await readAll(format as never, bytes).catch((error: unknown) => error)) as BadRecord;
    expect(bad).toBeInstanceOf(BadRecord);
    expect(bad).toMatchObject({ start: 9, end: 18, message: "boom in transform" });
    expect(bad.by?.thrown).toBe(boom);
  });

  it("a check that throws once is asked again, as map would be", async () => {
    let calls = 0;
    const format = ownSchema((value) => {
      if (calls++ === 0) throw new Error("not the first time");
      return { value };
    });
    expect((await readAll(format as never, Buffer.from('"a"\n'))).records).toEqual(["a"]);
  });

  it("what is no answer of a schema is the job's error", async () => {
    const none = readAll(ownSchema(() => undefined) as never, Buffer.from("1\n"));
    await expect(none).rejects.toMatchObject({
      code: "wrong-job",
      message: expect.stringContaining("is not a Standard Schema"),
    });
    await expect(readAll(ownSchema(() => ({ issues: [] })) as never, Buffer.from("1\n"))).rejects.toThrow(
      /gives no reason/,
    );
  });

  it("refuses what is neither a schema nor fields", () => {
    expect(() => ndjson({} as unknown as { fields: Columns })).toThrow(/Standard Schema/);
    expect(() => ndjson({ fields: { id: {} as unknown as typeof utf8 } })).toThrow(/codec with a text form/);
  });
});

describe("ndjson({ fields })", () => {
  const fields = { id: utf8, n: uint, big: bigint, at: date, ok: bool, x: float64, maybe: nullable(int) };
  formatConformance({
    format: ndjson({ fields }),
    samples: [
      {
        name: "only the declared fields, in any order",
        content:
          '{"ok":true,"other":{"id":[1,"}"]},"x":-1.5e3,"n":7,"big":12,"id":"a\\"\\u00e9","at":"2024-01-01"}\n{ "id" : "ж" , "n":0,"big":"-9007199254740993","at":"2024-01-01T00:00:00.5Z","ok":false,"x":0,"maybe":-3,"id2":"" }\n',
        records: [
          { id: 'a"é', n: 7, big: 12n, at: new Date("2024-01-01"), ok: true, x: -1500, maybe: null },
          { id: "ж", n: 0, big: -9007199254740993n, at: new Date(1704067200500), ok: false, x: 0, maybe: -3 },
        ],
      },
    ],
    written: {
      records: fc.record({
        id: fc.string({ unit: "grapheme" }),
        n: fc.maxSafeNat(),
        big: fc.bigInt(),
        at: fc.date({ noInvalidDate: true, min: new Date("0000-01-01"), max: new Date("9999-12-31") }),
        ok: fc.boolean(),
        x: fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0),
        maybe: fc.option(fc.maxSafeInteger()),
      }),
    },
  });

  const read = async (line: string, columns: Columns) =>
    (await readAll(ndjson({ fields: columns }), Buffer.from(line))).records[0];

  it.each([
    ['{"n":"7"}', { n: uint }, /wrong type: "7"/],
    ['{"n":7.5}', { n: uint }, /field "n": uint reads/],
    ['{"n":null}', { n: uint }, /field "n" is null; nullable/],
    ["{}", { n: uint }, /field "n" is missing/],
    ["{}", { n: utf8 }, /field "n" is missing/],
    ['{"amuont":1}', { amount: uint }, /field "amount" is missing \(did you mean "amuont"\?\); nullable/],
    ['{"b":"\\u0041","Amount":1}\r', { b: utf8, amount: uint }, /"amount" is missing \(did you mean "Amount"\?\)/],
    ["9007199254740993", { n: uint }, /not a JSON object/],
    ['{"n":9007199254740993}', { n: uint }, /uint reads .*\(bigint takes all integers\), not "9007199254740993"/],
    ['{"n":-9007199254740993}', { n: int }, /int reads .*\(bigint takes all integers\)/],
    ['{"n":5}', { n: utf8 }, /wrong type: 5/],
    ['{"n":"true"}', { n: bool }, /wrong type/],
    ['{"n":true}', { n: utf8 }, /wrong type/],
    ['{"n":[]}', { n: utf8 }, /wrong type/],
    ['{"n":12345678901234567890}', { n: uint }, /uint reads/],
    ['{"n":"2024-02-30"}', { n: date }, /day that exists/],
    ["[1]", { n: uint }, /not a JSON object/],
    ["7", { n: uint }, /not a JSON object/],
    ['{"n":7', { n: uint }, /not JSON/],
    ['{"n":07}', { n: uint }, /not JSON/],
    ['{"n":7}}', { n: uint }, /not JSON/],
    ['{"n":7} x', { n: uint }, /not JSON/],
    ['{"n":7,}', { n: uint }, /not JSON/],
    ['{"n":7 "m":8}', { n: uint }, /not JSON/],
    ['{"n":"a\tb"}', { n: utf8 }, /not JSON/],
    ['{"n":+7}', { n: int }, /not JSON/],
    ['{"n":.5}', { n: float64 }, /not JSON/],
    ['{"n":5.}', { n: float64 }, /not JSON/],
    ['{"n":Infinity}', { n: float64 }, /not JSON/],
    ["{n:7}", { n: uint }, /not JSON/],
  ])("refuses %j", async (line, columns, message) => {
    await expect(read(line, columns)).rejects.toThrow(message);
  });

  it("finds in any JSON object what JSON.parse finds there, whatever its layout", async () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.string({ unit: fc.constantFrom('"', "\\", "{", "}", "[", ",", ":", "a", "é", "\n") }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.maxSafeInteger(),
    );
    const name = fc.oneof(fc.constantFrom("s", "n", "b", "s\\u", 'q"', "é"), fc.string({ maxLength: 3 }));
    const columns = { s: nullable(utf8), n: nullable(float64), b: nullable(bool), é: nullable(utf8) };
    const types = { s: "string", n: "number", b: "boolean", é: "string" } as const;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(name, value), { maxLength: 6 }),
        fc.constantFrom(0, 1, 2),
        async (entries, layout) => {
          const blank = layout === 0 ? "" : layout === 1 ? " " : "\t \r";
          const body = entries
            .map(([key, part]) => `${JSON.stringify(key)}${blank}:${blank}${JSON.stringify(part)}`)
            .join(`${blank},${blank}`);
          const line = `${blank}{${blank}${body}${blank}}${blank}`;
          const object = JSON.parse(line) as Record<string, unknown>;
          const expected: Record<string, unknown> = {};
          let isWrong = false;
          for (const [field, type] of Object.entries(types)) {
            const found = (Object.hasOwn(object, field) ? object[field] : null) ?? null;
            isWrong ||= found !== null && typeof found !== type;
            expected[field] = Object.is(found, -0) ? 0 : found;
          }
          const reading = read(line, columns);
          if (isWrong) await expect(reading).rejects.toThrow(/field/);
          else expect(await reading).toEqual(expected);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("refuses an object as the value of a field, also one that no text can be made of", async () => {
    // The second line has a name that is written with an escape: JSON.parse reads it, not the scanner.
    for (const line of ['{"s":{"toString":null},"q":1}', '{"s":{"toString":null,"valueOf":1},"q\\"":1}']) {
      await expect(read(line, { s: nullable(utf8) })).rejects.toThrow(
        'field "s" is of the wrong type: an object or array',
      );
    }
  });

  it("takes bigints from numbers digit by digit, on odd lines too, and from no number that is rounded", async () => {
    for (const digits of ["9007199254740991", "9007199254740993", "-12345678901234567890", `1${"0".repeat(300)}7`]) {
      for (const line of [
        `{"n":${digits}}`,
        `{"n":1, "n" : ${digits} ,"m":"\\n"}`,
        `{"\\u006e":${digits},"m":{"n":1,"o":[{"n":2}]},"o":"\\",\\"n\\":3"}`,
      ])
        expect(await read(line, { n: bigint }), line).toEqual({ n: BigInt(digits) });
    }
    for (const text of ["12345678901234567890.0", "1e20", "1234567890123456789e1", "1".repeat(400)]) {
      await expect(read(`{"n":${text}}`, { n: bigint })).rejects.toThrow(/field "n"/);
      await expect(read(`{"\\u006e":${text}}`, { n: bigint })).rejects.toThrow(/field "n"/);
    }
    await expect(read('{"n":09007199254740993}', { n: bigint })).rejects.toThrow(/JSON/);
    expect(await read('{"n":1e3,"m":-0}', { n: uint, m: int })).toEqual({ n: 1000, m: 0 });
  });

  it("takes the last one of a name that occurs twice, as JSON.parse does", async () => {
    expect(await read('{"n":1,"n":2}', { n: uint })).toEqual({ n: 2 });
    expect(await read('{"n":1,"\\u006e":2}', { n: uint })).toEqual({ n: 2 });
  });

  it("does not find fields that objects inherit (fault 81)", async () => {
    await expect(read("{}", { toString: utf8 })).rejects.toThrow(/missing/);
    expect(
      await read(
        '{"__proto__":"x","constructor":"y"}',
        Object.fromEntries([
          ["__proto__", utf8],
          ["constructor", utf8],
        ]),
      ),
    ).toEqual(
      Object.fromEntries([
        ["__proto__", "x"],
        ["constructor", "y"],
      ]),
    );
  });
});

it("what has the name of a Standard Schema and is none is refused where it is given, not at each record", () => {
  for (const standard of [null, {}, { version: 1, vendor: "x" }, { validate: 1 }])
    expect(() => ndjson({ "~standard": standard } as never)).toThrow(/ndjson\(\) takes nothing, a Standard Schema/);
});
