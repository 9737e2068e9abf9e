// What `COMMAND JOB --help` shows below the help of the command: parameters, inputs, outputs and side files of the
// job, which is loaded for that in a slot, as for a run. Loaded where a job is named.
import { resolve } from "node:path";
import type { Command, Option } from "commander";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { randomId } from "../../base/system/random.ts";
import { describeInSlot } from "../../engine/remote/describe.ts";
import type { OfCommand } from "../../engine/run/option-table.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import { jobIdOf } from "../../master/master.ts";
import { listenForInterrupts } from "../interrupts.ts";
import { stillLoading, tell } from "../loading.ts";
import { nameOf } from "../options.ts";
import { printable } from "../screen/error-text.ts";
import { linePrinter } from "../screen/line-printer.ts";

/** Where nothing tells the width. */
const usualWidth = 80;
/** A longer term has a line of its own, so that there is room for what is said of the others. */
const termMax = 36;

/**
 * Prints the job's part of the help. A job that can't be loaded is no failure of the help, which is there already: a
 * warning says why. Throws `cancelled`.
 */
export async function showJobHelp(command: Command, job: string): Promise<void> {
  const { env = new Map<string, string>() } = command.opts<{ readonly env?: ReadonlyMap<string, string> }>();
  const interrupts = listenForInterrupts();
  try {
    const { description, refusal } = await describedJob(job, Object.fromEntries(env), interrupts.signal);
    const print = linePrinter();
    for (const line of jobHelpLines({ command, job, description, refusal, secrets: [...env.values()] })) print(line);
  } catch (error) {
    if (interrupts.signal.aborted || !(error instanceof MillraceError)) throw error;
    tell(`what the job ${job} itself takes can't be shown: ${error.message}`, false);
  } finally {
    interrupts.stop();
  }
}

interface Described {
  readonly description: JobDescription;
  /** What a job's schema says where no parameters are given; undefined where it takes that, or there is none. */
  readonly refusal: string | undefined;
}

async function describedJob(
  job: string,
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Described> {
  const { description, validate, close } = await describeInSlot({
    module: resolve(job),
    environment,
    keepsSlot: true,
    job: jobIdOf(randomId()),
    signal,
    onSlow: () => tell(stillLoading(job), false),
  });
  try {
    if (description.params.kind === "table") return { description, refusal: undefined };
    return { description, refusal: await refusalOf(validate("{}")) };
  } finally {
    close();
  }
}

async function refusalOf(validated: Promise<unknown>): Promise<string | undefined> {
  try {
    await validated;
    return undefined;
  } catch (error) {
    if (error instanceof MillraceError) return error.message;
    throw error;
  }
}

export interface JobHelp extends Described {
  /** The command whose help was asked for; it says how inputs, parameters and files are given. */
  readonly command: Command;
  /** Path of the job file, as it was given. */
  readonly job: string;
  /** Values of `--env`, which no default may show. */
  readonly secrets: readonly string[];
}

/** The lines, as wide as those of the command's help. */
export function jobHelpLines(help: JobHelp): string[] {
  const { job, description } = help;
  const parts = [
    inputPart(help),
    paramsPart(help),
    { heading: "Its side files:", items: fileItems(help) },
    { heading: "Its outputs:", items: outputItems(help) },
  ];
  const shown = parts.filter(({ items }) => items.length > 0);
  const lengths = shown.flatMap(({ items }) => items.map(({ term }) => term.length));
  const width = Math.max(0, ...lengths.filter((length) => length <= termMax));
  const lines = ["", `The job ${printable(description.name)} (${printable(job)}):`];
  for (const { heading, items } of shown) {
    lines.push("", heading);
    for (const { term, text } of items) lines.push(...formatted(help.command, term, width, text));
  }
  return lines;
}

interface Item {
  readonly term: string;
  readonly text: string;
}

interface Part {
  readonly heading: string;
  readonly items: readonly Item[];
}

/** A term and its text, as commander shows an option. */
function formatted(command: Command, term: string, width: number, text: string): string[] {
  const helper = command.createHelp();
  helper.prepareContext({ helpWidth: command.configureOutput().getOutHelpWidth?.() ?? usualWidth });
  const item = (left: string, right: string) => helper.formatItem(left, width, right, helper).split("\n");
  return term.length > width && text !== "" ? [...item(term, ""), ...item("", text)] : item(term, text);
}

function inputPart({ command, description: { inputs } }: JobHelp): Part {
  const option = command.options.find(({ long }) => long === "--input");
  // `replay` may take the name alone, and says what its arguments are.
  const takesPaths = option !== undefined && nameOf(option) === "inputs";
  if (inputs.length === 1 && inputs[0]!.name === "") {
    const items = takesPaths ? [{ term: "[input...]", text: "files, folders or globs as arguments" }] : [];
    return { heading: "Its input:", items };
  }
  const text = takesPaths ? "files, a folder or a glob; may be repeated" : "";
  return {
    heading: "Its inputs:",
    items: inputs.map(({ name }) => ({
      term: `${flagsOf(option) ?? "--input"} ${line(name)}${takesPaths ? "=<path>" : "[=<path>]"}`,
      text,
    })),
  };
}

function paramsPart({ command, description: { params }, refusal, secrets }: JobHelp): Part {
  const flag = flagsNamed(command, "params") ?? "--param";
  const heading = "Its parameters:";
  if (params.kind === "schema") {
    const says = refusal === undefined ? "takes it that none is given" : `says, where none is given: ${line(refusal)}`;
    return { heading, items: [{ term: `${flag} <name=value>`, text: `checked by the job's schema, which ${says}` }] };
  }
  return {
    heading,
    items: params.params.map(({ name, type, about, default: otherwise }) => {
      const value = type === "boolean" ? "true|false" : type;
      const isSecret = secrets.some((secret) => secret !== "" && String(otherwise).includes(secret));
      const shown = isSecret ? "holds a value of --env" : line(excerptOf(otherwise));
      const needed = otherwise === undefined ? "(required)" : `(default: ${shown})`;
      return { term: `${flag} ${line(name)}=<${value}>`, text: `${line(about ?? "")} ${needed}`.trim() };
    }),
  };
}

function fileItems({ command, description: { files } }: JobHelp): Item[] {
  const flag = flagsNamed(command, "files") ?? "--file";
  return files.map(({ name, path }) => ({
    term: `${flag} ${line(name)}=<path>`,
    text: `(default: ${line(path)}, from the job's folder)`,
  }));
}

/** A job with one output has none to tell apart. */
function outputItems({ description: { outputs, outputsNamed, compress } }: JobHelp): Item[] {
  if (!outputsNamed) return [];
  return outputs.map(({ name, extension }) => ({
    term: line(name),
    text: `a folder of .${line(extension)} files${compress === undefined ? "" : `, compressed by ${compress}`}`,
  }));
}

function flagsNamed(command: Command, name: OfCommand): string | undefined {
  return flagsOf(command.options.find((each) => nameOf(each) === name));
}

/** "-p, --param". */
function flagsOf(option: Option | undefined): string | undefined {
  return option === undefined ? undefined : [option.short, option.long].filter(Boolean).join(", ");
}

/** What the job's author wrote is one line, and can't control the terminal. */
function line(text: string): string {
  return printable(text.replaceAll(/\s+/g, " ").trim());
}
