// Decides whether a simulated run was right, and if not, what that usually means. A second run in the same cluster
// without its faults tells errors that faults cause from errors that come from the cut of the input alone.
import { formatCount, formatCounted } from "../../base/units.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import { clockAdvice, type Used } from "../../sim/job/clock-and-chance.ts";
import { calm, type SimOptions } from "../../sim/job/options.ts";
import type { SimJob } from "../../sim/job/scene.ts";
import { JobWorld, type SimRun } from "../../sim/job/world.ts";
import { broken, type Check, failed, ok } from "../test/check.ts";
import { readPublished } from "../test/content.ts";
import { type Difference, differenceBetween } from "../test/difference.ts";

export interface VerdictOptions {
  readonly job: SimJob;
  readonly options: SimOptions;
  /** The run without faults, one task after the other, which is right by definition. */
  readonly expected: SimRun;
  readonly run: SimRun;
  /** What the job's code used in this run that may differ from run to run, such as the clock. */
  readonly used: Used;
  readonly description: JobDescription;
  readonly signal: AbortSignal;
}

export interface Verdict extends Omit<Check, "name"> {
  /** What to do about it. It is the same for many seeds, so it is printed once. */
  readonly advice?: readonly string[];
}

export async function verdictOn(given: VerdictOptions): Promise<Verdict> {
  const { run, expected } = given;
  switch (run.outcome) {
    case "succeeded":
      break;
    case "failed": {
      const check = broken("", run.reason ?? unknown, "the job fails, which it did not without faults: ");
      const { details, advice } = changedMeaning(given);
      return { ...check, details: [...(check.details ?? []), ...details], advice };
    }
    case "stuck":
    case "mixed":
      return {
        ...failed("", bugs[run.outcome]),
        advice: ["This is a fault of Millrace, not of the job: please report it."],
      };
  }
  const difference = await outputDifference(given, expected, run);
  if (difference !== undefined) {
    const { where, usual, other } = difference;
    const { details, advice } = await meaning(given);
    const shown = [where, `  without faults  ${usual}`, `  here            ${other}`];
    return { ...failed("", "the output differs", [...shown, ...details]), advice };
  }
  const counters = await counterDifference(given);
  if (counters !== undefined) {
    return { ...failed("", "the output is right, the counters differ", counters), advice: [countersAdvice] };
  }
  // A map emitted something else, but the output is the same.
  const notes = run.stats.changed.length === 0 ? [] : [`${changedText(run)}; the output is right all the same`];
  return { ...ok("", ""), details: notes };
}

async function outputDifference(
  { description }: VerdictOptions,
  a: SimRun,
  b: SimRun,
): Promise<Difference | undefined> {
  const publishedBy = ({ storage, destination }: SimRun) => readPublished(storage, destination, description);
  const [one, other] = await Promise.all([publishedBy(a), publishedBy(b)]);
  return await differenceBetween(one, other);
}

/** How often something was counted may depend on the number of tasks (in setup, for instance), but not on faults. */
async function counterDifference(given: VerdictOptions): Promise<string[] | undefined> {
  const { run, expected } = given;
  if (differingCounters(expected, run).length === 0) return undefined;
  const well = await withoutFaults(given);
  const differing = differingCounters(well, run);
  if (differing.length === 0) return undefined;
  return differing.map((name) => `${name}: ${count(well, name)} without faults, ${count(run, name)} here`);
}

const countersAdvice =
  "Only attempts that won are counted. Usually: a variable of the module that one attempt leaves to the next, or chance.";

function differingCounters(a: SimRun, b: SimRun): string[] {
  const names = new Set([...Object.keys(a.counters), ...Object.keys(b.counters)]);
  return [...names].filter((name) => a.counters[name] !== b.counters[name]);
}

function count({ counters }: SimRun, name: string): string {
  return formatCount(counters[name] ?? 0);
}

interface Meaning {
  readonly details: readonly string[];
  readonly advice: readonly string[];
}

async function meaning(given: VerdictOptions): Promise<Meaning> {
  const { expected, options, description, used, run } = given;
  if (run.stats.changed.length > 0) return changedMeaning(given);
  const ofUse = clockAdvice(used, "The job");
  if (ofUse !== undefined) return { details: [], advice: [ofUse] };
  const well = await withoutFaults(given);
  if (well.outcome === "succeeded" && (await outputDifference(given, expected, well)) === undefined) {
    return { details: ["In the same cluster without faults the output is right."], advice: [attemptsAdvice] };
  }
  const hasCombine = description.combine !== undefined;
  const how = { auto: "where it pays", always: "wherever it can be", never: "never before reduce" }[options.combining];
  const cut = `${formatCounted(run.stats.tasks.map, "map task")}${hasCombine ? ` and combine called ${how}` : ""}`;
  return {
    details: [`With ${cut} it differs without any fault too.`],
    advice: [hasCombine ? combineAdvice : stateAdvice, "millrace test tells them apart."],
  };
}

const attemptsAdvice =
  "Usually: a variable of the module, or something outside of it, in which one attempt finds what another has left; or ctx.attempt.";
const stateAdvice = "Usually: map or setup keeps something from one record or one task to the next.";
const combineAdvice =
  "Usually: combine is not associative; reduce counts on how often combine was called; or map or setup keeps something from one record or one task to the next.";

/** What it means that a map did not emit the same again. */
function changedMeaning({ run, used }: VerdictOptions): Meaning {
  if (run.stats.changed.length === 0) return { details: [], advice: [] };
  return { details: [`${changedText(run)}.`], advice: [clockAdvice(used, "The job") ?? attemptsAdvice] };
}

function changedText({ stats: { changed, rolledBack } }: SimRun): string {
  const others = changed.length > 2 ? ` and ${changed.length - 2} more` : "";
  const again = rolledBack === 0 ? "" : `, and ${formatCounted(rolledBack, "reduce")} that had read it ran again`;
  return `${changed.slice(0, 2).join(", ")}${others} emitted something else when it ran again${again}`;
}

function withoutFaults({ job, options, signal }: VerdictOptions): Promise<SimRun> {
  return new JobWorld(job, calm(options)).run(signal);
}

const bugs = {
  stuck: "the job is not over long after everything was healed",
  mixed: "parts of the output were made from different outputs of one map task",
} as const;

const unknown = {
  code: "job-failed",
  message: "no reason is known",
  stack: undefined,
  where: undefined,
  excerpt: undefined,
};
