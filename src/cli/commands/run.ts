// `millrace run`: opens the engine, shows its progress, and prints a summary at the end.
import type { ChildProcess } from "node:child_process";
import { resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { deadLettersOutput } from "../../base/ids.ts";
import { pathBelow } from "../../base/paths.ts";
import { systemClock } from "../../base/system/clock.ts";
import { formatCounted } from "../../base/units.ts";
import { deadLettersFolder } from "../../engine/dead-letters.ts";
import type { JobEngine, JobHandle } from "../../engine/engine.ts";
import { openLocal } from "../../engine/local/open.ts";
import { flagOf, runOption } from "../../engine/run/option-table.ts";
import { misplacedOption, openingOf, type RunFlags, valuesOfFlags } from "../../engine/run/option-values.ts";
import type { JobView } from "../../protocol/view.ts";
import type { Manifest } from "../../storage/manifest.ts";
import { connectionText } from "../cluster.ts";
import { type Interrupts, listenForInterrupts, localInterrupts, remoteInterrupts } from "../interrupts.ts";
import { stillLoading, tell } from "../loading.ts";
import { withStandardOutput } from "../options.ts";
import { pc } from "../screen/colour.ts";
import { exitCodeOfJob, printable } from "../screen/error-text.ts";
import { eventsTo } from "../screen/event-stream.ts";
import { failureHints, masterWords, shortId } from "../screen/hints.ts";
import { linePrinter } from "../screen/line-printer.ts";
import { outputPrinter } from "../screen/output-printer.ts";
import { openScreen, type Screen, showUntilEnded, warn } from "../screen/screen.ts";
import { copyToStdout, refuseStdout } from "../screen/stdout.ts";
import { failureSummary, returnedNote, successLines } from "../screen/summary.ts";
import type { Setting } from "../settings/apply.ts";
import { submitOptionsOf } from "./submit.ts";

/** Values that no option gives. */
export interface RunSettings {
  readonly used: readonly Setting[];
  /** Whether there is one that names a cluster, and `--master none` takes it back. */
  readonly isKeptHere: boolean;
}

/**
 * `firstSlot` is a slot's process that was started early: the first slot of a run on this machine, otherwise the one
 * that describes the job. It is undefined where it could not be started.
 */
export async function runCommand(
  job: string,
  inputs: readonly string[],
  given: RunFlags,
  firstSlot: ChildProcess | undefined,
  settings: RunSettings,
): Promise<void> {
  const flags = withStandardOutput(given);
  if (flags.json && flags.output !== undefined) eventsTo("stdout");
  const where = whereOf(flags, settings.used);
  deadLettersOf(flags);
  const interrupts = listenForInterrupts(flags.master === undefined ? localInterrupts : remoteInterrupts(flags.master));
  const startedMs = systemClock.now();
  const screen = openScreen(flags, startedMs);
  let engine: JobEngine | undefined;
  try {
    const opening: Opening = { job, flags, screen, signal: interrupts.signal, firstSlot };
    engine = await (where.kind === "here" ? openHere(opening) : openThere(opening, where));
    if (flags.output === undefined) refuseStdout(engine.description, process.stdout.isTTY === true);
    interrupts.throwIfInterrupted();
    let submit = await submitOptionsOf(engine, inputs, flags, interrupts.signal);
    let handle: JobHandle;
    try {
      const done = await engine.alreadyDone?.(submit);
      if (done !== undefined) return tellDone(done, flags, screen);
      handle = await engine.submit(submit);
    } catch (error) {
      if (!flags.resumeOrBegin || !(error instanceof MillraceError) || error.code !== "nothing-to-resume") throw error;
      warn(screen, `${error.message}. It begins again`);
      await engine.close();
      engine = await openHere({ ...opening, flags: { ...flags, resumeOrBegin: false }, firstSlot: undefined });
      submit = await submitOptionsOf(engine, inputs, flags, interrupts.signal);
      handle = await engine.submit(submit);
    }
    if (flags.master !== undefined) {
      tellSubmitted(handle, flags, screen);
      if (flags.detach) return;
    }
    const view = await follow(handle, flags, screen, interrupts);
    const elapsedMs = systemClock.now() - startedMs;
    await finish({ engine, handle, view, job, inputs, flags, settings, screen, elapsedMs });
  } finally {
    screen.clear();
    await engine?.close();
    interrupts.stop();
  }
}

/** Where the job runs: on this machine, or on a cluster, which needs a folder for the output. */
type Where = { readonly kind: "here" } | { readonly kind: "cluster"; readonly master: string; readonly output: string };

interface Opening {
  readonly job: string;
  readonly flags: RunFlags;
  readonly screen: Screen;
  readonly signal: AbortSignal;
  readonly firstSlot: ChildProcess | undefined;
}

async function openHere({ job, flags, screen, signal, firstSlot }: Opening): Promise<JobEngine> {
  return await openLocal({
    ...openingOf(valuesOfFlags(flags)),
    module: resolve(job),
    output: flags.output,
    deadLetters: deadLettersOf(flags),
    signal,
    firstSlot,
    onSlow: () => warn(screen, stillLoading(job)),
    // Shown with --quiet too, as it may explain a wrong result.
    onWarning: (warning) => (flags.quiet ? tell(warning, flags.json) : warn(screen, warning)),
    ...(flags.quiet ? {} : { onOutput: outputPrinter(screen) }),
  });
}

/** Opens the engine of a cluster, whose modules are loaded only here. */
async function openThere(
  { job, flags, screen, signal, firstSlot }: Opening,
  { master: address, output }: Extract<Where, { readonly kind: "cluster" }>,
): Promise<JobEngine> {
  const [{ openRemote }, { connectTo }] = await Promise.all([
    import("../../engine/remote/open.ts"),
    import("../../engine/remote/connect.ts"),
  ]);
  const master = connectTo({
    address,
    tokenFile: flags.tokenFile,
    ca: flags.ca,
    signal,
    onConnection: (state, why) => warn(screen, connectionText(state, why)),
  });
  return await openRemote({
    ...openingOf(valuesOfFlags(flags)),
    module: resolve(job),
    output,
    master,
    firstSlot,
    address,
    deadLetters: deadLettersOf(flags),
    signal,
    onSlow: () => warn(screen, stillLoading(job)),
    onWarning: (warning) => (flags.quiet ? tell(warning, flags.json) : warn(screen, warning)),
    ...(flags.quiet ? {} : { onOutput: outputPrinter(screen) }),
  });
}

/** Where the job runs. Refuses options for the other place, which would otherwise be ignored in silence. */
function whereOf(flags: RunFlags, settings: readonly Setting[]): Where {
  const misplaced = misplacedOption(valuesOfFlags(flags));
  const from = settings.find(({ name }) => name === "master")?.from;
  const named = from === undefined ? "" : ` (--master comes from ${from}; --master none runs the job here)`;
  if (misplaced !== undefined) {
    const instead = runOption(misplaced).instead?.replace("MASTER", flags.master ?? "");
    const why =
      flags.master === undefined
        ? "is for a cluster: give --master URL too"
        : `is for a run on this machine, without --master: ${instead}${named}`;
    throw new MillraceError("wrong-usage", `${flagOf(misplaced)} ${why}`);
  }
  if (flags.master === undefined) return { kind: "here" };
  if (flags.output === undefined) {
    throw new MillraceError(
      "wrong-usage",
      `a cluster publishes into a folder that all its workers see: give one with -o DIR${named}`,
    );
  }
  return { kind: "cluster", master: flags.master, output: flags.output };
}

/** The folder for dead letters. Throws `wrong-usage` where there would be none. */
function deadLettersOf({ output, deadLetters, skipBad }: RunFlags): string | undefined {
  const words = { output: "-o DIR", deadLetters: "--dead-letters DIR", skipBad: "--skip-bad N" };
  return deadLettersFolder({ output, deadLetters, skipBad }, words);
}

/** Tells that the cluster has the job. With --detach the id goes to standard output, as a script needs nothing else. */
function tellSubmitted({ job, spec }: JobHandle, flags: RunFlags, screen: Screen): void {
  if (screen.json !== undefined) screen.json.submitted(job, spec.name);
  const later = `millrace status ${shortId(job)} --watch${masterWords(flags)}`;
  if (flags.detach) {
    if (screen.json === undefined) linePrinter()(job);
    screen.print(`submitted ${printable(spec.name)} as job ${shortId(job)}; look at it with  ${later}`);
  } else {
    screen.print(pc.dim(`job ${shortId(job)}; from anywhere:  ${later}`));
  }
}

/** Tells that an earlier run has published all of this already. */
function tellDone({ job, files, counters }: Manifest, { output, quiet }: RunFlags, screen: Screen): void {
  const main = files.filter((file) => file.output === "main");
  const records = main.reduce((sum, file) => sum + file.records, 0);
  screen.json?.alreadyDone(job, output, counters);
  if (screen.json !== undefined || quiet) return;
  screen.clear();
  process.stderr.write(
    `${output} is there already: ${printable(job.name)} published ${formatCounted(records, "record")} in ${formatCounted(main.length, "file")} with this code, these parameters and as many bytes of input; nothing to do\n`,
  );
}

/** Shows views until the job has ended; an interrupt cancels it. */
async function follow(handle: JobHandle, flags: RunFlags, screen: Screen, interrupts: Interrupts): Promise<JobView> {
  const cancel = () => {
    if (process.stderr.isTTY) {
      screen.print(
        flags.master === undefined
          ? "cancelling; Ctrl-C once more stops at once"
          : "cancelling the job; Ctrl-C once more leaves at once (with --detach the command leaves, and the job runs on)",
      );
    }
    // The view tells whether the job was cancelled, and the watching call reports a master that does not answer.
    handle.cancel().catch(() => {});
  };
  interrupts.signal.addEventListener("abort", cancel, { once: true });
  if (interrupts.signal.aborted) cancel();
  return await showUntilEnded(handle, screen);
}

interface Finish {
  readonly engine: JobEngine;
  readonly handle: JobHandle;
  readonly view: JobView;
  readonly job: string;
  readonly inputs: readonly string[];
  readonly flags: RunFlags;
  readonly settings: RunSettings;
  readonly screen: Screen;
  readonly elapsedMs: number;
}

async function finish({
  engine,
  handle,
  view,
  job,
  inputs,
  flags,
  settings,
  screen,
  elapsedMs,
}: Finish): Promise<void> {
  screen.clear();
  switch (view.state) {
    case "succeeded": {
      if (flags.output === undefined) await copyToStdout(engine);
      if (screen.json !== undefined) return screen.json.done(view, elapsedMs, flags.output);
      if (flags.quiet) {
        const note = returnedNote(view);
        if (note !== undefined) process.stderr.write(`${note}\n`);
        return;
      }
      const lines = successLines(view, {
        elapsedMs,
        output: flags.output,
        deadLetters: flags.deadLetters ?? pathBelow(flags.output ?? "", deadLettersOutput),
        phases: screen.phases.list(),
      });
      for (const line of lines) process.stderr.write(`${line}\n`);
      return;
    }
    case "cancelled":
      if (screen.json !== undefined) {
        process.exitCode = 130;
        return screen.json.ended(view);
      }
      throw new MillraceError("cancelled", "cancelled: nothing was published and nothing is left behind");
    case "failed": {
      process.exitCode = exitCodeOfJob(view);
      if (screen.json !== undefined) return screen.json.ended(view);
      const named = new Set(settings.used.map(({ name }) => name));
      const { isKeptHere } = settings;
      const hints = await failureHints({ view, handle, job, inputs, flags, settings: named, isKeptHere });
      for (const line of failureSummary(view, hints)) process.stderr.write(`${line}\n`);
      return;
    }
    default:
      throw new Error(`millrace bug: the job ended in the state ${view.state}`);
  }
}
