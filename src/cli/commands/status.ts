// `millrace status`: shows the cluster at a glance, or one job; with --watch, the job as `millrace run` shows it, until
// it has ended.

import { MillraceError } from "../../base/error.ts";
import { meaningOf } from "../../base/error-codes.ts";
import { deadLettersOutput } from "../../base/ids.ts";
import { pathBelow } from "../../base/paths.ts";
import { systemClock } from "../../base/system/clock.ts";
import { formatCount, formatCounted, formatDuration } from "../../base/units.ts";
import { Pace } from "../../engine/pace.ts";
import { Feed } from "../../engine/remote/feed.ts";
import type { RemoteMaster } from "../../protocol/services.ts";
import { type ClusterView, hasEnded, type JobView } from "../../protocol/view.ts";
import { findJob, tellOnStderr, withMaster } from "../cluster.ts";
import type { MasterFlags } from "../options.ts";
import { pc } from "../screen/colour.ts";
import { exitCodeOfJob, printable } from "../screen/error-text.ts";
import { eventsTo } from "../screen/event-stream.ts";
import { masterWords, shortId } from "../screen/hints.ts";
import { roundedView } from "../screen/json-events.ts";
import { linePrinter } from "../screen/line-printer.ts";
import { progressLines } from "../screen/progress.ts";
import { openScreen, type Screen, showUntilEnded, warn } from "../screen/screen.ts";
import { failureSummary, resumedText, successLines } from "../screen/summary.ts";
import { jobLines, stateWord } from "./jobs.ts";
import { noWorkers, workerLines } from "./workers.ts";

/** Where standard output is no terminal. */
const wideColumns = 120;

export interface StatusFlags extends MasterFlags {
  readonly watch: boolean;
}

export async function statusCommand(id: string | undefined, flags: StatusFlags): Promise<void> {
  if (id === undefined && flags.watch) {
    throw new MillraceError("wrong-usage", "--watch follows one job: give its id (millrace jobs lists them)");
  }
  /** The live view, while a job is watched. */
  let screen: Screen | undefined;
  await withMaster(
    flags,
    async (master) => {
      if (id === undefined) return showCluster(await master.view(), flags);
      const view = await findJob(master, id);
      const ageMs = await ageOf(master, view);
      if (!flags.watch) return showJob(view, flags, ageMs);
      const startedMs = systemClock.now() - (ageMs ?? 0);
      eventsTo("stdout");
      screen = openScreen({ json: flags.json, quiet: false, noProgress: false }, startedMs);
      await watch({ master, first: view, flags, screen, startedMs: ageMs === undefined ? undefined : startedMs });
    },
    (warning) => (screen === undefined ? tellOnStderr(warning, flags) : warn(screen, warning)),
  );
}

function showCluster(view: ClusterView, flags: StatusFlags): void {
  const print = linePrinter();
  if (flags.json) {
    print(JSON.stringify({ ...view, jobs: view.jobs.map(roundedView) }));
    return;
  }
  const { workers, jobs } = view;
  const running = jobs.filter((job) => !hasEnded(job.state));
  if (workers.length === 0) {
    print(noWorkers(flags.master));
  } else {
    const slots = workers.reduce((sum, worker) => sum + worker.slots, 0);
    print(`${pc.bold(flags.master)}: ${formatCounted(workers.length, "worker")} with ${formatCounted(slots, "slot")}`);
    for (const line of workerLines(workers)) print(`  ${line}`);
  }
  for (const line of leaderLines(view)) print(line);
  print("");
  print(
    `${formatCounted(running.length, "job")} under way${jobs.length > running.length ? `, ${jobs.length - running.length} ended (millrace jobs lists all)` : ""}`,
  );
  if (running.length > 0) for (const line of jobLines(running)) print(`  ${line}`);
}

/** Which master leads, for how long, and the number of its leadership. Its clock may differ from this machine's. */
function leaderLines({ leader, epoch }: ClusterView): string[] {
  if (leader === undefined) return [];
  const forMs = Math.max(0, systemClock.date().getTime() - Date.parse(leader.since));
  const since = Number.isNaN(forMs) ? "" : `, since ${printable(leader.since)} (${formatDuration(forMs)})`;
  return [`led by ${printable(leader.address)}${since}, epoch ${formatCount(epoch)}`];
}

function showJob(view: JobView, flags: StatusFlags, ageMs: number | undefined): void {
  const print = linePrinter();
  if (flags.json) {
    print(JSON.stringify(roundedView(view)));
    return;
  }
  if (hasEnded(view.state)) {
    for (const line of endedLines(view, flags, ageMs)) print(line);
  } else {
    const columns = process.stdout.columns ?? wideColumns;
    for (const line of progressLines(new Pace(0).update(view, ageMs ?? 0), columns)) print(line);
    for (const { task, error } of view.failures.slice(-3))
      print(pc.yellow(`  failed, tried again: ${task}: ${printable(error.message)}`));
    const resumed = resumedText(view);
    if (resumed !== undefined) print(`  resumed: ${resumed}`);
  }
  print(pc.dim(`  job ${view.job}`));
}

interface Watch {
  readonly master: RemoteMaster;
  readonly first: JobView;
  readonly flags: StatusFlags;
  readonly screen: Screen;
  /** When the job began, on the clock of `systemClock.now()`; undefined where it is not known. */
  readonly startedMs: number | undefined;
}

async function watch({ master, first, flags, screen, startedMs }: Watch): Promise<void> {
  const feed = new Feed({
    master,
    job: first.job,
    first,
    later: `millrace status ${shortId(first.job)} --watch${masterWords(flags)}`,
  });
  // An interrupt only ends the watching; the job goes on.
  const leave = () => {
    screen.clear();
    process.exit(130);
  };
  process.on("SIGINT", leave);
  try {
    const view = await showUntilEnded({ watch: (signal) => feed.watch(signal), ended: feed.ended }, screen);
    screen.clear();
    process.exitCode = exitCodeOfJob(view);
    const elapsedMs = startedMs === undefined ? undefined : systemClock.now() - startedMs;
    if (screen.json !== undefined) {
      if (view.state === "succeeded") screen.json.done(view, elapsedMs ?? 0, view.output);
      else screen.json.ended(view);
      return;
    }
    for (const line of endedLines(view, flags, elapsedMs)) process.stderr.write(`${line}\n`);
  } finally {
    screen.clear();
    process.off("SIGINT", leave);
    feed.close();
  }
}

function endedLines(view: JobView, flags: StatusFlags, elapsedMs: number | undefined): string[] {
  const id = shortId(view.job);
  switch (view.state) {
    case "failed":
      return failureSummary(view, [
        `what it printed:  millrace logs ${id}${masterWords(flags)}`,
        ...(view.resumable && meaningOf(view.reason?.code ?? "").startsOver !== true
          ? [`go on where it stopped:  millrace retry ${id}${masterWords(flags)}`]
          : []),
      ]);
    case "succeeded":
      return successLines(view, {
        elapsedMs,
        output: view.output,
        deadLetters: view.deadLettersIn ?? pathBelow(view.output, deadLettersOutput),
        phases: [],
      });
    default:
      return [`${stateWord(view.state)} ${pc.bold(printable(view.name))}`];
  }
}

/**
 * How long the job has been there, or was there until it ended, by its history; undefined where there is none. It is
 * only shown, as the clocks of two machines differ.
 */
async function ageOf(master: RemoteMaster, view: JobView): Promise<number | undefined> {
  const enough = new AbortController();
  let first: number | undefined;
  let last = systemClock.date().getTime();
  try {
    for await (const { time } of master.history(view.job, enough.signal)) {
      first ??= Date.parse(time);
      if (!hasEnded(view.state)) break;
      last = Date.parse(time);
    }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error; // no history: the times are left out
  } finally {
    enough.abort();
  }
  return first === undefined || Number.isNaN(last - first) ? undefined : Math.max(0, last - first);
}
