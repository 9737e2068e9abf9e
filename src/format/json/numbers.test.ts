import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunksOf, readAll, writeAll } from "../../../test/conformance/format.ts";
import { bigint } from "../../job/codecs/bigint.ts";
import { date } from "../../job/codecs/date.ts";
import { nullable } from "../../job/codecs/nullable.ts";
import { float64, int, uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import type { BadRecord, Format, InputFormat } from "../format.ts";
import { jsonFields } from "./fields.ts";
import { ndjson, wholeRecords } from "./ndjson.ts";
import type { Integers } from "./numbers.ts";

const digits = fc.stringMatching(/^[1-9]\d{0,24}$/);
const numberText = fc.oneof(
  digits,
  digits.map((text) => `-${text}`),
  fc.constantFrom("0", "-0", "9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993"),
  fc.constantFrom("3791411052119578828", "100000000000000000000", "1000000000000000000000", "1180591620717411303424"),
  fc.constantFrom("12345678901234567890.0", "1e20", "1E+22", "1e308", "1e309", "-1e999", "1e-400", "0.1", "1.5e300"),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  digits.map((text) => `${text}e300`),
);
const odd = fc.constantFrom('"9007199254740993"', '"\\"9007199254740993\\\\"', '"1e999"', "null", "true", '"é"', '""');
const valueText: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    numberText,
    odd,
    fc.array(tie("value"), { maxLength: 3 }).map((parts) => `[${parts.join(", ")}]`),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom("a", "b", "9007199254740993", "__proto__"), tie("value")), {
        maxLength: 3,
        selector: ([name]) => name,
      })
      .map((parts) => `{${parts.map(([name, part]) => `"${name}":${part}`).join(",")}}`),
  ),
})).value;
const lineText = fc.oneof(
  valueText,
  fc
    .uniqueArray(fc.tuple(fc.constantFrom("id", "n", "é", "1234567890123456789"), valueText), {
      maxLength: 4,
      selector: ([name]) => name,
    })
    .map((parts) => `{${parts.map(([name, part]) => `"${name}": ${part}`).join(",")}}`),
);

/** All records, and what is wrong with the one behind them. */
async function outcome(read: InputFormat<unknown>["read"], content: string) {
  const bytes = Buffer.from(content);
  const records: unknown[] = [];
  try {
    for await (const batch of read(chunksOf(bytes, 1 << 20), { start: 0, end: bytes.length, head: bytes }))
      records.push(...batch.records);
    return { records };
  } catch (thrown) {
    const { message, start, end } = thrown as BadRecord;
    return { records, message, start, end };
  }
}

/** The numbers of a JSON text that are not inside strings. */
const numbersIn = (text: string): string[] =>
  text.replace(/"(?:[^"\\]|\\.)*"/g, '""').match(/-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g) ?? [];
const isInteger = (text: string) => /^-?\d+$/.test(text);
/** Whether other digits would come out, computed in a different way. */
const isChanged = (text: string) =>
  isInteger(text) && BigInt(Number(text).toLocaleString("en", { useGrouping: false })) !== BigInt(text);

describe("integers beyond 2^53 in whole records", () => {
  it.each(["refuse", "round", "bigint"] as const)("are the same by layout and by JSON.parse, %s", async (integers) => {
    const shapes = wholeRecords(undefined, "shapes", integers);
    const lines = wholeRecords(undefined, "lines", integers);
    let refused = 0;
    let read = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(lineText, { minLength: 1, maxLength: 5 }), async (texts) => {
        const content = texts.map((text) => `${text}\n`).join("");
        const found = await outcome(shapes, content);
        expect(found).toEqual(await outcome(lines, content));
        const numbers = texts.map(numbersIn);
        const isBad = (text: string) => !Number.isFinite(Number(text)) || (integers === "refuse" && isChanged(text));
        const bad = numbers.findIndex((some) => some.some(isBad));
        if (bad >= 0) refused++;
        else read++;
        expect(found.records).toHaveLength(bad < 0 ? texts.length : bad);
        expect(found.message !== undefined).toBe(bad >= 0);
        if (integers !== "bigint") {
          expect(found.records).toEqual(texts.slice(0, found.records.length).map((text) => JSON.parse(text)));
        } else {
          // Digits come out as they went in.
          const format = ndjson({ integers: "bigint" }) as Format<unknown>;
          const again = Buffer.from(await writeAll(format, found.records)).toString();
          const kept = (lines: readonly string[]) =>
            lines.flatMap((line) => {
              const unique = JSON.stringify(JSON.parse(line)); // when a name occurs twice, the last one counts
              return numbersIn(line).length === numbersIn(unique).length ? numbersIn(line).filter(isInteger) : [];
            });
          const whole = texts.slice(0, found.records.length);
          for (const [i, line] of again.split("\n").slice(0, -1).entries()) {
            const expected = kept([whole[i]!]).filter((text) => text !== "-0");
            const seen = numbersIn(line);
            for (const text of expected) expect(seen, line).toContain(text);
          }
        }
      }),
      { numRuns: 1500 },
    );
    expect(refused).toBeGreaterThan(20);
    expect(read).toBeGreaterThan(20);
  });

  it.each([
    ['{"id":3791411052119578828}', /3791411052119578828 .*"bigint".*"round"/],
    ['{"a":{"b":[1,{"c":9007199254740993}]}}', /9007199254740993 is an integer/],
    ["-9007199254740993", /-9007199254740993/],
    ['{"x":1e999}', /1e999 is too large/],
    ["[1,[-1e400]]", /-1e400 is too large/],
    [`${"[".repeat(5000)}9007199254740993${"]".repeat(5000)}`, /9007199254740993 is an integer/],
    ['{"a\\u0062":9223372036854775807}', /9223372036854775807/],
    [`{"x":${"9".repeat(400)}}`, /is too large/],
  ])("are refused where digits would change: %s", async (line, message) => {
    const found = await outcome(ndjson().read as never, `{"ok":1}\n${line}\n`);
    expect(found).toMatchObject({ records: [{ ok: 1 }], start: 9, end: 10 + line.length });
    expect(found.message).toMatch(message);
  });

  it.each([
    '{"id":9007199254740991}',
    '{"id":-9007199254740992}',
    '{"id":100000000000000000000}',
    '{"id":"3791411052119578828","3791411052119578828":1}',
    '["\\"3791411052119578828"]',
    '{"id":9007199254740993,"id":1}', // the last one counts
    `${"[".repeat(500)}1${"]".repeat(500)}`,
    "0.1234567890123456789",
    "123456789012345680000", // as JavaScript writes 123456789012345683968
    "1e300",
  ])("are read where nothing changes, as are floats and texts: %s", async (line) => {
    expect((await outcome(ndjson().read as never, `${line}\n`)).records).toEqual([JSON.parse(line)]);
  });

  it("are read back whatever JavaScript wrote", async () => {
    await fc.assert(
      fc.asyncProperty(fc.double({ noNaN: true, noDefaultInfinity: true }), async (value) => {
        const written = Buffer.from(await writeAll(ndjson() as Format<unknown>, [{ value }]));
        expect((await readAll(ndjson() as Format<unknown>, written)).records).toEqual([
          { value: value === 0 ? 0 : value },
        ]);
      }),
      { numRuns: 500 },
    );
  });

  it("go through as bigints, digit by digit, at any depth", async () => {
    const format = ndjson({ integers: "bigint" });
    const content =
      '{"id":3791411052119578828,"in":[{"b":-9007199254740993},7],"s":"9007199254740993"}\n9007199254740992\n';
    const { records } = await readAll(format as Format<unknown>, Buffer.from(content));
    expect(records).toEqual([
      { id: 3791411052119578828n, in: [{ b: -9007199254740993n }, 7], s: "9007199254740993" },
      9007199254740992n,
    ]);
    expect(Buffer.from(await writeAll(format as Format<unknown>, records)).toString()).toBe(content);
    await expect((async () => writeAll(ndjson() as Format<unknown>, [{ id: 1n }]))()).rejects.toThrow(
      /integers: "bigint"/,
    );
  });

  it("are bigints in what is nested deeper than a stack is, as JSON.parse takes it", async () => {
    const format = ndjson({ integers: "bigint" }) as Format<unknown>;
    const depth = 300_000;
    const line = `${'{"a":['.repeat(depth)}9007199254740993, {"b": []}${"]}".repeat(depth)}`;
    const { records } = await readAll(format, Buffer.from(`${line}\n[]\n`));
    let value = records[0];
    for (let i = 0; i < depth; i++) value = (value as { readonly a: readonly unknown[] }).a[0];
    expect(records.length).toBe(2);
    expect(value).toBe(9007199254740993n);
    await expect((async () => writeAll(format, records))()).rejects.toThrow(/nested more than 1000 deep/);
  });

  it("are what a schema gets, as the option says", async () => {
    const seen: unknown[] = [];
    const schema = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: (value: unknown) => {
          seen.push(value);
          return { value };
        },
      },
    };
    const line = '{"id":3791411052119578828}\n';
    expect((await outcome(ndjson(schema).read as never, line)).message).toMatch(/beyond 2\^53/);
    await outcome(ndjson(schema, { integers: "bigint" }).read as never, line);
    expect(seen).toEqual([{ id: 3791411052119578828n }]);
  });

  it("have no other options", () => {
    expect(() => ndjson({ integers: "all" } as never)).toThrow(/ndjson\(\{ integers \}\) takes .*, not "all"/);
    const both = { fields: { a: uint }, integers: "round" };
    expect(() => ndjson(both as never)).toThrow(/ndjson\(\) takes nothing/);
    expect(() => ndjson({ integer: "round" } as never)).toThrow(/no option "integer" \(did you mean "integers"\?\)/);
    expect(() => ndjson(null as never)).toThrow(/ndjson\(\) takes nothing/);
    const modes: readonly Integers[] = ["refuse", "round", "bigint"];
    for (const integers of modes) expect(() => ndjson({ integers } as never)).not.toThrow();
  });
});

describe("declared fields", () => {
  const readings = (fields: Parameters<typeof jsonFields>[0]) => [
    jsonFields(fields).read,
    jsonFields(fields, "lines").read,
  ];

  it.each([
    ["uint", uint, ["9007199254740992", "9007199254740993", "12345678901234567890", "1e999", "1e20"]],
    ["int", int, ["-9007199254740993", "-1e999"]],
    ["float64", float64, ["1e999", "-1e999", `${"9".repeat(400)}`]],
    ["nullable(float64)", nullable(float64), ["1e999"]],
    ["bigint", bigint, ["9007199254740993.0", "1e20", "1e999", "9".repeat(400)]],
  ] as const)("%s refuses numbers that it would change, on odd lines too", async (_name, codec, texts) => {
    for (const read of readings({ x: codec } as never)) {
      for (const text of texts) {
        for (const line of [`{"x":${text}}`, `{"\\u0061":1,"x":${text}}`])
          expect((await outcome(read, `${line}\n`)).message, line).toMatch(/field "x"/);
      }
    }
  });

  it("float64 rounds, as it says", async () => {
    for (const read of readings({ x: float64 }))
      expect((await outcome(read, '{"x":12345678901234567890}\n{"x":1e308}\n')).records).toEqual([
        { x: 12345678901234567000 },
        { x: 1e308 },
      ]);
  });

  it("tell the empty text from null", async () => {
    const fields = { a: nullable(utf8) };
    const content = '{"a":""}\n{"a":null}\n{}\n{"a":"x"}\n{"\\u0061":""}\n{"a":"","b":"é€"}\n';
    for (const read of readings(fields))
      expect((await outcome(read, content)).records).toEqual(["", null, null, "x", "", ""].map((a) => ({ a })));
    const format = ndjson({ fields });
    expect(Buffer.from(await writeAll(format as Format<unknown>, [{ a: "" }, { a: null }])).toString()).toBe(
      '{"a":""}\n{"a":null}\n',
    );
    for (const codec of [nullable(uint), nullable(date), nullable(bigint)]) {
      for (const read of readings({ a: codec } as never))
        expect((await outcome(read, '{"a":""}\n')).message).toMatch(/field "a"/);
    }
  });
});

describe("float64 as text", () => {
  it("is no infinity unless it says so", () => {
    for (const text of ["1e999", "-1e999", "+1e400", `${"9".repeat(400)}`, `${"9".repeat(400)}.5`])
      expect(() => float64.parse(text), text).toThrow(/1\.8e308/);
    expect(float64.parse("Infinity")).toBe(Number.POSITIVE_INFINITY);
    expect(float64.parse("-Infinity")).toBe(Number.NEGATIVE_INFINITY);
    expect(float64.parse("1e308")).toBe(1e308);
    expect(float64.parse("1e-999")).toBe(0);
    expect(() => float64.parse("NaN")).toThrow(/float64 reads/);
  });
});
