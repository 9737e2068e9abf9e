// The output of `millrace sim`: the job, a line per seed with what happened there, and the command that shows one of
// them again.

import { formatBytes, formatCount, formatCounted, formatDuration } from "../../base/units.ts";
import type { Plan } from "../../input/plan.ts";
import type { FailureText } from "../../protocol/messages.ts";
import type { Sample } from "../../sim/job/sample.ts";
import type { SimRun, SimStats } from "../../sim/job/world.ts";
import type { SimEvent } from "../../sim/world.ts";
import { type SimFlags, sampleBytes } from "../options.ts";
import { pc } from "../screen/colour.ts";
import { printable } from "../screen/error-text.ts";
import { envHint, optionWords, quoted } from "../screen/hints.ts";
import { broken, checkLines, ok, skipped } from "../test/check.ts";
import type { Verdict } from "./verdict.ts";

interface CommandLine {
  readonly module: string;
  readonly inputs: readonly string[];
  readonly flags: SimFlags;
}

export class SimReport {
  failed = 0;
  readonly #print: (line: string) => void;
  readonly #command: CommandLine;
  readonly #totals = { seeds: 0, faults: 0, attempts: 0, again: 0, rolledBack: 0, masterChanges: 0 };
  readonly #kinds = new Map<string, number>();
  /** Explanations that were printed already. */
  readonly #said = new Set<string>();

  constructor(print: (line: string) => void, command: CommandLine) {
    this.#print = print;
    this.#command = command;
  }

  begin(name: string, { files, bytes, isWhole }: Sample, plan: Plan): void {
    if (this.#isJson) return;
    const left = plan.files.length - files.length;
    const rest = isWhole
      ? ""
      : ` (the beginning of each${left > 0 ? `, ${formatCounted(left, "file")} left out` : ""})`;
    this.#print(
      `${pc.bold(printable(name))} on ${formatBytes(bytes)} of ${formatCounted(files.length, "file")}${rest}`,
    );
    this.#print("");
  }

  /** Reports the run without faults. Called once, first. */
  expected({ outcome, reason, stats }: SimRun): void {
    const name = "without faults";
    const check =
      outcome === "succeeded"
        ? ok(name, tasksText(stats))
        : broken(name, reason ?? { ...noReason, message: `the job is ${outcome}` });
    if (check.outcome === "failed") this.failed++;
    if (this.#isJson) {
      this.#print(JSON.stringify({ ...check, tasks: stats.tasks }));
      return;
    }
    const rest = check.outcome === "failed" ? [skipped("the simulation", "the job fails on this sample")] : [];
    for (const each of [check, ...rest]) for (const line of checkLines(each)) this.#print(line);
  }

  /** Reports that the job's code did something that ends the command: it threw outside of any attempt. */
  broke(error: FailureText): void {
    this.failed++;
    const check = broken("the job runs in this process", error);
    if (this.#isJson) this.#print(JSON.stringify(check));
    else for (const line of checkLines(check)) this.#print(line);
  }

  happened(seed: number, { at, what, isFault }: SimEvent): void {
    if (this.#isJson) {
      this.#print(JSON.stringify({ seed, ms: Math.round(at), isFault, event: what }));
      return;
    }
    const time = `${(at / 1000).toFixed(3)} s`.padStart(12);
    this.#print(`${pc.dim(time)}  ${isFault ? pc.yellow(printable(what)) : printable(what)}`);
  }

  seed(seed: number, { stats, hash }: SimRun, { advice = [], ...check }: Verdict): void {
    this.#count(stats);
    const isFailed = check.outcome === "failed";
    if (isFailed) this.failed++;
    const replay = this.#replayLine(seed);
    if (this.#isJson) {
      const { outcome, note, details = [] } = check;
      this.#print(JSON.stringify({ seed, outcome, note, details, advice, hash, ...stats, replay }));
      return;
    }
    const happened = `${statsText(stats)}  ${hash}`;
    const lines = isFailed
      ? checkLines({
          ...check,
          name: `seed ${seed}`,
          details: [...(check.details ?? []), ...advice.filter((line) => this.#isNew(line))],
        })
      : checkLines({ ...check, name: `seed ${seed}`.padEnd(8), note: happened });
    for (const line of lines) this.#print(line);
    if (!isFailed) return;
    this.#print(`           ${pc.dim(happened)}`);
    // The command is shown for the first failure only: the others differ only in the seed.
    if (this.failed !== 1) return;
    this.#print(`           to see it happen:  ${replay}`);
    const again = envHint(this.#command.flags.env);
    if (again !== undefined) this.#print(`           ${again}`);
  }

  finish(): void {
    const { seeds, faults, attempts, again, rolledBack, masterChanges } = this.#totals;
    const good = seeds - this.failed;
    if (this.#isJson) {
      const kinds = Object.fromEntries(this.#kinds);
      const totals = {
        seeds,
        ok: good,
        failed: this.failed,
        faults,
        kinds,
        attempts,
        again,
        rolledBack,
        masterChanges,
      };
      this.#print(JSON.stringify(totals));
      return;
    }
    this.#print("");
    const kinds = [...this.#kinds]
      .sort(([, a], [, b]) => b - a)
      .map(([kind, n]) => `${kind.replaceAll("-", " ")} ${formatCount(n)}`);
    this.#print(pc.dim(`${formatCounted(faults, "fault")}: ${kinds.join(", ")}`));
    this.#print(
      this.failed === 0
        ? `${pc.green("passed")} the output was the same in ${seeds === 1 ? "this cluster" : `all ${formatCount(seeds)} clusters`}`
        : `${pc.red("failed")} in ${formatCount(this.failed)} of ${formatCounted(seeds, "cluster")}`,
    );
  }

  get #isJson(): boolean {
    return this.#command.flags.json;
  }

  #isNew(line: string): boolean {
    if (this.#said.has(line)) return false;
    this.#said.add(line);
    return true;
  }

  #count({ faults, attempts, again, rolledBack, masterChanges }: SimStats): void {
    const totals = this.#totals;
    totals.seeds++;
    totals.attempts += attempts;
    totals.again += again;
    totals.rolledBack += rolledBack;
    totals.masterChanges += masterChanges;
    for (const [kind, n] of Object.entries(faults)) {
      totals.faults += n;
      this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + n);
    }
  }

  #replayLine(seed: number): string {
    const { module, inputs, flags } = this.#command;
    const words = ["millrace", "sim", quoted(module), ...inputs.map(quoted)];
    for (const name of ["inputs", "params", "files", "env", "reducers", "decompress", "skipBad"] as const)
      words.push(...optionWords(name, flags));
    if (flags.sample !== sampleBytes) words.push("--sample", String(flags.sample));
    return [...words, "--seed", String(seed), "--verbose"].join(" ");
  }
}

function tasksText({ tasks: { map, reduce } }: SimStats): string {
  const maps = formatCounted(map, "map task");
  return reduce === 0 ? maps : `${maps}, ${formatCounted(reduce, "reduce task")}`;
}

/** "22 + 4 tasks, 41 attempts; 63 faults, 2 new masters, 4 min". */
function statsText({ tasks, attempts, again, rolledBack, masterChanges, faults, ms }: SimStats): string {
  const total = Object.values(faults).reduce((sum, n) => sum + n, 0);
  return [
    formatCounted(total, "fault"),
    ...(masterChanges === 0 ? [] : [formatCounted(masterChanges, "new master")]),
    `${formatCounted(attempts, "attempt")} at ${formatCounted(tasks.map + tasks.reduce, "task")}, ${formatCount(again)} again`,
    ...(rolledBack === 0 ? [] : [`${formatCounted(rolledBack, "reduce")} rolled back`]),
    formatDuration(ms),
  ].join(", ");
}

const noReason = { code: "job-failed", stack: undefined, where: undefined, excerpt: undefined };
