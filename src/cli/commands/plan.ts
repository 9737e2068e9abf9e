// `millrace plan`: shows what `run` would read, split, hold in memory and write. It writes only to a temporary folder
// of its own.
import type { ChildProcess } from "node:child_process";
import { statfsSync } from "node:fs";
import { join, resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { MiB } from "../../base/limits.ts";
import { isUrl, outputPath } from "../../base/paths.ts";
import { formatBytes, formatCount } from "../../base/units.ts";
import { flagOf, runOption } from "../../engine/run/option-table.ts";
import type { RunFlags } from "../../engine/run/option-values.ts";
import type { Plan } from "../../input/plan.ts";
import { totalBytes } from "../../input/split.ts";
import { createStorage } from "../../storage/any.ts";
import { type Budget, planBudget } from "../../worker/slots/budget.ts";
import { type JobHere, loadHere } from "../here.ts";
import { withStandardOutput } from "../options.ts";
import { planHere } from "../plan-here.ts";
import { pc } from "../screen/colour.ts";
import { exitCodeOf, printable } from "../screen/error-text.ts";
import { linePrinter } from "../screen/line-printer.ts";
import type { Setting } from "../settings/apply.ts";
import { isUnfit, namedInputs, submitFlags } from "./submit.ts";

/** Files that are named; the others are only counted. */
const filesShown = 10;

export async function planCommand(
  job: string,
  inputs: readonly string[],
  given: RunFlags,
  firstSlot: ChildProcess | undefined,
  allSettings: readonly Setting[],
): Promise<void> {
  const flags = withStandardOutput(given);
  if (inputs.includes("-"))
    throw new MillraceError("wrong-usage", "plan can't look at standard input without using it up");
  const print = linePrinter();
  const output = flags.output === undefined ? undefined : outputPath(flags.output);
  const here = await loadHere({ job, environment: flags.env, json: flags.json, firstSlot });
  try {
    const budget = planBudget({ slots: flags.slots, memoryBytes: flags.memory });
    const environment = Object.fromEntries(flags.env);
    const unfit = isUnfit(here.description, flags);
    const settings = allSettings.filter(({ name }) => !(unfit && name === "reducers"));
    const named = namedInputs(here.description, inputs, flags.input);
    const { plan } = await planHere({
      here,
      module: resolve(job),
      submit: { ...submitFlags(here.description, flags), inputs: named },
      environment,
      destination: output ?? resolve("output"),
      folder: here.folder,
    });
    const problem = await outputProblem(flags);
    if (flags.json)
      return print(JSON.stringify(planJson({ here, plan, budget, flags, settings, problem: problem?.message })));
    for (const line of planLines({ here, plan, budget, flags, settings, problem: problem?.message })) print(line);
    if (problem !== undefined) process.exitCode = exitCodeOf(problem);
  } finally {
    here.close();
  }
}

/** Why the output can't be published as things are now; undefined when nothing is in the way. */
async function outputProblem(flags: RunFlags): Promise<MillraceError | undefined> {
  if (flags.output === undefined) return undefined;
  try {
    await createStorage().prepare(outputPath(flags.output), flags.overwrite);
    return undefined;
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
}

interface Planned {
  readonly here: JobHere;
  readonly plan: Plan;
  readonly budget: Budget;
  readonly flags: RunFlags;
  /** Values that no option gives. */
  readonly settings: readonly Setting[];
  readonly problem: string | undefined;
}

function* planLines({ here, plan, budget, flags, settings, problem }: Planned): Generator<string> {
  const { description } = here;
  yield pc.bold(description.name);
  const bytes = totalBytes(plan.files);
  yield `  input    ${formatCount(plan.files.length)} ${plan.files.length === 1 ? "file" : "files"}, ${formatBytes(bytes)}`;
  for (const file of plan.files.slice(0, filesShown)) {
    const name = description.inputs[file.input]?.name;
    const how = file.compression === "none" ? "" : `, ${file.compression}: read whole`;
    yield `           ${name === undefined || name === "" ? "" : `${name}: `}${printable(file.path)}  ${formatBytes(file.bytes)}${how}`;
  }
  if (plan.files.length > filesShown) yield `           and ${formatCount(plan.files.length - filesShown)} more`;
  const splits = plan.splits.length;
  yield `  map      ${formatCount(splits)} ${splits === 1 ? "task" : "tasks"}${splits > 1 ? ` of about ${formatBytes(Math.round(bytes / splits))}` : ""}`;
  yield plan.partitions === 0
    ? "  reduce   none: map writes the output"
    : `  reduce   ${formatCount(plan.partitions)} ${plan.partitions === 1 ? "partition" : "partitions"}, by ${description.partition}${plan.boundaries.length > 0 ? ` (${plan.boundaries.length} boundaries sampled)` : ""}${description.combine === undefined ? "" : `, combined by ${description.combine === "function" ? "a function" : description.combine}`}`;
  yield `  memory   ${formatBytes(budget.memoryBytes)} for ${budget.slots} ${budget.slots === 1 ? "slot" : "slots"}: ${formatBytes(budget.arenaBytes)} each to sort in, ${formatBytes(budget.tierBytes)} for intermediate files before they go to disk`;
  if (flags.output === undefined) {
    yield "  output   standard output (-o DIR publishes it)";
  } else {
    yield `  output   ${printable(outputPath(flags.output))}${freeBytes(flags.output)}`;
    if (problem !== undefined) yield pc.yellow(`           ${printable(problem)}`);
  }
  for (const [index, line] of settingLines(settings).entries())
    yield `  ${index === 0 ? "settings" : "        "} ${line}`;
}

/** A line for each place that they come from. */
function settingLines(settings: readonly Setting[]): string[] {
  const places = [...new Set(settings.map(({ from }) => from))];
  return places.map((place) => {
    const those = settings.filter(({ from }) => from === place);
    return printable(`${those.map(settingWords).join(", ")} from ${place}`);
  });
}

function settingWords({ name, text }: Setting): string {
  return runOption(name).kind === "flag" ? flagOf(name) : `${flagOf(name)} ${text}`;
}

function planJson({ here, plan, budget, flags, settings, problem }: Planned) {
  return {
    job: here.description.name,
    files: plan.files.map(({ path, bytes, input, compression }) => ({
      path,
      bytes,
      input: here.description.inputs[input]?.name,
      compression,
    })),
    bytes: totalBytes(plan.files),
    splits: plan.splits.length,
    partitions: plan.partitions,
    slots: budget.slots,
    memoryBytes: budget.memoryBytes,
    arenaBytes: budget.arenaBytes,
    tierBytes: budget.tierBytes,
    output: flags.output === undefined ? undefined : outputPath(flags.output),
    settings: settings.map(({ name, text, from }) => ({ name, value: text, from })),
    problem,
  };
}

function freeBytes(output: string): string {
  if (isUrl(output)) return "";
  try {
    const { bavail, bsize } = statfsSync(join(resolve(output), ".."));
    return bavail * bsize < 1024 * MiB ? pc.yellow(` (${formatBytes(bavail * bsize)} free there)`) : "";
  } catch {
    return ""; // missing parents are created when the output is published
  }
}
