// `millrace test`: what a job must be for its result to depend on its input alone, tried on a sample. First a whole
// run, in slots, so that code that throws, blocks or exits does so there; then checks in this process; then the same
// run in other ways.
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { formatCount, formatCounted } from "../../base/units.ts";
import type { SubmitOptions } from "../../engine/local/open.ts";
import type { RunFlags } from "../../engine/run/option-values.ts";
import type { Plan } from "../../input/plan.ts";
import { totalBytes } from "../../input/split.ts";
import { createStorage } from "../../storage/any.ts";
import { stoppable } from "../../storage/storage.ts";
import { isA, TaskFailure, userFailure } from "../../task/failure.ts";
import type { MappedRecord } from "../../task/map/record-mapper.ts";
import { planBudget } from "../../worker/slots/budget.ts";
import { isInChild } from "../endable.ts";
import { type JobHere, loadHere } from "../here.ts";
import { listenForInterrupts } from "../interrupts.ts";
import { planHere } from "../plan-here.ts";
import { linePrinter } from "../screen/line-printer.ts";
import { leftNote, returnedNote } from "../screen/summary.ts";
import { broken, type Check, Checks, failed, ok, skipped } from "../test/check.ts";
import { CodecCheck } from "../test/codec-check.ts";
import { checkCombine } from "../test/combine-check.ts";
import { type Difference, differenceBetween } from "../test/difference.ts";
import { type InProcess, mapAll } from "../test/in-process.ts";
import { checkMap } from "../test/map-check.ts";
import { checkReduce } from "../test/reduce-check.ts";
import { type DescribedDifference, ReportedDifferences } from "../test/reported.ts";
import { sampleRecords } from "../test/sample.ts";
import { checkTypes } from "../test/types.ts";
import { meaningOf, type Variant, variantsOf } from "../test/variants.ts";
import { type Settings, type WholeRun, type WholeRunOptions, wholeRun } from "../test/whole-run.ts";
import { silenceConsole, withUserCode } from "../user-code.ts";
import { namedInputs, spoolInputs, submitFlags } from "./submit.ts";

/** The options of `run` that say how the job runs, without those that say where its result goes. */
export type TestFlags = Omit<RunFlags, "output" | "resume" | "overwrite" | "quiet" | "noProgress">;

export async function testCommand(
  job: string,
  sample: readonly string[],
  flags: TestFlags,
  firstSlot: ChildProcess | undefined,
): Promise<void> {
  const interrupts = listenForInterrupts();
  const parent = resolve(isInChild() ? tmpdir() : (flags.workDir ?? tmpdir()));
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "millrace-test-"));
  try {
    const here = await loadHere({
      job,
      environment: flags.env,
      json: flags.json,
      signal: interrupts.signal,
      firstSlot,
    });
    here.close();
    const unread = new AbortController();
    const checks = new Checks(
      linePrinter(() => unread.abort()),
      flags.json,
    );
    try {
      const test = await JobTest.prepare({
        here,
        module: resolve(job),
        sample,
        flags,
        folder,
        checks,
        signal: AbortSignal.any([interrupts.signal, unread.signal]),
      });
      await test.all();
    } catch (error) {
      // What the checks under way ended by then is not told: no one would read what they find.
      if (!unread.signal.aborted || interrupts.signal.aborted) throw error;
    }
    checks.finish(interrupts.signal);
    // Also when the reader of standard output has gone before the end.
    if (checks.failed > 0 || unread.signal.aborted) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    interrupts.stop();
  }
}

interface JobTestParts {
  readonly here: JobHere;
  /** Path of the job file. */
  readonly module: string;
  readonly flags: TestFlags;
  /** A private folder, which the command removes. */
  readonly folder: string;
  readonly checks: Checks;
  readonly signal: AbortSignal;
}

class JobTest {
  readonly #parts: JobTestParts;
  readonly #plan: Plan;
  readonly #inProcess: Omit<InProcess, "records">;
  readonly #runs: WholeRunOptions;
  readonly #usual: Settings;
  #combineIsWrong = false;
  #mapIsWrong = false;

  private constructor(parts: JobTestParts, submit: SubmitOptions, planned: Awaited<ReturnType<typeof planHere>>) {
    const { here, flags, folder, module, signal } = parts;
    this.#parts = parts;
    this.#plan = planned.plan;
    this.#inProcess = { job: here.job, spec: planned.spec, signal };
    // One value for all runs: a default that is computed is none of the differences that are looked for.
    const { paramsValue } = planned.spec;
    this.#runs = {
      module,
      environment: Object.fromEntries(flags.env),
      folder,
      submit: { ...submit, paramsValue },
      signal,
    };
    this.#usual = {
      slots: flags.slots,
      memoryBytes: flags.memory,
      splitBytes: flags.splitSize,
      experiment: { startedAt: planned.spec.startedAt },
    };
  }

  /**
   * Finds the sample. Throws `no-input`, `wrong-usage`, `wrong-params` and what else is wrong before anything is run.
   */
  static async prepare(parts: JobTestParts & { readonly sample: readonly string[] }): Promise<JobTest> {
    const { here, sample, flags, folder, module, signal } = parts;
    const inputs = namedInputs(here.description, sample, flags.input);
    const spooled = await spoolInputs(inputs, async () => folder, signal);
    const submit = {
      ...submitFlags(here.description, flags),
      inputs,
      ...spooled,
    };
    const environment = Object.fromEntries(flags.env);
    const planned = await planHere({ here, module, submit, environment, destination: folder, folder, signal });
    return new JobTest(parts, submit, planned);
  }

  async all(): Promise<void> {
    const { checks, module, folder, signal } = this.#parts;
    const types = checkTypes(module, folder, signal);
    const usual = await wholeRun(this.#runs, this.#usual);
    checks.add(await types);
    if (signal.aborted) return;
    checks.add(runCheck(usual));
    if (usual.kind !== "succeeded") {
      if (usual.kind === "failed") checks.add(skipped("all other checks", "the job fails on this sample"));
      return;
    }
    try {
      for await (const check of this.#inThisProcess()) checks.add(check);
      if (!signal.aborted) await this.#inOtherWays(usual);
    } finally {
      await usual.close();
    }
  }

  async *#inThisProcess(): AsyncGenerator<Check> {
    const { job, spec, signal } = this.#inProcess;
    const restore = silenceConsole();
    try {
      const records = await sampleRecords({
        job,
        spec,
        files: this.#plan.files,
        storage: stoppable(createStorage(), signal),
        signal,
      });
      const here: InProcess = { ...this.#inProcess, records };
      const codecs = new CodecCheck(job);
      const mapped = await withUserCode((late) =>
        mapAll(
          { ...here, late },
          {
            order: records.map((_, index) => index),
            emitted: (key, value, encoded) => codecs.add(key, encoded.keyView, value, encoded.valueView),
          },
        ),
      );
      yield this.#noted("map", await withUserCode((late) => checkMap({ ...here, late }, mapped)));
      yield codecs.result();
      const good: MappedRecord[] = [...mapped.values()].filter(({ outcome }) => outcome.kind === "returned");
      for (const check of checkCombine(job, good)) yield this.#noted("combine", check);
      yield await withUserCode(() => checkReduce(job, spec, good));
    } catch (thrown) {
      // setup, for instance, which has worked in a slot.
      if (isA(thrown, MillraceError) && thrown.code === "cancelled") return;
      yield broken(
        "the job runs in this process",
        (isA(thrown, TaskFailure) ? thrown : userFailure(thrown)).reason.error,
      );
    } finally {
      restore();
    }
  }

  async #inOtherWays(usual: Extract<WholeRun, { readonly kind: "succeeded" }>): Promise<void> {
    const { checks, here, flags, signal } = this.#parts;
    const { slots } = planBudget({ slots: flags.slots, memoryBytes: flags.memory });
    const bytes = totalBytes(this.#plan.files);
    const variants = variantsOf(this.#usual, { bytes, slots, description: here.description });
    const reported = new ReportedDifferences();
    let freshIsRight = false;
    for (const variant of variants) {
      if (signal.aborted) return;
      const findings = {
        hasCombine: here.description.combine !== undefined,
        combineIsWrong: this.#combineIsWrong,
        mapIsWrong: this.#mapIsWrong,
        freshIsRight,
      };
      const check = await this.#variantCheck(variant, usual, (difference) =>
        reported.describe(variant.name, difference, meaningOf(variant.about, findings)),
      );
      if (check === undefined) return;
      checks.add(check);
      if (variant.about === "fresh") freshIsRight = check.outcome === "ok";
      if (variant.about === "again" && check.outcome === "failed") {
        checks.add(skipped("all other runs", "a result that is never the same says nothing about them"));
        return;
      }
    }
  }

  /** Undefined: cancelled. */
  async #variantCheck(
    { name, settings, skip }: Variant,
    usual: Extract<WholeRun, { readonly kind: "succeeded" }>,
    describe: (difference: Difference) => DescribedDifference,
  ): Promise<Check | undefined> {
    if (skip !== undefined) return skipped(name, skip);
    const run = await wholeRun(this.#runs, settings);
    if (run.kind === "cancelled") return undefined;
    if (run.kind === "failed") {
      return broken(name, run.reason, "it fails, which it did not before: ");
    }
    try {
      const difference = await differenceBetween(usual.published, run.published);
      if (difference === undefined) return ok(name, tasksText(run));
      const { note, details } = describe(difference);
      return failed(name, `${note} (${tasksText(run)})`, details);
    } finally {
      await run.close();
    }
  }

  #noted(what: "combine" | "map", check: Check): Check {
    if (check.outcome === "failed" && what === "combine") this.#combineIsWrong = true;
    if (check.outcome === "failed" && what === "map") this.#mapIsWrong = true;
    return check;
  }
}

function runCheck(run: WholeRun): Check {
  const name = "the job runs";
  switch (run.kind) {
    case "succeeded": {
      const { stats, deadLetters } = run.view;
      const note = returnedNote(run.view);
      if (note !== undefined) return failed(name, note);
      // Code that leaves a timer open may have given up waiting for something, which is right; a connection was
      // forgotten.
      const left = leftNote(run.view);
      if (left !== undefined && stats.map.othersLeft + stats.reduce.othersLeft > 0) return failed(name, left);
      const bad = deadLetters === 0 ? "" : `, ${formatCount(deadLetters)} bad ones put aside`;
      const timers = left === undefined ? "" : `; ${left}`;
      return ok(name, `${formatCount(stats.map.recordsIn)} records${bad}, ${tasksText(run)}${timers}`);
    }
    case "failed":
      return broken(name, run.reason);
    case "cancelled":
      return skipped(name, "cancelled");
  }
}

function tasksText({ view }: Extract<WholeRun, { readonly kind: "succeeded" }>): string {
  const { map, reduce } = view.tasks;
  const { resumed } = view.stats.map;
  const maps = `${formatCounted(map.total, "map task")}${resumed === 0 ? "" : `, ${resumed} gone on with`}`;
  return reduce.total === 0 ? maps : `${maps}, ${formatCounted(reduce.total, "reduce task")}`;
}
