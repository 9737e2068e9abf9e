import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MillraceError } from "../base/error.ts";
import { type Beginning, readBeginning } from "./beginning.ts";
import { describeGuess } from "./describe.ts";
import { formatOf } from "./guess.ts";
import { guessFormat, type Wanted } from "./guess-format.ts";

const whole = (content: string | Buffer, source = "f"): Beginning => ({
  source,
  bytes: Buffer.from(content as string),
  isWhole: true,
});
const cut = (content: string): Beginning => ({ ...whole(content), isWhole: false });
const guessed = async (content: string | Buffer | readonly Beginning[], wanted: Wanted = {}) => {
  const beginnings = Array.isArray(content) ? (content as readonly Beginning[]) : [whole(content as string)];
  const { guess, notes } = await guessFormat(beginnings, wanted);
  for (const beginning of beginnings) {
    if (beginning.bytes.length > 0 && wanted.format === undefined)
      expect((await readBeginning(formatOf(guess), beginning)).refused).toEqual([]);
  }
  return { text: describeGuess(guess), notes: notes.join("\n") };
};

describe("tables", () => {
  it.each([
    [
      "a header, types, an empty cell",
      "id,city,amount,at,ok\n1,Rome,1.5,2024-01-01,true\n-2,Bonn,,2024-01-02,false\n",
      "csv with a header: id int, city utf8, amount float64?, at day, ok bool",
    ],
    ["no header", "1,2,x\n4,5,y\n", "csv: c1 uint, c2 uint, c3 utf8"],
    [
      "a header that only the look of cells shows",
      "name,seen\nAnn Lee,12:30\nBo Ray,13:45\n",
      "csv with a header: name utf8, seen utf8",
    ],
    ["a row of words for missing values, and no header", "NA,5,x\n1,6,y\n2,7,y\n", "csv: c1 utf8, c2 uint, c3 utf8"],
    ["years as names", "land,2019,2020\nA,1.5,2\nB,3,4\n", "csv with a header: land utf8, 2019 float64, 2020 uint"],
    ["years as cells", "A,2019,2020\nB,2020,2021\nA,2021,2022\n", "csv: c1 utf8, c2 uint, c3 uint"],
    ["a number among the names", "a,0,b\n1,2,3\n4,5,6\n", "csv with a header: a uint, 0 uint, b uint"],
    ["tabs", "id\tn\n1\ta\n2\tb\n", "tsv with a header: id uint, n utf8"],
    ["tabs and quotes", 'id\tn\n1\t"a ""b"""\n2\t"c\td"\n', 'csv by "\\t" with a header: id uint, n utf8'],
    ["tabs and paths", "id\tpath\n1\tC:\\new\\table\n2\tD:\\x\n", 'csv by "\\t" with a header: id uint, path utf8'],
    ["tabs and backslashes of nulls", "id\tn\n1\t\\N\n2\tb\n", 'csv by "\\t" with a header: id uint, n utf8'],
    ["semicolons and decimal commas", "a;b\n1,5;2,5\n3,5;4,5\n", 'csv by ";" with a header: a utf8, b utf8'],
    ["pipes", "id|text\n1|a, b\n2|c, d\n", 'csv by "|" with a header: id uint, text utf8'],
    ["a control character", "1\x01x\n2\x01y\n", 'csv by "\\u0001": c1 uint, c2 utf8'],
    ["spaces", "host1 200 1.5\nhost2 404 2.5\nhost1 200 3\n", 'csv by " ": c1 utf8, c2 uint, c3 float64'],
    [
      "spaces behind commas",
      'id, city, n\n1, "Rome, Italy", 5\n2, Bonn, 7\n',
      'csv by ", " with a header: id uint, city utf8, n uint',
    ],
    ["spaces behind semicolons", "a; b\n1; 2\n3; 4\n", 'csv by "; " with a header: a uint, b uint'],
    ["spaces behind some commas", "a,b\n1, 2\n3,4\n", "csv with a header: a uint, b utf8"],
    [
      "spaces between names and texts in quotes, as R writes them",
      '"city" "n"\n"New York" 5\n"Rome" 7\n"Bonn" 9\n',
      'csv by " " with a header: city utf8, n uint',
    ],
    [
      "numbers as names, above numbers",
      "id,104,109,230,1000\n7,5,6,7,8\n8,9,1,2,3\n",
      "csv with a header: id uint, 104 uint, 109 uint, 230 uint, 1000 uint",
    ],
    [
      "numbers as names, above words",
      "who,7,12\nAnn,yes,no\nBo,no,yes\n",
      "csv with a header: who utf8, 7 utf8, 12 utf8",
    ],
    [
      "years as names, downwards",
      "land,2020,2019\nA,1.5,2\nB,3,4\n",
      "csv with a header: land utf8, 2020 float64, 2019 uint",
    ],
    ["number signs", "id#name\n1#a\n2#b\n", 'csv by "#" with a header: id uint, name utf8'],
    [
      "colons",
      "root:x:0:0:root:/root\nbin:x:1:1:bin:/bin\n",
      'csv by ":": c1 utf8, c2 utf8, c3 uint, c4 uint, c5 utf8, c6 utf8',
    ],
    ["a byte order mark and CR LF", "\ufeffid,n\r\n1,2\r\n3,4\r\n", "csv with a header: id uint, n uint"],
    ["quoted separators and line ends", 'id,t\r\n1,"a, ""b""\r\nc"\r\n2,d\r\n', "csv with a header: id uint, t utf8"],
    [
      "leading zeros, signs, and integers beyond 2^53",
      "zip,tel,id\n01234,+49,9007199254740993\n99999,12,5\n",
      "csv with a header: zip utf8, tel utf8, id bigint",
    ],
    [
      "fractions with more digits than a number has",
      "a,b\n0.12345678901234567890,1\n1.5,2\n",
      "csv with a header: a utf8, b uint",
    ],
    [
      "a number too large, and infinities alone",
      "a,b,c\n1e999,Infinity,1\n2,-Infinity,2\n",
      "csv with a header: a utf8, b utf8, c uint",
    ],
    ["dates that are not all dates", "at,n\n2024-02-30,1\n2024-02-28,2\n", "csv with a header: at utf8, n uint"],
    [
      "days, and days of which one has a time",
      "a,b,c\n2024-02-29,2024-02-29,\n2024-03-01,2024-03-01 12:00,2024-03-01\n",
      "csv with a header: a day, b date, c day?",
    ],
    ["times finer than a millisecond", "at,n\n2024-02-28 12:00:00.123456,1\n", "csv with a header: at utf8, n uint"],
    [
      "names that are no identifiers",
      "__proto__,a b,,1st\n1,2,3,4\n5,6,7,8\n",
      'csv with a header: __proto__ uint, "a b" uint, "" uint, 1st uint',
    ],
    ["no line end at the end", "a,b\n1,2\n3,4", "csv with a header: a uint, b uint"],
    ["one row of numbers", "1,2,3\n", "csv: c1 uint, c2 uint, c3 uint"],
  ])("%s", async (_, content, text) => {
    expect((await guessed(content)).text).toBe(text);
  });

  it.each([
    ["inches", 'a,b\n1,5" pipe\n2,6" pipe\n', "csv with a header, quote false: a uint, b utf8"],
    [
      "a cell that begins with a quote",
      'id|note\n1|5" x\n2|"6\n3|y\n',
      'csv by "|" with a header, quote false: id uint, note utf8',
    ],
    [
      "quotes after backslashes",
      'a,b\n1,"say \\"hi\\", ok"\n2,x\n',
      'csv with a header, escape "\\\\": a uint, b utf8',
    ],
    ["single quotes", "'a';'b'\n'1';'x; y'\n'2';'it''s'\n", `csv by ";" with a header, quote "'": a uint, b utf8`],
    ["single quotes that hide nothing", "'a','b'\n'1','x'\n'2','y'\n", `csv with a header, quote "'": a uint, b utf8`],
    ["apostrophes", "a,b\n1,it's\n2,that's\n", "csv with a header: a uint, b utf8"],
    [
      "quotes inside quotes",
      'a,b\n1,"he said "hi" to me"\n2,"x, y"\n',
      "csv with a header, lenient true: a uint, b utf8",
    ],
  ])("quoted in another way: %s", async (_, content, text) => {
    expect((await guessed(content)).text).toBe(text);
  });

  it("says what it could not tell, or left out", async () => {
    expect(await guessed("a,a,b\n1,2,3\n4,5,6\n")).toMatchObject({
      text: "csv with a header: b uint",
      notes: expect.stringContaining('more than one column "a"'),
    });
    expect((await guessed("a,a\n1,2\n4,5\n")).notes).toContain("no column can be read by its name");
    expect((await guessed("ann,rome\nbob,paris\n")).notes).toMatch(/all columns are text.*header: false/);
    expect(await guessed(`a,b,c\n${"1,2,3\n".repeat(30)}1,2\n`)).toMatchObject({
      text: "csv, rows of any width",
      notes: expect.stringContaining("f:186 has 2 cells"),
    });
    expect(await guessed('a,b\n1,x\n2,"y\n3,z,z\n4,w\n')).toMatchObject({
      text: "lines of text",
      notes: expect.stringMatching(/by "," its rows would be csv, but f:8: .*is not closed/),
    });
  });

  it("names the first row that csv would refuse, in a file that is called a table and is none", async () => {
    const lines = (content: string, source: string) => guessed([whole(content, source)]);
    const text = "lines of text";
    expect(await lines("id,n\n1,2\n3\n4,5,6\n7,8\n", "a.csv")).toEqual({
      text,
      notes:
        'by "," its rows would be csv, but the row at a.csv:9 has 1 cell where the first has 2: --format csv takes rows of any width',
    });
    expect(await lines("id;n\n1;2,5\n3;4,5;6\n7;8,5\n", "a.CSV.gz")).toEqual({
      text,
      notes:
        "by \";\" its rows would be csv, but the row at a.CSV.gz:11 has 3 cells where the first has 2: --format csv --delimiter ';' takes rows of any width",
    });
    expect(await lines("id\tn\n1\t2\n3\n", "a.tsv")).toEqual({
      text,
      notes:
        'by "\\t" its rows would be tsv, but the row at a.tsv:9 has 1 cell where the first has 2: --format tsv takes rows of any width',
    });
    // A title above the header.
    expect((await lines("Sales of 2024\nid,n\n1,2\n3,4\n", "a.csv")).notes).toContain("a.csv:14 has 2 cells where");
    for (const [content, source] of [
      ["id,n\n1,2\n3\n4,5,6\n7,8\n", "a.log"],
      ["one\ntwo\nthree\n", "a.csv"],
    ] as const)
      expect(await lines(content, source)).toEqual({ text, notes: "" });
  });

  it("says which command makes a table of a file whose first lines, header or comments keep it from being one", async () => {
    const noteOf = async (content: string) => (await guessed([whole(content, "a.csv")])).notes;
    const table = "id,n,x\n1,2,3\n4,5,6\n";
    expect(await noteOf(`Sales of 2024\n\n${table}`)).toContain("2 lines are no records: tail -n +3 OLD > NEW");
    expect(await noteOf(`Sales of 2024\r\n${table}`)).toContain("line is no record: tail -n +2 OLD > NEW");
    expect(await noteOf(`# Sales\n${table}# more\n7,8,9\n`)).toContain(`are no records: grep -v '^#' OLD > NEW`);
    expect(await noteOf("id,n\na,1,2\nb,3,4\n")).toContain("first column: sed '1s/^/row,/' OLD > NEW");
    expect(await noteOf("id;n\r\n1;2;\r\n3;4;\r\n")).toContain("ends each row: sed '1s/\\r$/;last/' OLD > NEW");
    expect(await noteOf("id\tn\na\t1\t2\nb\t3\t4\n")).toContain("sed '1s/^/row\\t/' OLD > NEW");
    expect(await noteOf(`${table}7,8\n`)).toContain("--format csv takes rows of any width");
    expect((await guessed(`# made by x, y\n${table.repeat(20)}`)).notes).toMatch(/arrays of text. For names: .*grep/);
  });

  it("takes a file called csv for a column where numbers or dates stand below a name", async () => {
    const textOf = async (content: string, source = "a.csv") => (await guessed([whole(content, source)])).text;
    expect(await textOf("ms\n1.5\n2\n")).toBe("csv with a header: ms float64");
    expect(await textOf("at\r\n2024-01-01\r\n2024-01-02\r\n")).toBe("csv with a header: at day");
    expect(await textOf("ms\n1.5\n2\n", "a.txt")).toBe("lines of text");
    expect(await textOf("1\n2\n3\n")).toBe("lines of text");
    expect(await textOf("ms\n1\n\n2\n")).toBe("lines of text");
    expect((await guessed("ms\n1.5\n2\n", { format: "csv" })).text).toBe("csv with a header: ms float64");
  });

  it("reads stray quotes as text where a lenient reader would take rows for cells", async () => {
    const rows = ['7;"Smith & Co;x;1', '8;"Miller";y;2', '9;"Baker" Ltd;z;3'].join("\n");
    expect((await guessed(`id;name;c;n\n${rows}\n`)).text).toContain('csv by ";" with a header, quote false: id uint');
  });

  it("says where times have no zone", async () => {
    const noteOf = async (content: string) => {
      const { guess } = await guessFormat([whole(content)]);
      if (guess.kind !== "table" && guess.kind !== "fields") throw new Error(`guessed ${guess.kind}`);
      const { type, note } = guess.columns.find(({ name }) => name === "at")!;
      return `${type} ${note}`;
    };
    const without = /^date times without a zone are read as UTC, /;
    expect(await noteOf("n,at\n1,2024-05-01T12:00:00Z\n2,2024-05-01 12:00\n")).toMatch(without);
    expect(await noteOf("n,at\n1,2024-05-01T12:00:00Z\n2,2024-05-01T12:00+02:00\n3,2024-05-01\n")).toBe(
      "date undefined",
    );
    expect(await noteOf('{"at":"2024-05-01T12:00:00.5"}\n{"at":"2024-05-02T12:00:00Z"}\n')).toMatch(without);
    expect(await noteOf('{"at":"2024-05-01T12:00:00Z"}\n')).toBe("date undefined");
    expect(await noteOf("n,at\n1,2024-05-01\n2,2024-05-02\n")).toBe("day undefined");
  });

  it("says which cells keep a column from having a type, and is quick with many of them", async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => `${i % 7 === 0 ? "NA" : i},n${i}\n`).join("");
    const { guess } = await guessFormat([whole(`n,x\n${rows}`)]);
    expect(guess).toMatchObject({
      columns: [{ name: "n", type: "utf8", note: 'float64 but for "NA"' }, { name: "x" }],
    });
  });

  it("reads columns that all files have, by their names", async () => {
    const files = [whole("id,n,old\n1,x,1\n", "a"), whole("new,n,id\n1,y,-2\n", "b"), whole("", "c")];
    const { text, notes } = await guessed(files);
    expect(text).toBe("csv with a header: id int, n utf8");
    expect(notes).toMatch(/c is empty\n.*"old".*\n.*"new"/);
  });

  it("is not misled by where the beginning ends", async () => {
    const content = 'id,text\n1,"a ""quoted"", text\nwith a line"\n22,"é"\n333,"x"\n'.repeat(1);
    const bytes = Buffer.from(content);
    for (let end = content.indexOf("22,"); end <= bytes.length; end++) {
      const { text } = await guessed([{ source: "f", bytes: bytes.subarray(0, end), isWhole: false }]);
      expect([end, text]).toEqual([end, "csv with a header: id uint, text utf8"]);
    }
  });
});

describe("JSON", () => {
  it.each([
    [
      "kinds, missing fields and nulls",
      '{"a":1,"b":"x","c":null,"e":true}\n\n{"a":-2.5,"b":"y","d":"2024-01-01"}\n',
      "ndjson: a float64, b utf8, c utf8?, e bool?, d day?",
    ],
    [
      "whole numbers that are written as fractions",
      '{"a":1.0,"b":-2e3,"c":0}\n',
      "ndjson: a float64, b float64, c uint",
    ],
    ["the same in text", '{"a":1,"b":"2.0","c\\"1.0":"\\\\","d":[1.0]}\n', 'ndjson: a uint, b utf8, "c\\"1.0" utf8'],
    ["an empty text is no null", '{"a":""}\n{"a":"2024-01-01"}\n', "ndjson: a utf8"],
    ["names that are no identifiers", '{"__proto__":1,"a b":2,"":3}\n', 'ndjson: __proto__ uint, "a b" uint, "" uint'],
    ["arrays", "[1,2]\n[3,4]\n", "ndjson, a value per line"],
    ["nothing but nested values", '{"a":{"b":1}}\n{"a":[9007199254740993]}\n', "ndjson, a value per line"],
    [
      "integers beyond 2^53",
      '{"id":9007199254740993,"x":12345678901234567890,"n":1}\n{"id":-1,"y":{"id":1e30},"n":1e20}\n',
      "ndjson: id bigint, x bigint?",
    ],
    ["a name with an escape", '{"a\\u0062":1}\n{"ab":2}\n', "ndjson: ab uint"],
  ])("%s", async (_, content, text) => {
    expect((await guessed(content)).text).toBe(text);
  });

  it("leaves out what a field can't hold, and says so", async () => {
    const { text, notes } = await guessed(
      '{"id":9007199254740993,"n":1,"t":[1],"m":1}\n{"id":1.5,"n":2,"t":{},"m":"x"}\n',
    );
    expect(text).toBe("ndjson: n uint");
    expect(notes).toMatch(/"id" \(numbers beyond 2\^53.*\n.*"t" \(objects or arrays\)\n.*"m" \(numbers and text\)/);
  });

  it("takes lines of which some are no JSON for text, unless it is told otherwise", async () => {
    const content = '{"a":1}\nhello\n{"a":2}\n';
    expect(await guessed(content)).toMatchObject({
      text: "lines of text",
      notes: expect.stringContaining("f:8 is not"),
    });
    expect(await guessed(content, { format: "ndjson" })).toMatchObject({
      text: "ndjson: a uint",
      notes: expect.stringContaining("--skip-bad"),
    });
  });

  it.each([
    ["lines that end with a comma", '{"a":1,"b":2},\n{"a":2,"b":3},\n', "sed 's/,[[:space:]]*$//' OLD > NEW"],
    ["of which the last has none", '{"a":1,"b":2},\n{"a":2,"b":3}\n', "sed 's/,[[:space:]]*$//' OLD > NEW"],
    ["several objects in a line", '{"a":1}{"a":2}\n{"a":3} {"a":4}\n', "jq -c . OLD > NEW"],
    ["commas before brackets", '{"a":1,"b":[1,],}\n{"a":2,"b":[],}\n', "where no text has one:  sed "],
    ["a text sequence", '\x1e{"a":1,"b":1}\n\x1e{"a":2,"b":2}\n', "tr -d '\\036' < OLD > NEW"],
  ])("tells how %s become NDJSON", async (_, content, command) => {
    const { text, notes } = await guessed(content);
    expect(text).toBe("lines of text");
    expect(notes).toContain(command);
  });

  it("tells no way that would not be enough", async () => {
    const { notes } = await guessed('{"a":1},\n{"a":2\n{"a":3},\n');
    expect(notes).not.toContain("sed");
  });
});

it("guesses thousands of columns", async () => {
  const names = Array.from({ length: 20_000 }, (_, i) => `c${i}`);
  const { text } = await guessed(`${names.join(",")}\n${names.map((_, i) => i).join(",")}\n`);
  expect(text).toContain("and 19988 more");
});

describe("text", () => {
  it.each([
    ["prose", "To be, or not to be\nThat is, the question\n"],
    ["a log", "2024-05-01T12:00:00Z ERROR the disk is full\n2024-05-01T12:00:01Z INFO ok\n"],
    ["a log with commas in its times", "2024-05-01 12:00:00,123 INFO a\n2024-05-01 12:00:01,124 INFO b\n"],
    ["an access log", '127.0.0.1 - - [01/May/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 12 "-" "M"\n'.repeat(3)],
    ["colours", "\x1b[31mred\x1b[0m\n\x1b[32mgreen\x1b[0m\n"],
    ["a log of equal lines", "2024-05-01 12:00:00 INFO 5 ok\n".repeat(5)],
    ["counts of uniq", "      3 host1\n     12 host2\n      4 host3\n"],
    ["one word", "hello"],
  ])("%s", async (_, content) => {
    expect((await guessed(content)).text).toBe("lines of text");
  });
});

it.each([
  ["nothing", [whole("")], "nothing in it"],
  ["zero bytes", [whole("a\0b\n")], "zero bytes, the first at 1"],
  ["a zero byte in a table", [whole("a,b\n1,\0\n")], "tr -d '\\0' < OLD > NEW"],
  ["Latin-1", [whole(Buffer.from("caf\xe9,1\ncaf\xe9,2\n", "latin1"))], "byte 0xe9 at 3 is not UTF-8"],
  ["UTF-16", [whole(Buffer.from("\ufeffid,n\n1,2\n", "utf16le"))], "UTF-16"],
  ["PNG", [whole(Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"))], "zero bytes"],
  ["lines that end with CR", [whole("a,b\r1,2\r")], "carriage return alone"],
  ["one line that goes on", [cut("x".repeat(1000))], "no line end"],
  ["a header alone", [whole("id,name\n")], "no row below it"],
  ["an array over lines", [whole('[\n{"a":1},\n{"a":2}\n]\n')], "jq -c '.[]'"],
  ["an array in a line", [whole('[{"a":1},{"a":2}]')], "jq -c '.[]'"],
  ["an object over lines", [cut('{\n  "a": 1,\n')], "jq -c '.'"],
  [
    "files of two formats",
    [whole("a,b\n1,2\n", "a.csv"), whole('{"a":1}\n', "b.ndjson")],
    "a.csv is a table, b.ndjson is ndjson",
  ],
])("refuses %s, and says why", async (_, beginnings, why) => {
  const refused = await guessFormat(beginnings).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(MillraceError);
  expect(refused).toMatchObject({ code: "bad-input", message: expect.stringContaining(why) });
});

it("property: whatever the bytes are, what is guessed reads them all, or the refusal is a plain one", async () => {
  const piece = fc.constantFrom(
    ...'ab1-,;|\t":.0 \\\r\n{}[]é\0\x01\ufeff',
    '"a"',
    '{"a":1}',
    "\n",
    "1.5",
    "2024-01-01",
    "true",
  );
  const content = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(""));
  const file = fc
    .record({ content, isWhole: fc.boolean(), cutBytes: fc.nat(2) })
    .map(({ content: text, isWhole, cutBytes }) => {
      const bytes = Buffer.from(text);
      return { source: "f", bytes: bytes.subarray(0, Math.max(0, bytes.length - cutBytes)), isWhole };
    });
  await fc.assert(
    fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 2 }), async (beginnings) => {
      try {
        const { guess } = await guessFormat(beginnings);
        for (const beginning of beginnings) {
          if (beginning.bytes.length > 0) expect((await readBeginning(formatOf(guess), beginning)).refused).toEqual([]);
        }
      } catch (thrown) {
        if (!(thrown instanceof MillraceError)) throw thrown;
        expect(thrown.code).toBe("bad-input");
      }
    }),
    { numRuns: 300 },
  );
});
