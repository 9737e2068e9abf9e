// SIGINT (Ctrl-C), SIGTERM and SIGHUP: the first one cancels and cleans up, the second one ends the process
// immediately.
import { MillraceError } from "../base/error.ts";
import { quoted } from "./screen/hints.ts";

export interface Interrupts {
  /** Aborted by the first interrupt. */
  readonly signal: AbortSignal;
  throwIfInterrupted(): void;
  /** Stops listening: interrupts end the process again. */
  stop(): void;
}

export interface InterruptOptions {
  /** Printed when the second interrupt ends the process. */
  readonly stopped: string;
  /** Whether closing the terminal ends the process without cancelling anything. */
  readonly hangUpLeaves: boolean;
}

/** For a run on this machine. Slots watch this process, and end by themselves when it ends. */
export const localInterrupts: InterruptOptions = {
  stopped:
    "stopped immediately; the next run with this output removes what is left, or, with --resume, goes on from what was stored",
  hangUpLeaves: false,
};

/** For a job on a cluster, which goes on when no one watches it. */
export function remoteInterrupts(master: string): InterruptOptions {
  return {
    stopped: `left immediately; to see whether the job was cancelled:  millrace jobs --master ${quoted(master)}`,
    hangUpLeaves: true,
  };
}

/** The error for an interrupt before the job runs. Once it runs, it is cancelled instead. */
function beforeStart(): MillraceError {
  return new MillraceError("cancelled", "cancelled before the job was started");
}

export const interruptSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

let heard = () => {};

/** Sets what is called at each interrupt that arrives, which shows that this thread is free. */
export function onInterruptHeard(listener: () => void): void {
  heard = listener;
}

export function listenForInterrupts(options: InterruptOptions = localInterrupts): Interrupts {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    heard();
    if (signal === "SIGHUP" && options.hangUpLeaves) process.exit(130);
    if (controller.signal.aborted) {
      process.stderr.write(`\n${options.stopped}\n`);
      process.exit(130);
    }
    controller.abort(beforeStart());
  };
  for (const signal of interruptSignals) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    throwIfInterrupted() {
      if (controller.signal.aborted) throw beforeStart();
    },
    stop() {
      for (const signal of interruptSignals) process.off(signal, onSignal);
    },
  };
}
