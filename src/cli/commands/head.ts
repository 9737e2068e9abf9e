// `millrace head`: shows the first records of files as a format sees them, with their offsets.
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { MillraceError } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import { readsText, refuseForeign } from "../../format/blocks/content.ts";
import type { InputFormat } from "../../format/format.ts";
import { Content, sourcesOf } from "../../guess/content.ts";
import { describeGuess } from "../../guess/describe.ts";
import { formatOf } from "../../guess/guess.ts";
import { guessFormat, type Wanted } from "../../guess/guess-format.ts";
import { createStorage } from "../../storage/any.ts";
import { firstRecords, type SeenRecord } from "../head/first-records.ts";
import { loadHere } from "../here.ts";
import { readable } from "../replay/readable.ts";
import { pc } from "../screen/colour.ts";
import { printable } from "../screen/error-text.ts";
import { linePrinter } from "../screen/line-printer.ts";
import { withUserCode } from "../user-code.ts";

export interface HeadFlags extends Wanted {
  /** How many of each file. */
  readonly records: number;
  /** A job whose input's format reads the files. */
  readonly job?: string;
  readonly input?: string;
}

/** Offsets below 10 MB stand in one column. */
const offsetWidth = 8;

export async function headCommand(
  paths: readonly string[],
  flags: HeadFlags,
  firstSlot?: ChildProcess | undefined,
): Promise<void> {
  const { job, format, delimiter, input, records } = flags;
  if (job !== undefined && (format !== undefined || delimiter !== undefined))
    throw new MillraceError("wrong-usage", "give --job, whose format it is, or --format and --delimiter");
  if (job === undefined && input !== undefined)
    throw new MillraceError("wrong-usage", "--input NAME is one of a job's inputs: give --job too");
  const number = paths.find((path, i) => i > 0 && /^\d+$/.test(path) && !existsSync(path));
  if (number !== undefined)
    throw new MillraceError("wrong-usage", `there is no file ${number}: how many records are shown is  -n ${number}`);
  const ofJob = job === undefined ? undefined : await jobsFormat(job, input, firstSlot);
  let isOpen = true;
  const print = linePrinter(() => {
    isOpen = false;
  });
  const sources = await sourcesOf({
    storage: createStorage(),
    paths,
    directory: process.cwd(),
    standardInput: () => process.stdin,
  });
  for (const [i, each] of sources.entries()) {
    const content = new Content(each);
    try {
      if (i > 0) print("");
      const found = ofJob ?? (await guessed(content, flags));
      if (ofJob !== undefined) await refuseOther(content, ofJob.format);
      print(pc.bold(`${printable(each.source)}  `) + pc.dim(printable(found.description)));
      for (const note of found.notes) print(pc.dim(`  ${printable(note)}`));
      await withUserCode(async () => {
        for await (const seen of firstRecords(content, found.format, records)) {
          if (!isOpen) return;
          print(lineOf(seen));
        }
      });
    } finally {
      await content.close();
    }
    if (!isOpen) return;
  }
}

interface Found {
  readonly format: InputFormat<unknown>;
  readonly description: string;
  readonly notes: readonly string[];
}

async function guessed(content: Content, wanted: Wanted): Promise<Found> {
  const beginning = await content.beginning(limits.guessBytes);
  if (beginning.bytes.length === 0) return { format: formatOf({ kind: "text" }), description: "is empty", notes: [] };
  const { guess, notes } = await guessFormat([beginning], wanted);
  return { format: formatOf(guess), description: describeGuess(guess), notes };
}

async function refuseOther(content: Content, format: InputFormat<unknown>): Promise<void> {
  if (!readsText(format)) return;
  const { source, bytes } = await content.beginning(limits.guessBytes);
  try {
    await refuseForeign(bytes, format);
  } catch (thrown) {
    if (!(thrown instanceof MillraceError)) throw thrown;
    throw new MillraceError(thrown.code, `${source}: ${thrown.message}`, { cause: thrown });
  }
}

async function jobsFormat(
  job: string,
  wanted: string | undefined,
  firstSlot: ChildProcess | undefined,
): Promise<Found> {
  const here = await loadHere({ job, environment: new Map(), firstSlot });
  here.close(); // the job is in memory now
  const { name, inputs } = here.job;
  const names = inputs.map((input) => input.name);
  const index = names[0] === "" && wanted === undefined ? 0 : names.indexOf(wanted ?? "");
  if (index < 0) {
    const which =
      names[0] === "" ? "has one input: leave out --input" : `has the inputs ${names.join(", ")}: give --input NAME`;
    throw new MillraceError("wrong-usage", `the job ${name} ${which}`);
  }
  return { format: inputs[index]!.format, description: `as ${name} reads it`, notes: [] };
}

function lineOf(seen: SeenRecord): string {
  const offset = pc.dim(String(seen.start).padStart(offsetWidth));
  if (seen.kind === "record") return `${offset}  ${readable(seen.record, { oneLine: true })}`;
  const excerpt = seen.bytes.length === 0 ? "" : pc.dim(`  | ${readable(seen.bytes, { oneLine: true })}`);
  return `${offset}  ${pc.red("bad")} ${printable(seen.message)}${excerpt}`;
}
