import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { codecSuite, decode, encode } from "../../../test/conformance/codec.ts";
import { compareBytes, toHex } from "../../base/bytes/bytes.ts";
import type { AutoKey, AutoValue, Codec, ColumnCodec, JsonValue, KeyCodec } from "../codec.ts";
import { compareText } from "../combine.ts";
import { auto, autoValue } from "./auto.ts";
import { bigint } from "./bigint.ts";
import { bool } from "./bool.ts";
import { bytes } from "./bytes.ts";
import { date } from "./date.ts";
import { desc } from "./desc.ts";
import { partEnd } from "./escape.ts";
import { codecShape, f64Kind, fixedWidth } from "./facts.ts";
import { json } from "./json.ts";
import { nullable } from "./nullable.ts";
import { float64, int, uint } from "./numbers.ts";
import { tuple } from "./tuple.ts";
import { utf8 } from "./utf8.ts";

const compareNumbers = (a: number | bigint, b: number | bigint) => (a < b ? -1 : a > b ? 1 : 0);
const compareDates = (a: Date, b: Date) => a.getTime() - b.getTime();

/** Uses only a few characters, those that matter for escaping and order, so that prefixes and neighbours turn up. */
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("\0", "\u0001", "a", "b", "ÿ", "\ud7ff", "\ufeff", "\uff5e", "\u{1F600}"),
    maxLength: 5,
  }),
);
const byteArrays = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.array(fc.constantFrom(0, 1, 254, 255), { maxLength: 4 }).map((array) => Uint8Array.from(array)),
);
const doubles = fc.double({ noNaN: true });
const instants = fc.date({ noInvalidDate: true });
const bigints = fc.oneof(
  fc.bigInt(),
  fc.bigInt({ min: -300n, max: 300n }),
  fc.bigInt({ min: -(1n << 1100n), max: 1n << 1100n }),
);
const noMinusZero = (value: number) => value + 0;

codecSuite("utf8", { codec: utf8, values: text, compare: compareText });
codecSuite("bytes", { codec: bytes, values: byteArrays, compare: compareBytes });
codecSuite("uint", { codec: uint, values: fc.maxSafeNat(), compare: compareNumbers });
codecSuite("int", { codec: int, values: fc.maxSafeInteger(), compare: compareNumbers, normal: noMinusZero });
codecSuite("float64", { codec: float64, values: doubles, compare: compareNumbers, normal: noMinusZero });
codecSuite("bool", { codec: bool, values: fc.boolean(), compare: (a, b) => Number(a) - Number(b) });
codecSuite("bigint", { codec: bigint, values: bigints, compare: compareNumbers });
codecSuite("date", { codec: date, values: instants, compare: compareDates });

const compareNullable =
  <T>(compare: (a: T, b: T) => number) =>
  (a: T | null, b: T | null) =>
    a === null || b === null ? Number(b === null) - Number(a === null) : compare(a, b);
codecSuite("nullable(utf8)", { codec: nullable(utf8), values: fc.option(text), compare: compareNullable(compareText) });
codecSuite("nullable(int)", {
  codec: nullable(int),
  values: fc.option(fc.integer()),
  compare: compareNullable(compareNumbers),
});
codecSuite("nullable(nullable(bytes))", {
  codec: nullable(nullable(bytes)),
  values: fc.option(byteArrays),
  compare: compareNullable(compareBytes),
});

codecSuite("tuple(uint, tuple(utf8, nullable(bytes)), desc(bigint), bool, date)", {
  codec: tuple(uint, tuple(utf8, nullable(bytes)), desc(bigint), bool, date),
  values: fc.tuple(fc.nat(2), fc.tuple(text, fc.option(byteArrays)), fc.bigInt(-2n, 2n), fc.boolean(), instants),
  compare: (a, b) =>
    a[0] - b[0] ||
    compareText(a[1][0], b[1][0]) ||
    compareNullable(compareBytes)(a[1][1], b[1][1]) ||
    -compareNumbers(a[2], b[2]) ||
    Number(a[3]) - Number(b[3]) ||
    compareDates(a[4], b[4]),
});
codecSuite("tuple of no parts", {
  codec: tuple() as KeyCodec<readonly never[]>,
  values: fc.constant([]),
  compare: () => 0,
});
codecSuite("tuple(bool, desc(date)), which has a fixed width", {
  codec: tuple(bool, desc(date)) as KeyCodec<readonly [boolean, Date]>,
  values: fc.tuple(fc.boolean(), instants),
  compare: (a, b) => Number(a[0]) - Number(b[0]) || compareDates(b[1], a[1]),
});

const { key: autoKeys } = fc.letrec<{ key: AutoKey }>((tie) => ({
  key: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(noMinusZero),
    fc.integer({ min: -2, max: 2 }),
    bigints,
    text,
    instants,
    byteArrays,
    fc.array(tie("key"), { maxLength: 3 }),
  ),
}));

/** The documented order, written down a second time: types first, then the order of each type. */
function compareAuto(a: AutoKey, b: AutoKey): number {
  const rank = (value: AutoKey) =>
    value === null
      ? 0
      : value === false
        ? 1
        : value === true
          ? 2
          : typeof value === "number"
            ? 3
            : typeof value === "bigint"
              ? 4
              : typeof value === "string"
                ? 5
                : value instanceof Date
                  ? 6
                  : value instanceof Uint8Array
                    ? 7
                    : 8;
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === "string") return compareText(a, b as string);
  if (a instanceof Uint8Array) return compareBytes(a, b as Uint8Array);
  if (a instanceof Date) return compareDates(a, b as Date);
  if (Array.isArray(a)) {
    const other = b as readonly AutoKey[];
    for (let i = 0; i < Math.min(a.length, other.length); i++) {
      const difference = compareAuto(a[i], other[i]!);
      if (difference !== 0) return difference;
    }
    return a.length - other.length;
  }
  return typeof a === "number" || typeof a === "bigint" ? compareNumbers(a, b as number | bigint) : 0;
}
codecSuite("auto", { codec: auto, values: autoKeys, compare: compareAuto });

const names = fc.oneof(text, fc.constantFrom("__proto__", "constructor", "toString", "10", "2", ""));
const { value: autoValues } = fc.letrec<{ value: AutoValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    autoKeys,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(names, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
codecSuite("auto, for values", { codec: autoValue, values: autoValues, compare: undefined });
const jsonValues = fc.jsonValue({ noUnicodeString: false } as fc.JsonSharedConstraints) as fc.Arbitrary<JsonValue>;
codecSuite("json", {
  codec: json(),
  values: jsonValues,
  compare: undefined,
  normal: (value) => JSON.parse(JSON.stringify(value)),
});

describe("codecs, byte for byte", () => {
  it.each<[string, Codec<unknown>, unknown, string]>([
    ["uint", uint, 1, "bff0000000000000"],
    ["int", int, -1, "400fffffffffffff"],
    ["float64", float64, 0, "8000000000000000"],
    ["bigint", bigint, 0n, "80"],
    ["bigint", bigint, 255n, "81ff"],
    ["bigint", bigint, -256n, "7dfeff"],
    ["bigint of 127 bytes", bigint, 1n << 1008n, `ff0000007f01${"00".repeat(126)}`],
    ["nullable", nullable(bool), null, "00"],
    ["nullable", nullable(bool), true, "0101"],
    ["desc", desc(utf8), "a\0", "9eff00ffff"],
    ["tuple", tuple(utf8, bool, bytes), ["a\0", true, Uint8Array.of(255)], "6100ff000001ff0000"],
    ["auto", auto, "a\0", "066100"],
    ["auto", auto, ["a\0", null, [1n]], "09066100ff0001090581010000"],
    ["auto", autoValue, { a: "" }, "0a066100060000"],
  ])("%s never changes: runs of two versions may meet", (_, codec, value, hex) => {
    expect(toHex(encode(codec, value))).toBe(hex);
  });
});

describe("codecs and hostile values", () => {
  it("fault 81: keeps names that objects treat specially", () => {
    const hostile = JSON.parse(
      '{"__proto__":1,"constructor":{"__proto__":null},"toString":2,"hasOwnProperty":3,"10":4,"2":5}',
    );
    for (const codec of [autoValue, json()] as Codec<unknown>[]) {
      const back = decode(codec, encode(codec, hostile));
      expect(JSON.stringify(back)).toBe(JSON.stringify(hostile));
      expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    }
    const keys = ["__proto__", "constructor", "toString", "hasOwnProperty", "10", "9", ""];
    expect(keys.map((key) => decode(auto, encode(auto, key)))).toEqual(keys);
  });

  it("fault 82: tells 1, '1', 1n, true, null and a Date apart", () => {
    const values: AutoKey[] = [
      null,
      false,
      true,
      1,
      1n,
      "1",
      "true",
      "null",
      new Date(1),
      Uint8Array.of(1),
      [1],
      ["1"],
      [],
      [[]],
      "",
    ];
    const seen = new Set(values.map((value) => toHex(encode(auto, value))));
    expect(seen.size).toBe(values.length);
  });

  it("fault 82: writes -0 as 0 in every codec of numbers", () => {
    for (const codec of [uint, int, float64, auto, autoValue] as Codec<unknown>[]) {
      expect(encode(codec, -0)).toEqual(encode(codec, 0));
      expect(Object.is(decode(codec, encode(codec, -0)), 0)).toBe(true);
    }
    expect(decode(json(), encode(json(), -0))).toBe(0);
    for (const codec of [int, float64]) expect(Object.is(codec.parse("-0"), 0)).toBe(true);
    expect(float64.format(-0)).toBe("0");
  });

  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  const deep = JSON.parse("[".repeat(2000) + "]".repeat(2000));
  class Point {
    x = 1;
  }
  const never: [string, unknown][] = [
    ["undefined", undefined],
    ["NaN", Number.NaN],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a hole", Array(1)],
    ["undefined in an object", { a: undefined }],
    ["a symbol as a name", { [Symbol("s")]: 1 }],
    ["a cycle", cyclic],
    ["2000 levels", deep],
    ["a Map", new Map([[1, 2]])],
    ["a Set", new Set([1])],
    ["a class instance", new Point()],
    ["a promise", Promise.resolve(1)],
    ["a boxed string", new String("x")],
    ["a RegExp", /x/],
    ["an Error", new Error("x")],
    ["an invalid date", new Date(Number.NaN)],
    ["a Float64Array", new Float64Array(2)],
    ["an ArrayBuffer", new ArrayBuffer(2)],
    ["an inherited property", Object.create({ a: 1 })],
  ];
  it.each(never)("fault 82: auto and json refuse %s with wrong-value", (_, value) => {
    for (const codec of [auto, autoValue, json()] as Codec<unknown>[]) {
      expect(() => encode(codec, value)).toThrow(expect.objectContaining({ code: "wrong-value" }));
      expect(() => encode(codec, ["deep", value])).toThrow(expect.objectContaining({ code: "wrong-value" }));
    }
    expect(() => encode(autoValue as Codec<unknown>, { place: { inside: [value] } })).toThrow(/place/);
  });

  it("fault 82: json also refuses what only auto carries, and names the place", () => {
    const at = (value: unknown) => () => encode(json() as Codec<unknown>, { list: [0, { "odd name": value }] });
    expect(at(1n)).toThrow(/can't carry 1n at \.list\[1\]\["odd name"\].*no bigints/);
    expect(at(new Date(0))).toThrow(/can't carry a Date .* at \.list\[1\]/);
    expect(at(Number.POSITIVE_INFINITY)).toThrow(/Infinity/);
    expect(at({ toJSON: () => 1 })).toThrow(/a function at .*toJSON/);
    expect(at(undefined)).toThrow(/undefined .*leave the property out/);
  });

  it("fault 82: auto refuses objects in keys and says what to do, and carries them in values", () => {
    expect(() => encode(auto as Codec<unknown>, { a: 1 })).toThrow(/array of them as the key/);
    expect(() => encode(auto as Codec<unknown>, [{ a: 1 }])).toThrow(/at \[0\]/);
    expect(decode(autoValue, encode(autoValue, [{ a: [new Date(5), 1n] }]))).toEqual([{ a: [new Date(5), 1n] }]);
  });

  it.each<[string, Codec<unknown>, unknown[]]>([
    ["utf8", utf8, [1, null, undefined, new String("x")]],
    ["bytes", bytes, ["x", [1], new ArrayBuffer(1), new Float64Array(1), null]],
    ["uint", uint, [-1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, "1", 1n, null, undefined]],
    ["int", int, [1.5, -(2 ** 53), Number.NaN, "1", 1n, true]],
    ["float64", float64, [Number.NaN, "1", 1n, null]],
    ["bool", bool, [0, 1, "true", null]],
    ["bigint", bigint, [1, "1", null]],
    ["date", date, [new Date(Number.NaN), 0, "2020-01-01", null]],
    ["nullable", nullable(uint), [undefined, "1"]],
    ["tuple", tuple(utf8, uint), [["a"], ["a", 1, 2], "ab", null, ["a", "b"], [1, 1], Array(2)]],
  ])("fault 82: %s refuses values of other types and names itself and the value", (name, codec, values) => {
    for (const value of values) {
      expect(() => encode(codec, value)).toThrow(expect.objectContaining({ code: "wrong-value" }));
      expect(() => encode(codec, value)).toThrow(name === "nullable" ? /uint/ : name);
    }
    expect(() => encode(tuple(utf8, uint) as Codec<unknown>, ["a", "b"])).toThrow(
      /part 2 of tuple\(utf8, uint\): uint takes .* not "b"/,
    );
  });

  it("fault 83: refuses lone surrogates where UTF-8 would merge them, and json carries them", () => {
    const lone = ["\ud800", "\udc00", "a\ud83d", "\ude00b"];
    for (const value of lone) {
      for (const codec of [utf8, auto, autoValue, nullable(utf8), desc(utf8)] as Codec<unknown>[]) {
        expect(() => encode(codec, value)).toThrow(/surrogate/);
      }
      expect(() => encode(autoValue, { [value]: 1 })).toThrow(/surrogate/);
      expect(() => encode(auto, [value])).toThrow(/surrogate/);
      expect(decode(json(), encode(json(), value))).toBe(value);
    }
    expect(new Set(lone.map((value) => toHex(encode(json(), value)))).size).toBe(lone.length);
  });

  it("fault 84: orders text by code point, not as JavaScript's < does", () => {
    const [fullwidth, emoji] = ["\uff5e", "\u{1F600}"];
    expect(fullwidth > emoji).toBe(true);
    for (const codec of [utf8, auto, nullable(utf8)] as Codec<unknown>[]) {
      expect(compareBytes(encode(codec, fullwidth), encode(codec, emoji))).toBeLessThan(0);
      const part = tuple(codec, uint) as Codec<unknown>;
      expect(compareBytes(encode(part, [fullwidth, 2]), encode(part, [emoji, 1]))).toBeLessThan(0);
    }
  });

  it("fault 85: equal values have equal bytes, however they came about", () => {
    const packed = ["a", "b"];
    const grown: string[] = [];
    grown[1] = "b";
    grown[0] = "a";
    expect(encode(auto, packed)).toEqual(encode(auto, grown));
    const twoByte = "aaaé".slice(0, 3);
    expect(encode(auto, twoByte)).toEqual(encode(auto, "aaa"));
    expect(encode(auto, Buffer.from("ab"))).toEqual(encode(auto, Uint8Array.of(97, 98)));
  });

  it("leaves no trace of a value that was refused", () => {
    const codec = tuple(utf8, utf8);
    expect(() => encode(codec, ["left over", "\ud800"])).toThrow(/surrogate/);
    expect(decode(codec, encode(codec, ["a", "b"]))).toEqual(["a", "b"]);
  });
});

describe("codecs of a user's", () => {
  const host: KeyCodec<URL> = {
    ordered: true,
    write: (url, out) => out.writeUtf8(url.host),
    read: (encoded) => new URL(`http://${Buffer.from(encoded).toString()}`),
  };

  it("are parts of tuples, reversed and nullable ones", () => {
    const codec = tuple(nullable(host), desc(host)) as KeyCodec<readonly [URL | null, URL]>;
    const value = [new URL("http://a.example"), new URL("http://b.example")] as const;
    expect(decode(codec, encode(codec, value)).map(String)).toEqual(["http://a.example/", "http://b.example/"]);
    expect(fixedWidth(host)).toBeUndefined();
    expect(codecShape(host)).toBe("ascending");
  });

  it("may call a tuple that they are part of: recursive types", () => {
    type Tree = readonly [string, readonly Tree[]];
    const tree: Codec<Tree> = {
      ordered: false,
      write([name, children], out) {
        node.write([name, children[0] ?? null, children[1] ?? null], out);
      },
      read(encoded) {
        const [name, a, b] = node.read(encoded);
        return [name, [a, b].filter((child) => child !== null)];
      },
    };
    const maybe: Codec<Tree | null> = {
      ordered: false,
      write: (value, out) => (value === null ? undefined : tree.write(value, out)),
      read: (encoded) => (encoded.length === 0 ? null : tree.read(encoded)),
    };
    const node = tuple(utf8, maybe, maybe) as Codec<readonly [string, Tree | null, Tree | null]>;
    const value: Tree = [
      "root",
      [
        ["left", [["leaf\0", []]]],
        ["right", []],
      ],
    ];
    expect(decode(tree, encode(tree, value))).toEqual(value);
  });

  it("are not mistaken for the codec that they were copied from", () => {
    const shouting: KeyCodec<number> = { ...uint, write: (value, out) => out.writeUtf8(`${value}!`) };
    expect(f64Kind(uint)).toBe("uint");
    expect(f64Kind(shouting)).toBeUndefined();
    expect(fixedWidth(shouting)).toBeUndefined();
  });

  it("can't be reversed without an order", () => {
    expect(() => desc(json() as unknown as KeyCodec<unknown>)).toThrow(/desc\(json\(\)\): there is no order/);
    expect(() => tuple(utf8, nullable as unknown as KeyCodec<unknown>)).toThrow(/part 2 is not a codec; call it/);
    expect(tuple(utf8, json()).ordered).toBe(false);
  });
});

describe("what the engine knows of codecs", () => {
  it("says how parts of tuples end", () => {
    expect([uint, bool, date, desc(uint), tuple(bool, int)].map(codecShape)).toEqual([8, 1, 8, 8, 9]);
    expect(
      [utf8, bytes, bigint, nullable(uint), auto, tuple(utf8), json()].map((codec) =>
        codecShape(codec as Codec<unknown>),
      ),
    ).toEqual(Array(7).fill("ascending"));
    expect([desc(utf8), desc(desc(utf8)), desc(tuple(utf8))].map(codecShape)).toEqual(Array(3).fill("descending"));
  });

  it("finds the end of a part as the kernel does", () => {
    const codec = tuple(utf8, desc(utf8), uint, bytes);
    const encoded = encode(codec, ["a\0b", "\0\u00ff", 7, Uint8Array.of(0, 0, 255)]);
    let at = 0;
    for (const shape of ["ascending", "descending", 8, "ascending"] as const) at = partEnd(encoded, at, shape);
    expect(at).toBe(encoded.length);
  });
});

describe("text forms of codecs", () => {
  it.each<[string, ColumnCodec<unknown>, fc.Arbitrary<unknown>]>([
    ["utf8", utf8, text],
    ["uint", uint, fc.maxSafeNat()],
    ["int", int, fc.maxSafeInteger()],
    ["float64", float64, doubles.map(noMinusZero)],
    ["bool", bool, fc.boolean()],
    ["bigint", bigint, bigints],
    ["date", date, instants],
    ["nullable(date)", nullable(date), fc.option(instants)],
  ])("%s reads back what it formats", (_, codec, values) => {
    fc.assert(fc.property(values, (value) => void expect(codec.parse(codec.format(value))).toEqual(value)));
  });

  it.each<[string, ColumnCodec<unknown>, string[]]>([
    ["uint", uint, ["", " 1", "1 ", "-1", "1.0", "1e3", "0x10", "9007199254740992", "١"]],
    ["int", int, ["", "-", "1.5", "--1", "-9007199254740992"]],
    ["float64", float64, ["", "NaN", "1,5", "0x10", "1e", ".", "infinity", "1_000"]],
    ["bool", bool, ["", "1", "0", "True", "yes"]],
    ["bigint", bigint, ["", "1n", "0x1", " 1", "1.0"]],
    [
      "date",
      date,
      [
        "",
        "2024",
        "2024-02-30",
        "2023-02-29",
        "2024-13-01",
        "2024-01-01T25:00Z",
        "01/02/2024",
        "2024-01-01T00:00:00.0001Z",
        "-000000-01-01",
      ],
    ],
  ])("%s refuses %#: texts that it would have to guess at", (name, codec, texts) => {
    for (const cell of texts) {
      expect(() => codec.parse(cell)).toThrow(expect.objectContaining({ code: "wrong-value" }));
      expect(() => codec.parse(cell)).toThrow(name);
    }
  });

  it("reads dates with and without time and zone, in UTC where none is given", () => {
    const iso = (cell: string) => date.parse(cell).toISOString();
    const zone = process.env["TZ"];
    process.env["TZ"] = "America/New_York";
    try {
      expect(new Date("2024-05-31T12:30:00.000").toISOString()).toBe("2024-05-31T16:30:00.000Z");
      expect(iso("2024-05-31T12:30")).toBe("2024-05-31T12:30:00.000Z");
    } finally {
      if (zone === undefined) delete process.env["TZ"];
      else process.env["TZ"] = zone;
    }
    expect(iso("2024-02-29")).toBe("2024-02-29T00:00:00.000Z");
    expect(iso("2024-05-31 12:30")).toBe("2024-05-31T12:30:00.000Z");
    expect(iso("2024-05-31T12:30:01.5+02:00")).toBe("2024-05-31T10:30:01.500Z");
    expect(iso("2024-05-31T12:30:01.250000Z")).toBe("2024-05-31T12:30:01.250Z");
    expect(iso("-000001-01-01")).toBe("-000001-01-01T00:00:00.000Z");
  });
});

it("names the codec that takes what a number's codec does not", () => {
  expect(() => uint.parse("9007199254740992")).toThrow(/2\^53-1 \(bigint takes all integers\), not "9007199254740992"/);
  expect(() => int.parse("-9007199254740992")).toThrow(/bigint takes all integers/);
  expect(() => uint.format(2 ** 53)).toThrow(/bigint takes all integers/);
  expect(() => int.format(5n as never)).toThrow(/bigint takes all integers/);
  expect(() => uint.format(-5)).toThrow(/int takes negative ones too/);
  for (const value of [0.5, Number.NaN, "7"]) expect(() => uint.format(value as never)).toThrow(/2\^53-1, not /);
  expect(() => uint.parse("x")).toThrow(/2\^53-1, not "x"/);
});

it("asks for an await where a promise is emitted", () => {
  for (const codec of [utf8, uint, int, float64, bool, bigint, date, bytes, nullable(utf8), tuple(uint, utf8)])
    expect(() => encode(codec as never, Promise.resolve(1) as never)).toThrow(/not a promise \(a missing await\?\)/);
});
