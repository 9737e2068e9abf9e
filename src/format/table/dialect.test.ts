import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatConformance, readAll, readSplits, wantedEvery, writeAll } from "../../../test/conformance/format.ts";
import { nullable } from "../../job/codecs/nullable.ts";
import { uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import type { Row } from "../../job/table.ts";
import type { Format } from "../format.ts";
import { csv } from "./csv.ts";
import { tsv } from "./tsv.ts";

interface Options {
  readonly delimiter?: string;
  readonly quote?: string | false;
  readonly escape?: string;
  readonly lenient?: boolean;
  readonly multiline?: boolean;
}

const dialects: readonly Options[] = [
  { quote: false },
  { quote: false, delimiter: "\x01" },
  { quote: false, delimiter: '"' },
  { quote: false, escape: "\\" },
  { quote: false, escape: "\\", delimiter: "\t" },
  { quote: "'" },
  { quote: "'", delimiter: "||" },
  { quote: "\x02", delimiter: "\0" },
  { escape: "\\" },
  { escape: "\\", delimiter: "§" },
  { quote: "'", escape: "^", delimiter: ";" },
  { quote: "'", escape: '"' },
  { lenient: true },
  { lenient: true, escape: "\\" },
  { lenient: true, quote: "'", delimiter: "|" },
  { multiline: false, escape: "\\" },
  { multiline: false, lenient: true },
  { multiline: false, lenient: true, escape: "\\" },
  { multiline: false, quote: "'" },
  { multiline: false, quote: false, escape: "\\" },
];

const named = dialects.map((options) => [JSON.stringify(options), options] as const);
const formatOf = (options: Options) => csv(options) as Format<readonly string[], Row>;

/**
 * Reads a whole file one character after the other, as the page of csv says and with no code of the product; undefined
 * where a row is malformed.
 */
function oracle(content: string, options: Options): string[][] | undefined {
  const { delimiter = ",", quote = '"', escape: escaper, lenient = false, multiline = true } = options;
  const text = content.startsWith("\ufeff") ? content.slice(1) : content;
  const rows: string[][] = [];
  let i = 0;
  const lineEnd = () => (text[i] === "\n" ? 1 : text.startsWith("\r\n", i) ? 2 : 0);
  while (i < text.length) {
    const cells: string[] = [];
    const start = i;
    for (;;) {
      let cell = "";
      if (lenient && i === start) {
        let j = i;
        while (text[j] === "\ufeff") j++;
        if (text[j] === quote) {
          cell = text.slice(i, j);
          i = j;
        }
      }
      if (text[i] === quote && i < text.length) {
        for (i++; ; i++) {
          if (i >= text.length || (text[i] === "\n" && !multiline)) return undefined;
          if (text[i] === escaper) {
            i++;
            if (i >= text.length || (text[i] === "\n" && !multiline)) return undefined;
            cell += text[i];
          } else if (text[i] === quote) {
            i++;
            if (text[i] === quote) cell += quote;
            else if (i >= text.length || text.startsWith(delimiter, i) || lineEnd() > 0) break;
            else if (!lenient) return undefined;
            else {
              cell += quote;
              i--;
            }
          } else cell += text[i];
        }
      } else {
        for (; i < text.length && !text.startsWith(delimiter, i) && lineEnd() === 0; i++) {
          if (text[i] === escaper) {
            i++;
            if (i >= text.length || (text[i] === "\n" && !multiline)) return undefined;
          } else if (text[i] === "\r" || (text[i] === quote && !lenient)) return undefined;
          cell += text[i];
        }
      }
      cells.push(cell);
      if (i >= text.length) break;
      if (text.startsWith(delimiter, i)) i += delimiter.length;
      else {
        i += lineEnd();
        break;
      }
    }
    const raw = text.slice(start, i);
    if (raw !== "\n" && raw !== "\r\n") rows.push(cells);
  }
  return rows;
}

describe.each(named)("csv(%s)", (_, options) => {
  const { delimiter = ",", quote = '"', escape: escaper, multiline = true } = options;
  const format = formatOf(options);
  const signs = [delimiter, quote || '"', escaper ?? "\\", '"', "a", " ", "é", "\ufeff"];
  const text = fc.string({ unit: fc.constantFrom(...signs, "\n", "\r\n", "\r"), maxLength: 24 });

  it("reads any text as a reader does that sees it from its beginning, and refuses what that refuses", async () => {
    await fc.assert(
      fc.asyncProperty(text, async (content) => {
        const expected = oracle(content, options);
        const bytes = Buffer.from(content);
        if (expected === undefined) await expect(readAll(format, bytes)).rejects.toThrow();
        else expect((await readAll(format, bytes)).records).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  const cell = fc.oneof(
    fc.string({ unit: fc.constantFrom(...signs, ...(multiline ? ["\n", "\r"] : [])), maxLength: 6 }),
    fc.string({ unit: "grapheme", maxLength: 4 }).filter((one) => !/[\r\n]/.test(one)),
  );
  const bare = (one: string) =>
    ![...delimiter, "\r", "\n"].some((sign) => one.includes(sign)) && !one.startsWith("\ufeff");
  const row = fc
    .array(quote === false && escaper === undefined ? cell.filter(bare) : cell, { minLength: 1, maxLength: 4 })
    .filter((cells) => quote !== false || cells.length > 1 || cells[0] !== "");

  it("writes what is read back the same, wherever the file is cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 5 }), async (rows) => {
        const bytes = writeAll(format, rows);
        expect(oracle(Buffer.from(bytes).toString(), options)).toEqual(rows);
        const { starts } = await readAll(format, bytes);
        for (let at = 1; at < bytes.length; at++)
          expect(await readSplits(format, bytes, [at], 1 + (at % 5)), `cut at ${at}`).toEqual({
            records: rows,
            starts,
          });
      }),
      { numRuns: 15 },
    );
  });

  it("gives the same rows of any text wherever it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 6 }), fc.integer({ min: 1, max: 9 }), async (lines, size) => {
        const content = lines.join("\n");
        const expected = oracle(content, options);
        fc.pre(expected !== undefined);
        const bytes = Buffer.from(content);
        for (let at = 1; at < bytes.length; at++)
          expect((await readSplits(format, bytes, [at], size)).records, `cut at ${at}`).toEqual(expected);
        expect((await readSplits(format, bytes, wantedEvery(size, bytes.length), size)).records).toEqual(expected);
      }),
      { numRuns: 15 },
    );
  });
});

// As written by Python's csv module, and by MySQL and Hive in their own words.
const samples: readonly (readonly [name: string, options: Options, content: string, records: readonly Row[]])[] = [
  [
    "csv.writer(quotechar=\"'\", delimiter=';')",
    { quote: "'", delimiter: ";" },
    "a;'it''s; so';\"x\"\r\n;'line\nend';'cr\rin it'\r\n",
    [
      ["a", "it's; so", '"x"'],
      ["", "line\nend", "cr\rin it"],
    ],
  ],
  [
    "csv.writer(doublequote=False, escapechar='\\\\')",
    { escape: "\\" },
    'a,"b \\"x\\", y",c:\\\\dir\r\n"line\nend",\\"z\\",\r\n',
    [
      ["a", 'b "x", y', "c:\\dir"],
      ["line\nend", '"z"', ""],
    ],
  ],
  [
    "csv.writer(quoting=csv.QUOTE_NONE, escapechar='\\\\')",
    { quote: false, escape: "\\" },
    'a,b\\, c,"d"\r\nline\\\nend,e\\\\,\r\n',
    [
      ["a", "b, c", '"d"'],
      ["line\nend", "e\\", ""],
    ],
  ],
  [
    "SELECT … INTO OUTFILE: tabs, no quotes, backslashes",
    { quote: false, escape: "\\", delimiter: "\t" },
    '1\tO\'Neil "Jr"\ttwo\\\nlines\n2\ttab\\\there\tC:\\\\\n',
    [
      ["1", 'O\'Neil "Jr"', "two\nlines"],
      ["2", "tab\there", "C:\\"],
    ],
  ],
  [
    "ROW FORMAT DELIMITED: the delimiter of Hive",
    { quote: false, delimiter: "\x01" },
    '1\x015" pipe\x01a,b\n2\x01\x01"\n',
    [
      ["1", '5" pipe', "a,b"],
      ["2", "", '"'],
    ],
  ],
  [
    "by hand: inches, and quotes inside of quotes",
    { lenient: true },
    '1,5" pipe,"a ""b"" c"\n2,"he said "hi" to me",x\n3,"two\nlines",12" x 10"\n',
    [
      ["1", '5" pipe', 'a "b" c'],
      ["2", 'he said "hi" to me', "x"],
      ["3", "two\nlines", '12" x 10"'],
    ],
  ],
];

describe.each(samples)("%s", (name, options, content, records) => {
  formatConformance({ format: formatOf(options), samples: [{ name, content, records: records as string[][] }] });
});

describe("declared columns in a dialect", () => {
  const columns = { id: uint, note: nullable(utf8) };
  const expected = [
    { id: 1, note: 'a "b"' },
    { id: 2, note: null },
    { id: 3, note: "c\\d" },
  ];

  it.each([
    [{ quote: false } as const, 'note,x,id\na "b",,1\n\n,,2\nc\\d,"",3\n'],
    [{ quote: "'" } as const, "note,'x\n',id\n'a \"b\"',,1\n\n,,2\n'c\\d','',3\n"],
    [{ escape: "\\" } as const, 'note,"x\\"\n",id\n"a \\"b\\"",,1\n\n,,2\nc\\\\d,"\n",3\n'],
    [{ lenient: true } as const, 'note,x"\n"",id\na "b",,1\n\n,,2\nc\\d,""",3\n'.replace('x"\n"",', 'x",')],
  ])("are found by name, with %j", async (options, content) => {
    const format = csv({ ...options, columns });
    const bytes = Buffer.from(content);
    if ("lenient" in options)
      return void expect(
        (await readAll(format, Buffer.from('note,x",id\na "b",,1\n\n,,2\nc\\d,"",3\n'))).records,
      ).toEqual(expected);
    expect((await readAll(format, bytes)).records).toEqual(expected);
  });

  it("of one, empty ones too, are written and read back without quotes", async () => {
    const format = csv({ quote: false, columns: { note: utf8 } });
    const rows = [{ note: "" }, { note: 'a,"'.slice(2) }, { note: "" }];
    expect((await readAll(format, writeAll(format, rows))).records).toEqual(rows);
  });

  it("without quotes are read by the quick reader: the same rows as by splitting", async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => `${i},n"${i % 7}${i % 100 === 0 ? "\\" : ""}`);
    const content = Buffer.from(`id,note\n${rows.join("\n")}\n`);
    const { records } = await readAll(csv({ quote: false, columns }), content, 50_000);
    expect(records).toEqual(rows.map((line) => ({ id: Number(line.split(",")[0]), note: line.split(",")[1] })));
  });
});

it("a bad record in a dialect ends where its row does, and the next one is read", async () => {
  const format = csv({ quote: "'" });
  await expect(readAll(format, Buffer.from("a\n'x'y,b\nc\n"))).rejects.toMatchObject({
    start: 2,
    end: 9,
    message: expect.stringMatching(/cell 1: text behind the closing quote, at character 4.*lenient: true/),
  });
  await expect(readAll(csv({ escape: "\\" }), Buffer.from("a\nb\\"))).rejects.toThrow(/escape at its end/);
  await expect(readAll(csv({ escape: "\\" }), Buffer.from('a\n"b\nc'))).rejects.toThrow(/2 lines, .*multiline: false/);
  await expect(readAll(csv({ quote: "'" }), Buffer.from("1,ann\r2,bea\r3,cat"))).rejects.toMatchObject({ lines: 2 });
  const notUtf8 = Buffer.concat([Buffer.from("a\n"), Buffer.of(0xff), Buffer.from("\nb\n")]);
  await expect(readAll(csv({ quote: "'" }), notUtf8)).rejects.toMatchObject({ start: 2, end: 4 });
});

describe("a stray quote", () => {
  it.each([
    ['a, "b, c"', 'csv({ delimiter: ", " })', { delimiter: ", " }],
    ['a,5" pipe', "csv({ lenient: true })", { lenient: true }],
    ['a,"b" c"', "csv({ lenient: true })", { lenient: true }],
    ['a,"b" c,"d"', "csv({ lenient: true })", { lenient: true }],
    ['a,"b" c', "csv({ quote: false })", { quote: false }],
    ['a,"b \\"c\\" d"', 'csv({ escape: "\\\\" })', { escape: "\\" }],
    ['a,b \\" c', 'csv({ escape: "\\\\" })', { escape: "\\" }],
    ['a,"b', "csv({ quote: false })", { quote: false }],
  ] as const)("of %j is refused with the option that reads it", async (line, option, options) => {
    await expect(readAll(csv(), Buffer.from(`${line}\n`))).rejects.toThrow(option);
    expect((await readAll(csv(options), Buffer.from(`${line}\n`))).records).toHaveLength(1);
  });
});

it.each([
  [{ quote: "" }, /csv\(\{ quote \}\) takes one ASCII character that ends no line or false, not ""/],
  [{ quote: "ab" }, /takes one ASCII character/],
  [{ quote: "«" }, /takes one ASCII character/],
  [{ quote: "\n" }, /takes one ASCII character/],
  [{ quote: true }, /takes one ASCII character/],
  [{ quote: null }, /takes one ASCII character/],
  [{ escape: false }, /csv\(\{ escape \}\) takes one ASCII character/],
  [{ escape: "\r" }, /takes one ASCII character/],
  [{ lenient: 1 }, /csv\(\{ lenient \}\) takes true or false, not 1/],
  [{ lenient: true, quote: false }, /there are none/],
  [{ lenient: true, delimiter: "||" }, /a delimiter of one ASCII character/],
  [{ quote: "'", delimiter: "'" }, /text without quotes, escapes and line ends/],
  [{ escape: "\\", delimiter: "\\" }, /text without quotes, escapes and line ends/],
  [{ quote: "|", delimiter: "||" }, /text without quotes/],
  [{ delimiter: "" }, /text without quotes/],
])("csv(%j) is refused by name", (options, message) => {
  expect(() => csv(options as never)).toThrow(expect.objectContaining({ code: "wrong-job" }));
  expect(() => csv(options as never)).toThrow(message);
});

it("tsv has none of these options, and says what has", () => {
  for (const options of [{ quote: "'" }, { escape: "\\" }, { lenient: true }])
    expect(() => tsv(options)).toThrow(/tsv\(\) has no quotes.*csv\(\{ delimiter: "\\t"/);
});

it.each([
  [{ quote: false }, ["a,b"], /can't write a delimiter.*With escape/],
  [{ quote: false }, ["a\nb"], /can't write a delimiter, a line end/],
  [{ quote: false }, ["\ufeffa"], /a byte order mark/],
  [{ quote: false }, [""], /a row of one empty cell/],
  [{ quote: false, escape: "\\" }, [""], /a row of one empty cell/],
  [{ quote: "'", multiline: false }, ["a\nb"], /multiline: false.*line end in a cell/],
] as const)("csv(%j) refuses to write %j", (options, row, message) => {
  expect(() => writeAll(formatOf(options), [row])).toThrow(expect.objectContaining({ code: "bad-output" }));
  expect(() => writeAll(formatOf(options), [row])).toThrow(message);
});
