// Guesses the format of files by their beginnings. What is guessed reads all records of the beginnings: where a
// narrower guess does not, the next wider one is taken, down to lines of text.
import { MillraceError } from "../base/error.ts";
import { type Beginning, readBeginning, refuseNoLines } from "./beginning.ts";
import { formatOf, type Guess, type Guessed } from "./guess.ts";
import { guessJson, guessJsonLines } from "./json.ts";
import { guessTable, onlyHeader } from "./table.ts";

/** What a user has said of the format. */
export interface Wanted {
  readonly format?: "text" | "ndjson" | "csv" | "tsv";
  readonly delimiter?: string;
}

/** Throws `bad-input` where no format of lines reads the files, or they do not say enough. */
export async function guessFormat(given: readonly Beginning[], wanted: Wanted = {}): Promise<Guessed> {
  const empty = given.filter(({ bytes }) => bytes.length === 0);
  const beginnings = given.filter(({ bytes }) => bytes.length > 0);
  const notes = empty.map(({ source }) => `${source} is empty`);
  if (beginnings.length === 0) {
    throw new MillraceError(
      "bad-input",
      `${given.map(({ source }) => source).join(", ")}: there is nothing in it to guess a format from`,
    );
  }
  for (const beginning of beginnings) await refuseNoLines(beginning);
  const guessed = await guessLines(beginnings, wanted);
  // A format that a user has asked for is taken, whatever it refuses.
  const isAsked = wanted.format !== undefined || wanted.delimiter !== undefined;
  const { count, first } = isAsked ? await refusedBy(guessed.guess, beginnings) : { count: 0, first: undefined };
  const bad = first === undefined ? [] : [`${first}: the job needs --skip-bad`];
  return { guess: guessed.guess, notes: [...notes, ...guessed.notes, ...bad], badRecords: count };
}

async function guessLines(beginnings: readonly Beginning[], wanted: Wanted): Promise<Guessed> {
  const { format, delimiter } = wanted;
  if (format === "text") return { guess: { kind: "text" }, notes: [] };
  // Fields of the lines that are objects; the others are bad records.
  if (format === "ndjson") return guessJsonLines(beginnings) ?? { guess: { kind: "json", bigints: false }, notes: [] };
  if (format === "csv" || format === "tsv" || delimiter !== undefined) {
    const table = await guessTable(beginnings, {
      ...(format !== undefined && { format }),
      ...(delimiter !== undefined && { delimiter }),
    });
    const shape = {
      format: format ?? "csv",
      delimiter: delimiter ?? (format === "tsv" ? "\t" : ","),
      header: false,
      multiline: true,
    };
    return (await checked(table, beginnings)) ?? { guess: { kind: "rows", shape }, notes: table?.notes ?? [] };
  }
  await refuseMixed(beginnings);
  const json = guessJson(beginnings);
  if (json.kind === "json") {
    const fit = await checked(json.guessed, beginnings);
    if (fit !== undefined) return fit;
  }
  const notes = json.kind === "mixed" ? [json.note] : [];
  const refused: string[] = [];
  const table = json.kind === "none" ? await guessTable(beginnings, {}, (note) => refused.push(note)) : undefined;
  if (table === undefined) notes.push(...refused.slice(0, 1));
  if (table?.notes.includes(onlyHeader) === true) {
    const sources = beginnings.map(({ source }) => source).join(", ");
    throw new MillraceError(
      "bad-input",
      `${sources}: ${onlyHeader}, so what its columns hold can't be told: give a file with records`,
    );
  }
  return (await checked(table, beginnings)) ?? { guess: { kind: "text" }, notes };
}

/** Several files are read by one format. */
async function refuseMixed(beginnings: readonly Beginning[]): Promise<void> {
  const kinds = new Map<string, string>();
  for (const beginning of beginnings) {
    const json = guessJson([beginning]).kind;
    const kind =
      json === "json"
        ? "ndjson"
        : json === "none" && (await guessTable([beginning])) !== undefined
          ? "a table"
          : "text";
    if (!kinds.has(kind)) kinds.set(kind, beginning.source);
    if (beginnings.length === 1) return;
  }
  if (kinds.size < 2) return;
  const each = [...kinds].map(([kind, source]) => `${source} is ${kind}`);
  throw new MillraceError(
    "bad-input",
    `one input has one format, and ${each.join(", ")}: give files of one kind, or --format to read all by one`,
  );
}

/** The guess, or the next wider one that reads every record; undefined where that is none. */
async function checked(guessed: Guessed | undefined, beginnings: readonly Beginning[]): Promise<Guessed | undefined> {
  if (guessed === undefined) return undefined;
  const notes = [...guessed.notes];
  for (const guess of widening(guessed.guess)) {
    const refused = await firstRefused(guess, beginnings);
    if (refused === undefined) return { guess, notes };
    notes.push(refused);
  }
  return undefined;
}

function* widening(guess: Guess): Generator<Guess> {
  yield guess;
  if (guess.kind === "fields") yield { kind: "json", bigints: false };
  if (guess.kind === "fields" || guess.kind === "json") yield { kind: "json", bigints: true };
  if (guess.kind === "table") yield { kind: "rows", shape: guess.shape };
}

async function firstRefused(guess: Guess, beginnings: readonly Beginning[]): Promise<string | undefined> {
  return (await refusedBy(guess, beginnings)).first;
}

/** How many records a guess refuses, and which is the first of them. */
async function refusedBy(
  guess: Guess,
  beginnings: readonly Beginning[],
): Promise<{ readonly count: number; readonly first: string | undefined }> {
  const format = formatOf(guess);
  let count = 0;
  let first: string | undefined;
  for (const beginning of beginnings) {
    const { refused } = await readBeginning(format, beginning);
    const [bad] = refused;
    if (bad !== undefined) first ??= `${beginning.source}:${bad.start}: ${bad.message}`;
    count += refused.length;
  }
  return { count, first };
}
