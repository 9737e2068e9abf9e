// `millrace run`: opens the engine, shows what it does, and says at the end what came of it.
import { join, resolve } from "node:path";
import { systemClock } from "../base/clock.ts";
import { MillraceError } from "../base/error.ts";
import type { JobHandle, LocalEngine } from "../local.ts";
import { openLocal } from "../local.ts";
import type { JobView } from "../schedule/step.ts";
import { failureHints } from "./hints.ts";
import { type Interrupts, listenForInterrupts } from "./interrupts.ts";
import { jsonEvents } from "./json-events.ts";
import type { RunFlags } from "./options.ts";
import { outputPrinter } from "./output-printer.ts";
import { PhaseTimes } from "./phase-times.ts";
import { LineProgress, type ProgressSink, TerminalProgress } from "./progress.ts";
import { copyToStdout, refuseStdout } from "./stdout.ts";
import { submitOptionsOf } from "./submit.ts";
import { failureSummary, successLines } from "./summary.ts";

/** How often a terminal is redrawn at most. */
const redrawMs = 100;

export async function runCommand(job: string, inputs: readonly string[], flags: RunFlags): Promise<void> {
  const interrupts = listenForInterrupts();
  const startedMs = systemClock.now();
  const screen = openScreen(flags, startedMs);
  let engine: LocalEngine | undefined;
  try {
    engine = await openLocal({
      module: resolve(job),
      output: flags.output,
      slots: flags.slots,
      memoryBytes: flags.memory,
      environment: Object.fromEntries(flags.env),
      overwrite: flags.overwrite,
      resume: flags.resume,
      workDir: flags.workDir,
      ...(flags.quiet ? {} : { onOutput: outputPrinter(screen) }),
    });
    if (flags.output === undefined) refuseStdout(engine.description, process.stdout.isTTY === true);
    interrupts.throwIfInterrupted();
    const handle = await engine.submit(await submitOptionsOf(engine, inputs, flags, interrupts.signal));
    const view = await follow(handle, screen, interrupts);
    await finish({ engine, handle, view, job, inputs, flags, screen, elapsedMs: systemClock.now() - startedMs });
  } finally {
    screen.clear();
    await engine?.close();
    interrupts.stop();
  }
}

/** What shows a run's progress: a terminal's live lines, a line now and then, JSON events, or nothing. */
export interface Screen {
  update(view: JobView, nowMs: number): void;
  clear(): void;
  /** A line that stays: printed above what is rewritten in place. */
  print(line: string): void;
  readonly phases: PhaseTimes;
  readonly json: ReturnType<typeof jsonEvents> | undefined;
}

function openScreen(flags: RunFlags, startedMs: number): Screen {
  const phases = new PhaseTimes(startedMs);
  const sink: ProgressSink = {
    write: (text) => void process.stderr.write(text),
    get columns() {
      return process.stderr.columns ?? 80;
    },
  };
  const json = flags.json ? jsonEvents(sink) : undefined;
  if (flags.quiet || json !== undefined) {
    return {
      phases,
      json,
      update: (view, nowMs) => {
        phases.update(view, nowMs);
        json?.progress(view, nowMs);
      },
      clear: () => {},
      print: (line) => {
        if (json === undefined && !flags.quiet) sink.write(`${line}\n`);
      },
    };
  }
  const progress =
    process.stderr.isTTY === true ? new TerminalProgress(sink, startedMs) : new LineProgress(sink, startedMs);
  return {
    phases,
    json,
    update: (view, nowMs) => {
      phases.update(view, nowMs);
      progress.update(view, nowMs);
    },
    clear: () => progress.clear(),
    print: (line) => {
      progress.clear();
      sink.write(`${line}\n`);
    },
  };
}

/** Shows views until the job has ended; an interrupt cancels it. */
async function follow(handle: JobHandle, screen: Screen, interrupts: Interrupts): Promise<JobView> {
  const cancel = () => {
    if (process.stderr.isTTY) screen.print("cancelling; Ctrl-C once more stops at once");
    void handle.cancel();
  };
  interrupts.signal.addEventListener("abort", cancel, { once: true });
  if (interrupts.signal.aborted) cancel();
  let shownMs = Number.NEGATIVE_INFINITY;
  let last: JobView | undefined;
  let lastState: JobView["state"] | undefined;
  for await (const view of handle.watch()) {
    const now = systemClock.now();
    last = view;
    if (view.state === lastState && now - shownMs < redrawMs) continue;
    lastState = view.state;
    shownMs = now;
    screen.update(view, now);
  }
  const ended = await handle.ended;
  screen.phases.update(ended, systemClock.now());
  return last === undefined ? ended : { ...last, ...ended };
}

interface Finish {
  readonly engine: LocalEngine;
  readonly handle: JobHandle;
  readonly view: JobView;
  readonly job: string;
  readonly inputs: readonly string[];
  readonly flags: RunFlags;
  readonly screen: Screen;
  readonly elapsedMs: number;
}

async function finish({ engine, handle, view, job, inputs, flags, screen, elapsedMs }: Finish): Promise<void> {
  screen.clear();
  switch (view.state) {
    case "succeeded": {
      if (flags.output === undefined) await copyToStdout(engine);
      if (screen.json !== undefined) return screen.json.done(view, elapsedMs, flags.output);
      if (flags.quiet) return;
      const lines = successLines(view, {
        elapsedMs,
        output: flags.output,
        deadLetters: flags.output === undefined ? undefined : join(flags.output, "_dead-letters"),
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
      process.exitCode = 1;
      if (screen.json !== undefined) return screen.json.ended(view);
      for (const line of failureSummary(view, failureHints({ view, handle, job, inputs, flags })))
        process.stderr.write(`${line}\n`);
      return;
    }
    default:
      throw new Error(`millrace bug: the job ended in the state ${view.state}`);
  }
}
