// Files of JSON lines, made of all that is plain, odd or wrong, and what a reader makes of them.
import fc from "fast-check";
import { BadRecord, type InputFormat } from "../../src/format/format.ts";
import { chunksOf, expectTexts } from "../conformance/format.ts";

export type Seen =
  | readonly [start: number, record: unknown, json: string]
  | readonly [bad: number, end: number, message: string, bytes: string];

/** All there is in the file, each record that is refused passed over. */
export async function readAll(
  read: InputFormat<unknown>["read"],
  bytes: Uint8Array,
  chunkSize = 1 << 20,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  for (let start = 0; start < bytes.length; ) {
    const from = { start, end: bytes.length, head: bytes.subarray(0, 65536) };
    try {
      for await (const { records, starts, texts } of read(chunksOf(bytes.subarray(start), chunkSize), from)) {
        for (const [i, record] of records.entries()) {
          // As JSON, because the order of names counts too.
          seen.push([
            starts[i]!,
            record,
            JSON.stringify(record, (_, one: unknown) => (typeof one === "bigint" ? `${one}n` : one)),
          ]);
          if (texts !== undefined) expectTexts(record, texts, i);
        }
      }
      start = bytes.length;
    } catch (thrown) {
      if (!(thrown instanceof BadRecord)) throw thrown;
      seen.push([thrown.start, thrown.end!, thrown.message, Buffer.from(thrown.bytes).toString("latin1")]);
      start = thrown.end!;
    }
  }
  return seen;
}

/** One text per word: no value here holds a space. */
const words = (list: string) => list.trim().split(/\s+/);

/** Names that fields have more often than others. */
export const names = [
  ...words("s u i x b é url bytes __proto__ 7 constructor when"),
  "a name of 15 b.",
  "a name of 16 byt",
];

const quotedName = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...names).map((name) => JSON.stringify(name)) },
  fc.constantFrom(
    '"\\u0073"',
    '"s\\n"',
    '"',
    "s",
    '""',
    '"s\t"',
    `"${"long ".repeat(30)}"`,
    '"日本"',
    '"a name of 16 byT"',
  ),
  fc.string({ maxLength: 18 }).map((name) => JSON.stringify(name)),
);
const numbers = words(`
  0 -0 7 007 -7 1e3 1E+2 1.5 -2.25 0.1 0.30000000000000004 1. .5 - +1 1.5.2 1-2 E5 5e 00.5 1.0 4.35 -0.0 1e400 -1e-400
  9007199254740991 9007199254740992 -9007199254740991 -9007199254740993 123456789012345 12345678 999999999999999
  1234567890123456 12345678901234567 123456789012345678901234567890 12345678901234.5 1234567.12345678 1234567.123456789
  9.392764501491793 9.893314938912905 0.000000000000001 0.1234567890123456 9007199254740993.5 1/2
`);
const texts = ["\t", "\u0001", "\\\t", "\\\u0001", "\u007f", "\u0080", "ÿ", "Ā"].map((odd) => `"a${odd}b"`);
texts.push(
  ...words(String.raw`"" " "\x" "\u12" "\u12G4" "\ "\" "\\" "a\"b" "\u0000" "\ud800" "2024-01-01" "true" "7"`),
);
texts.push(...[14, 15, 16, 17, 31, 32].map((length) => `"${"x".repeat(length)}"`));
const others = words(
  String.raw`true false null nul tru falsy nulls truefalse {} [ ] {] [[]] undefined ["]"] ["\"]"] {"s":["}{"]} [\u0001] {"a":}`,
);
/** Values, right and wrong. */
export const constants = [...numbers, ...texts, ...others, ""];
const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...constants) },
  fc.maxSafeInteger().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.tuple(fc.nat(1e6), fc.nat(999)).map(([whole, rest]) => `${whole}.${rest}`),
  fc.string({ maxLength: 40 }).map((text) => JSON.stringify(text)),
  fc.string({ unit: "grapheme", maxLength: 40 }).map((text) => JSON.stringify(text)),
  fc
    .string({
      unit: fc.constantFrom("a", "é", "ÿ", "Ā", "日", "🎉", "\\u0041", "\\ud83c", "\\udf89", "\\/", "\\\\"),
      maxLength: 24,
    })
    .map((text) => `"${text}"`),
  fc.jsonValue({ maxDepth: 2 }).map((json) => JSON.stringify(json)),
);
const blank = fc.constantFrom("", "", "", "", " ", "\t", "\r", "  ");
const object = fc
  .tuple(blank, fc.array(fc.tuple(quotedName, blank, blank, value, blank), { maxLength: 8 }), blank)
  .map(([before, parts, behind]) => {
    const body = parts.map(([name, a, b, json, c]) => `${name}${a}:${b}${json}${c}`).join(`,${before}`);
    return `${before}{${behind}${body}}${behind}`;
  });
const line = fc.oneof(
  { weight: 12, arbitrary: object },
  { weight: 2, arbitrary: fc.tuple(object, fc.nat(200)).map(([whole, length]) => whole.slice(0, length)) },
  fc.constantFrom(
    "",
    " ",
    "\t\r",
    "7",
    "[1]",
    "null",
    "{}",
    "{",
    "}",
    "{,}",
    '{"s":"a",}',
    '{"s" "a"}',
    '{"s":"a"}}',
    '{"s":"a"} x',
  ),
);
export const file = fc
  .tuple(
    fc.constantFrom("", "", "\ufeff", "\ufeff\n"),
    fc.array(fc.tuple(line, fc.constantFrom("\n", "\n", "\r\n", "\n\n")), { maxLength: 12 }),
    fc.oneof(fc.constant(""), line),
    fc.option(fc.tuple(fc.nat(), fc.nat(255)), { freq: 4 }),
  )
  .map(([mark, lines, last, garbage]) => {
    const bytes = Buffer.from(`${mark}${lines.map(([content, end]) => content + end).join("")}${last}`);
    if (garbage !== null && bytes.length > 0) bytes[garbage[0] % bytes.length] = garbage[1];
    return bytes;
  });
