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
  return { ...guessed, notes: [...notes, ...guessed.notes] };
}

async function guessLines(beginnings: readonly Beginning[], wanted: Wanted): Promise<Guessed> {
  const { format, delimiter } = wanted;
  if (format === "text") return { guess: { kind: "text" }, notes: [] };
  if (format === "ndjson")
    return (await jsonAsFarAsItGoes(beginnings)) ?? { guess: { kind: "json", bigints: false }, notes: [] };
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

/** Fields of the lines that are objects; the others are bad records, which the user has been told of. */
async function jsonAsFarAsItGoes(beginnings: readonly Beginning[]): Promise<Guessed | undefined> {
  const guessed = guessJsonLines(beginnings);
  if (guessed === undefined) return undefined;
  const { guess, notes } = guessed;
  const refused = await firstRefused(guess, beginnings);
  return { guess, notes: refused === undefined ? notes : [...notes, `${refused}: the job needs --skip-bad`] };
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
  const format = formatOf(guess);
  for (const beginning of beginnings) {
    const { refused } = await readBeginning(format, beginning);
    const [first] = refused;
    if (first !== undefined) return `${beginning.source}:${first.start}: ${first.message}`;
  }
  return undefined;
}
