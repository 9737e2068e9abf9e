// Shows a job's progress: live lines on a terminal, a line now and then elsewhere, JSON events, or nothing.
import { systemClock } from "../../base/system/clock.ts";
import type { JobHandle } from "../../engine/engine.ts";
import { PhaseTimes } from "../../engine/phase-times.ts";
import type { JobView } from "../../protocol/view.ts";
import { colourFor, isLive, pc } from "./colour.ts";
import { printable } from "./error-text.ts";
import { eventSink } from "./event-stream.ts";
import { jsonEvents } from "./json-events.ts";
import { LineProgress, NoProgress, type ProgressSink, TerminalProgress } from "./progress.ts";

/** The shortest time between two redraws of a terminal: drawing must not be seen in the time that a run takes. */
const redrawMs = 200;
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

export interface ScreenFlags {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly noProgress: boolean;
}

export function openScreen(flags: ScreenFlags, startedMs: number): Screen {
  colourFor(process.stderr);
  const phases = new PhaseTimes(startedMs);
  const sink: ProgressSink = {
    write: (text) => void process.stderr.write(text),
    get columns() {
      return process.stderr.columns ?? 80;
    },
  };
  const json = flags.json ? jsonEvents(eventSink, startedMs) : undefined;
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
  const progress = progressOf(flags, sink, startedMs);
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

function progressOf({ noProgress }: ScreenFlags, sink: ProgressSink, startedMs: number) {
  if (noProgress) return new NoProgress(sink);
  return isLive(process.stderr) ? new TerminalProgress(sink, startedMs) : new LineProgress(sink, startedMs);
}

/** Shows a warning, as a sentence that stays or as an event. */
export function warn(screen: Screen, warning: string): void {
  if (screen.json !== undefined) screen.json.warning(warning);
  else screen.print(pc.yellow(`warning: ${printable(warning)}`));
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
