// `millrace sim`: runs the job in simulated clusters in which everything fails, one per seed. In each of them it must
// write what it writes without faults, one task after the other.
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import { decompressWithin, programOf } from "../../format/compression/compress.ts";
import type { Plan } from "../../input/plan.ts";
import type { JobSpec } from "../../job/spec.ts";
import { optionsOf, sequential } from "../../sim/job/options.ts";
import { type Sample, takeSample } from "../../sim/job/sample.ts";
import type { SimJob } from "../../sim/job/scene.ts";
import { UserCode } from "../../sim/job/user-code.ts";
import { JobWorld } from "../../sim/job/world.ts";
import { createStorage } from "../../storage/any.ts";
import { stoppable } from "../../storage/storage.ts";
import { isA, TaskFailure, userFailure } from "../../task/failure.ts";
import { type JobHere, loadHere } from "../here.ts";
import { listenForInterrupts } from "../interrupts.ts";
import { type SimFlags, simPartitions } from "../options.ts";
import { planHere } from "../plan-here.ts";
import { linePrinter } from "../screen/line-printer.ts";
import { SimReport } from "../sim/report.ts";
import { verdictOn } from "../sim/verdict.ts";
import { silenceConsole, withUserCode } from "../user-code.ts";
import { fittingFlags, namedInputs, spoolInputs, submitFlags } from "./submit.ts";

const seedsDefault = 20;
/** The same in every run, as a seed must not depend on the day. */
const startedAt = "2026-01-01T00:00:00.000Z";
/** Four leases: short enough for an attempt that hangs to be stopped while faults still come. */
const taskTimeoutMs = 40_000;

export async function simCommand(
  module: string,
  inputs: readonly string[],
  given: SimFlags,
  firstSlot: ChildProcess | undefined,
): Promise<void> {
  const interrupts = listenForInterrupts();
  const folder = mkdtempSync(join(tmpdir(), "millrace-sim-"));
  let here: JobHere | undefined;
  let code: UserCode | undefined;
  try {
    here = await loadHere({
      job: module,
      environment: given.env,
      json: given.json,
      signal: interrupts.signal,
      firstSlot,
    });
    const flags = fittingFlags(here.description, given);
    const prepared = await prepare({ here, module, inputs, flags, folder, signal: interrupts.signal });
    code = new UserCode({ startedAt: Date.parse(startedAt), directory: join(folder, "attempt") });
    await simulate({ ...prepared, here, module, inputs, flags, code, signal: interrupts.signal });
  } catch (error) {
    if (!interrupts.signal.aborted) throw error;
    throw new MillraceError("cancelled", "cancelled: the simulation is not complete");
  } finally {
    code?.remove();
    here?.close();
    rmSync(folder, { recursive: true, force: true });
    interrupts.stop();
  }
}

interface Command {
  readonly here: JobHere;
  readonly module: string;
  readonly inputs: readonly string[];
  readonly flags: SimFlags;
  readonly signal: AbortSignal;
}

interface Prepared {
  readonly spec: JobSpec;
  readonly plan: Plan;
  readonly sample: Sample;
}

/**
 * Throws `no-input`, `wrong-usage`, `wrong-params`, `bad-input` and any other error that shows before something runs.
 */
async function prepare({ here, module, inputs, flags, folder, signal }: Command & { readonly folder: string }) {
  const named = namedInputs(here.description, inputs, flags.input);
  const spooled = await spoolInputs(named, async () => folder, signal);
  const { attemptsMax: attempts } = limits;
  const submit = {
    ...submitFlags(here.description, { ...flags, attempts, taskTimeout: taskTimeoutMs, checkpoint: 0 }),
    inputs: named,
    ...spooled,
  };
  const environment = Object.fromEntries(flags.env);
  mkdirSync(join(folder, "plan"));
  const { plan, spec } = await planHere({
    here,
    module: resolve(module),
    submit,
    environment,
    destination: "/output",
    folder: join(folder, "plan"),
    signal,
  });
  const sample = await takeSample({
    files: plan.files,
    formatOf: (input) => here.job.inputs[input]!.format,
    storage: stoppable(createStorage(), signal),
    decompress: decompressWithin(undefined, programOf(spec)),
    bytesMax: flags.sample,
    signal,
  });
  return { spec: simulatedSpec(spec, sample), plan, sample };
}

/** The job's spec with the files of the sample as its inputs, each by its own name. They are decompressed already. */
function simulatedSpec({ decompress: _, ...spec }: JobSpec, { files }: Sample): JobSpec {
  return {
    ...spec,
    inputs: spec.inputs.map(({ name }, input) => ({
      name,
      paths: files.filter((file) => file.input === input).map(({ source }) => source),
    })),
    partitions: spec.partitions ?? simPartitions,
    startedAt,
  };
}

async function simulate(command: Command & Prepared & { readonly code: UserCode }): Promise<void> {
  const { here, spec, sample, plan, flags, code, signal } = command;
  const unread = new AbortController();
  const report = new SimReport(
    linePrinter(() => unread.abort()),
    command,
  );
  const either = AbortSignal.any([signal, unread.signal]);
  const restore = silenceConsole();
  const job: SimJob = {
    spec,
    digest: here.digest,
    environment: spec.environment,
    inputs: sample.contents,
    load: () => here.another(),
    within: (sources, work) => code.within(sources, work),
  };
  try {
    report.begin(here.description.name, sample, plan);
    const expected = await withUserCode(() => new JobWorld(job, sequential()).run(either));
    report.expected(expected);
    if (expected.outcome !== "succeeded") return;
    const { first, count } = seedsOf(flags);
    for (let seed = first; seed < first + count && !either.aborted; seed++) {
      code.takeUsed();
      const options = optionsOf(seed);
      const run = await withUserCode(() =>
        new JobWorld(job, options, flags.verbose ? (event) => report.happened(seed, event) : undefined).run(either),
      );
      const verdict = await withUserCode(() =>
        verdictOn({
          job,
          options,
          expected,
          run,
          used: code.takeUsed(),
          description: here.description,
          signal: either,
        }),
      );
      report.seed(seed, run, verdict);
    }
    report.finish();
  } catch (error) {
    if (signal.aborted) throw error;
    // Thrown outside of any call: in a timer, or in a promise that nothing awaits.
    if (!unread.signal.aborted) report.broke((isA(error, TaskFailure) ? error : userFailure(error)).reason.error);
  } finally {
    restore();
    // Also when the reader of standard output has gone before the end.
    if (report.failed > 0 || unread.signal.aborted) process.exitCode = 1;
  }
}

function seedsOf({ seed, seeds }: SimFlags): { readonly first: number; readonly count: number } {
  return { first: seed ?? 1, count: seeds ?? (seed === undefined ? seedsDefault : 1) };
}
