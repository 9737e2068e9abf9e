// The state of a local run: that of the run which it resumes, or a new one, which is in memory at first.
import { limits } from "../../base/limits.ts";
import { systemClock } from "../../base/system/clock.ts";
import { MemoryFirstStore } from "../../state/memory-first.ts";
import { openStateStore } from "../../state/open.ts";
import type { StateStore } from "../../state/store.ts";
import { signUse, type WorkDirectory } from "../../worker/disk/work-directory.ts";
import type { LocalOptions } from "./options.ts";

export interface RunState {
  readonly store: StateStore;
  /** Stores the state now. False where it can't be kept, so that a later run has nothing to go on with. */
  keep(): Promise<boolean>;
}

export interface RunStateOptions {
  readonly options: Pick<LocalOptions, "resume" | "output" | "onWarning">;
  readonly work: WorkDirectory;
  /** Aborted when the run is closed. */
  readonly closed: AbortSignal;
}

export async function openRunState({ options, work, closed }: RunStateOptions): Promise<RunState> {
  if (options.resume === true) {
    return { store: await openStateStore(work.state, { who: "--resume" }), keep: async () => true };
  }
  const afterMs = stateInMemoryMs();
  const store = new MemoryFirstStore({
    directory: work.state,
    clock: systemClock,
    // A run without an output can't be resumed: no one could name it.
    afterMs: options.output === undefined ? undefined : afterMs,
    onLost: ({ message }) =>
      options.onWarning?.(`this run can't be resumed: if it is killed, it has to begin again. ${message}`),
  });
  void signUntilKept(store, work, closed);
  if (afterMs === 0) await store.keep();
  return { store, keep: () => store.keep() };
}

/** Tells other containers that the run is there, until there is a store whose lock tells them. */
async function signUntilKept(store: MemoryFirstStore, work: WorkDirectory, closed: AbortSignal): Promise<void> {
  for (;;) {
    await systemClock.sleep(limits.signOfUseMs, closed);
    if (closed.aborted || store.isKept) return;
    signUse(work, systemClock.date());
  }
}

/** `MILLRACE_STATE_MS=0` lets tests kill a run anywhere and resume it: its state is stored from the beginning. */
function stateInMemoryMs(): number {
  const given = process.env["MILLRACE_STATE_MS"];
  return given === undefined || given === "" ? limits.stateInMemoryMs : Number(given);
}
