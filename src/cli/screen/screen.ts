// Shows a job's progress: live lines on a terminal, a line now and then elsewhere, JSON events, or nothing.
import pc from "picocolors";
import { systemClock } from "../../base/system/clock.ts";
import type { JobHandle } from "../../engine/engine.ts";
import type { JobView } from "../../protocol/view.ts";
import { printable } from "./error-text.ts";
import { jsonEvents } from "./json-events.ts";
import { PhaseTimes } from "./phase-times.ts";
import { LineProgress, type ProgressSink, TerminalProgress } from "./progress.ts";

/** The shortest time between two redraws of a terminal. */
const redrawMs = 100;
/** The longest time between two redraws. */
const idleRedrawMs = 1_000;

export interface Screen {
  update(view: JobView, nowMs: number): void;
  clear(): void;
  /** Prints a line that stays, above the lines that are rewritten in place. */
  print(line: string): void;
  readonly phases: PhaseTimes;
  readonly json: ReturnType<typeof jsonEvents> | undefined;
}

export function openScreen(flags: { readonly json: boolean; readonly quiet: boolean }, startedMs: number): Screen {
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

/** Shows a warning, as a sentence that stays or as an event. */
export function warn(screen: Screen, warning: string): void {
  if (screen.json !== undefined) screen.json.warning(warning);
  else screen.print(pc.yellow(`warning ${printable(warning)}`));
}

/** Shows views until the job has ended. The time that passes is shown even while nothing happens. */
export async function showUntilEnded(handle: Pick<JobHandle, "watch" | "ended">, screen: Screen): Promise<JobView> {
  let shownMs = Number.NEGATIVE_INFINITY;
  let last: JobView | undefined;
  const show = (view: JobView) => {
    shownMs = systemClock.now();
    screen.update(view, shownMs);
  };
  const timer = setInterval(() => {
    if (last !== undefined && systemClock.now() - shownMs >= idleRedrawMs) show(last);
  }, idleRedrawMs / 2);
  try {
    for await (const view of handle.watch()) {
      const isSame = view.state === last?.state;
      last = view;
      if (!isSame || systemClock.now() - shownMs >= redrawMs) show(view);
    }
    const ended = await handle.ended;
    screen.phases.update(ended, systemClock.now());
    return last === undefined ? ended : { ...last, ...ended };
  } finally {
    clearInterval(timer);
  }
}
