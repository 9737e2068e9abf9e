// The job that `millrace init --from` writes: its input typed as the files are, and a test with records of theirs.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { type Beginning, readBeginning } from "../../guess/beginning.ts";
import { codecs, type GuessedColumn } from "../../guess/column-type.ts";
import { formatOf, type Guess, type Guessed, type TableShape } from "../../guess/guess.ts";
import { nullable } from "../../job/codecs/nullable.ts";
import { access, literal, propertyName, valueCode, wrapped } from "./code.ts";
import { testText } from "./test-text.ts";

export interface SampledJob {
  readonly job: string;
  readonly test: string;
}

/** What a job counts: the records of each key. */
interface Counted {
  /** The name of a record in `map`. */
  readonly record: string;
  /** The key's codec, as code and as it is. */
  readonly codec: string;
  readonly names: readonly string[];
  readonly compare: (a: unknown, b: unknown) => number;
  /** The lines of `map`, whose last one emits. */
  readonly lines: readonly string[];
  /** The same in this program. */
  readonly keyOf: (record: unknown) => unknown;
}

export async function sampledJob(
  name: string,
  { guess, notes }: Guessed,
  beginnings: readonly Beginning[],
): Promise<SampledJob> {
  const records = await allRecords(guess, beginnings);
  const counted = countedOf(guess, records);
  return { job: jobText(name, guess, notes, beginnings, counted), test: sampleTest(name, guess, records, counted) };
}

async function allRecords(guess: Guess, beginnings: readonly Beginning[]): Promise<readonly unknown[]> {
  const records: unknown[] = [];
  for (const beginning of beginnings) records.push(...(await readBeginning(formatOf(guess), beginning)).records);
  return records;
}

function jobText(
  name: string,
  guess: Guess,
  notes: readonly string[],
  beginnings: readonly Beginning[],
  { record, codec, names, lines }: Counted,
): string {
  const imports = [...new Set(["defineJob", "sum", "tsv", "uint", formatName(guess), ...names, ...typesOf(guess)])];
  const sources = beginnings.map(({ source }) => literal(source).slice(1, -1)).join(", ");
  const comment = [
    `// Written by millrace init, which looked at ${beginnings.every(({ isWhole }) => isWhole) ? "" : "the beginning of "}${sources}.`,
    ...notes.map((note) => `// ${literal(note).slice(1, -1).replaceAll('\\"', '"')}.`),
  ];
  return `${wrapped("import {", imports.toSorted(), '} from "millrace";', "")}

${comment.join("\n")}
export default defineJob({
  name: "${name}",
  input: ${inputText(guess)},

  // How many records of each key? Change it to what you want to know.
  key: ${codec},
  value: uint,
  map(${record}, emit) {
${lines.map((line) => `    ${line}\n`).join("")}  },
  combine: sum,
  output: tsv(),
});
`;
}

function formatName(guess: Guess): string {
  switch (guess.kind) {
    case "text":
      return "text";
    case "json":
    case "fields":
      return "ndjson";
    case "rows":
    case "table":
      return guess.shape.format;
  }
}

function typesOf(guess: Guess): string[] {
  if (guess.kind !== "fields" && guess.kind !== "table") return [];
  return guess.columns.flatMap(({ type, nullable: isNullable }) => (isNullable ? ["nullable", type] : [type]));
}

function inputText(guess: Guess): string {
  switch (guess.kind) {
    case "text":
      return "text()";
    case "json":
      return guess.bigints ? 'ndjson({ integers: "bigint" })' : "ndjson()";
    case "fields":
      return `ndjson({\n    fields: {\n${columnLines(guess.columns)}    },\n  })`;
    case "rows": {
      const options = shapeOptions({ ...guess.shape, header: false }, false);
      return `${guess.shape.format}(${options.length === 0 ? "" : `{ ${options.join(", ")} }`})`;
    }
    case "table": {
      const options = shapeOptions(guess.shape, true).map((option) => `    ${option},\n`);
      return `${guess.shape.format}({\n${options.join("")}    columns: {\n${columnLines(guess.columns)}    },\n  })`;
    }
  }
}

/** Options that are not the format's defaults. */
function shapeOptions(
  { format, delimiter, header, multiline, dialect = {} }: TableShape,
  hasColumns: boolean,
): string[] {
  const options: string[] = [];
  if (delimiter !== (format === "tsv" ? "\t" : ",")) options.push(`delimiter: ${literal(delimiter)}`);
  if (header !== hasColumns) options.push(`header: ${header}`);
  if (!multiline) options.push("multiline: false");
  for (const [name, value] of Object.entries(dialect)) options.push(`${name}: ${valueCode(value)}`);
  return options;
}

function columnLines(columns: readonly GuessedColumn[]): string {
  return columns
    .map(({ name, type, nullable: isNullable, note }) => {
      const comment = note === undefined ? "" : ` // ${literal(note).slice(1, -1).replaceAll('\\"', '"')}`;
      return `      ${propertyName(name)}: ${isNullable ? `nullable(${type})` : type},${comment}\n`;
    })
    .join("");
}

/** A longer key is no group that anyone looks at; keys have at most 1 MiB. */
const keyCharactersMax = 1_000;

function countedOf(guess: Guess, records: readonly unknown[]): Counted {
  switch (guess.kind) {
    case "text":
      return {
        ...byText("line", [
          "// The first word of each line.",
          'const [word = ""] = line.trimStart().split(/\\s/, 1);',
          "emit(word, 1);",
        ]),
        keyOf: (record) => (record as string).trimStart().split(/\s/, 1)[0] ?? "",
      };
    case "json":
      return {
        ...byText("record", ['emit(Array.isArray(record) ? "array" : typeof record, 1);']),
        keyOf: (record) => (Array.isArray(record) ? "array" : typeof record),
      };
    case "rows":
      return {
        ...byText("row", ['emit(row[0] ?? "", 1);']),
        keyOf: (record) => (record as readonly string[])[0] ?? "",
      };
    case "fields":
    case "table": {
      const column = keyColumn(guess.columns, records);
      const record = guess.kind === "fields" ? "record" : "row";
      const codec = column.nullable ? nullable(codecs[column.type]) : codecs[column.type];
      const encode = (value: unknown) => {
        const bytes = new ByteBuffer();
        codec.write(value, bytes);
        return Buffer.from(bytes.view());
      };
      return {
        record,
        codec: column.nullable ? `nullable(${column.type})` : column.type,
        names: column.nullable ? ["nullable", column.type] : [column.type],
        compare: (a, b) => Buffer.compare(encode(a), encode(b)),
        lines: [`emit(${access(record, column.name)}, 1);`],
        keyOf: (held) => (held as Readonly<Record<string, unknown>>)[column.name],
      };
    }
  }
}

function byText(record: string, lines: readonly string[]): Omit<Counted, "keyOf"> {
  return {
    record,
    codec: "utf8",
    names: ["utf8"],
    compare: (a, b) => Buffer.compare(Buffer.from(a as string), Buffer.from(b as string)),
    lines,
  };
}

/** The column that makes the fewest groups, but more than one; text before numbers. */
function keyColumn(columns: readonly GuessedColumn[], records: readonly unknown[]): GuessedColumn {
  let best = columns[0]!;
  let bestRank = Number.POSITIVE_INFINITY;
  for (const column of columns) {
    const values = records.map((record) => (record as Readonly<Record<string, unknown>>)[column.name]);
    const texts = new Set(values.map(String));
    const isLong = values.some((value) => typeof value === "string" && value.length > keyCharactersMax);
    const groups = texts.size / Math.max(1, records.length);
    const rank =
      (isLong ? 1_000 : 0) +
      (texts.size < 2 ? 100 : 0) +
      (groups > 0.5 && records.length > 4 ? 50 : 0) +
      (column.type === "utf8" ? 0 : column.type === "bool" ? 5 : 10) +
      (column.nullable ? 2 : 0) +
      groups;
    if (rank < bestRank) [best, bestRank] = [column, rank];
  }
  return best;
}

/** Records that are longer as code make a test that no one reads. */
const codeCharactersMax = 2_000;
const recordsShown = 3;

function sampleTest(name: string, guess: Guess, records: readonly unknown[], { compare, keyOf }: Counted): string {
  const short = records.filter((record) => valueCode(record).length <= codeCharactersMax);
  const chosen = (short.length > 0 ? short : records).slice(0, recordsShown);
  const keys = chosen.map(keyOf).toSorted(compare);
  const groups: [key: unknown, count: number][] = [];
  for (const key of keys) {
    const last = groups.at(-1);
    if (last !== undefined && compare(last[0], key) === 0) last[1]++;
    else groups.push([key, 1]);
  }
  const given = chosen.map((record) => recordCode(guess, record));
  return testText(
    name,
    `  const { records } = await runInline(job, [
${given.map((code) => `    ${code},\n`).join("")}  ]);
  assert.deepEqual(records, [
${groups.map(([key, count]) => `    [${valueCode(key)}, ${count}],\n`).join("")}  ]);
`,
  );
}

function recordCode(guess: Guess, record: unknown): string {
  if (guess.kind !== "fields" && guess.kind !== "table") return valueCode(record);
  const held = record as Readonly<Record<string, unknown>>;
  return wrapped(
    "{",
    guess.columns.map((column) => `${propertyName(column.name)}: ${valueCode(held[column.name])}`),
    "}",
    "    ",
  );
}
