// `millrace init`: writes a job and a test for it, which run as they are, and what a project of jobs needs beside them.
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import { formatBytes, formatCount } from "../../base/units.ts";
import type { Wanted } from "../../guess/guess-format.ts";
import { writeNew } from "../init/files.ts";
import { checkName, isName, nameAfter, usualName } from "../init/name.ts";
import { plainJob } from "../init/plain.ts";
import { missingProjectFiles } from "../init/project.ts";
import { printable } from "../screen/error-text.ts";
import { quoted } from "../screen/hints.ts";

export interface InitFlags extends Wanted {
  /** Files for which the job is written. */
  readonly from?: readonly string[];
}

const filesLooked = 8;

/** Writes into `folder` and returns what the command prints. */
export async function initCommand(
  given: string | undefined,
  flags: InitFlags,
  folder: string,
): Promise<readonly string[]> {
  const { from } = flags;
  if (given === undefined) refuseNameBehind(from, folder);
  else if (from === undefined) refuseFileAsName(given, folder);
  const name = given ?? (from === undefined ? usualName : nameAfter(from[0]!));
  checkName(name);
  if (from !== undefined) return initFrom(name, from, flags, folder);
  if (flags.format !== undefined || flags.delimiter !== undefined)
    throw new MillraceError("wrong-usage", "--format and --delimiter say how files are read: give some with --from");
  return written({ name, folder, ...plainJob(name), inputs: ["FILE"] });
}

/** `--from` takes all the words behind it, a name too. */
function refuseNameBehind(from: readonly string[] = [], folder: string): void {
  const last = from.at(-1);
  if (from.length < 2 || last === undefined || !isName(last) || existsSync(resolve(folder, last))) return;
  const files = from.slice(0, -1).map(quoted).join(" ");
  throw new MillraceError(
    "wrong-usage",
    `there is no file ${last}; the name of a job stands before --from:  millrace init ${last} --from ${files}`,
  );
}

function refuseFileAsName(name: string, folder: string): void {
  if (isName(name) || statSync(resolve(folder, name), { throwIfNoEntry: false })?.isFile() !== true) return;
  throw new MillraceError(
    "wrong-usage",
    `${quoted(name)} is a file, and no name of a job: for a job that reads it  millrace init --from ${quoted(name)}`,
  );
}

async function initFrom(
  name: string,
  paths: readonly string[],
  wanted: Wanted,
  folder: string,
): Promise<readonly string[]> {
  const [{ Content, sourcesOf }, { guessFormat }, { describeGuess }, { sampledJob }, { createStorage }] =
    await Promise.all([
      import("../../guess/content.ts"),
      import("../../guess/guess-format.ts"),
      import("../../guess/describe.ts"),
      import("../init/sampled.ts"),
      import("../../storage/any.ts"),
    ]);
  const sources = await sourcesOf({
    storage: createStorage(),
    paths,
    directory: folder,
    standardInput: () => process.stdin,
  });
  const beginnings = [];
  for (const source of spread(sources, filesLooked)) {
    const content = new Content(source);
    try {
      beginnings.push(await content.beginning(limits.guessBytes));
    } finally {
      await content.close();
    }
  }
  const guessed = await guessFormat(beginnings, wanted);
  const looked = beginnings.filter(({ bytes }) => bytes.length > 0);
  const texts = await sampledJob(name, guessed, looked);
  const more = sources.length - beginnings.length;
  const parts = looked.filter(({ isWhole }) => !isWhole).length;
  return [
    ...written({ name, folder, ...texts, inputs: paths, skipBad: skipBadFor(guessed.badRecords ?? 0) }),
    "",
    printable(describeGuess(guessed.guess)),
    ...guessed.notes.map((note) => `- ${printable(note)}`),
    ...(more > 0
      ? [`- ${formatCount(beginnings.length)} of the ${formatCount(sources.length)} files were looked at`]
      : []),
    ...(parts > 0
      ? [
          `- of ${parts === 1 ? "one file" : `${parts} files`} the first ${formatBytes(limits.guessBytes)} were looked at: a record further on that is of another kind is a bad record`,
        ]
      : []),
  ];
}

/** At most `count` of them, evenly spread: files that are named by date change over time. */
function spread<T>(items: readonly T[], count: number): readonly T[] {
  if (items.length <= count) return items;
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * (items.length - 1)) / (count - 1))]!);
}

interface NewJob {
  readonly name: string;
  readonly folder: string;
  /** The texts of the two files. */
  readonly job: string;
  readonly test: string;
  /** What the printed command reads. */
  readonly inputs: readonly string[];
  /** How many bad records the printed command puts aside. */
  readonly skipBad?: number;
}

/** At least ten times as many as were found, and 100, as there may be more further on. */
function skipBadFor(found: number): number {
  return found === 0 ? 0 : 10 ** Math.max(2, Math.ceil(Math.log10(found * 10)));
}

function written({ name, folder, job, test, inputs, skipBad = 0 }: NewJob): readonly string[] {
  const beside = missingProjectFiles(name, folder);
  const files = [{ name: `${name}.ts`, text: job }, { name: `${name}.test.ts`, text: test }, ...beside];
  writeNew(folder, files);
  const names = files.map((file) => file.name);
  return [
    `wrote ${names.slice(0, -1).join(", ")} and ${names.at(-1)}`,
    "",
    ...(beside.some((file) => file.name === "package.json")
      ? ["  npm install                types for your editor, and npx millrace"]
      : []),
    `  millrace test ${name}.test.ts`,
    `  millrace run ${name}.ts ${inputs.map(quoted).join(" ")} -o result${skipBad === 0 ? "" : ` --skip-bad ${skipBad}`}`,
  ];
}
