// Ctrl-C and its relatives: the first one cancels and cleans up, the second one ends the process at once.
import { MillraceError } from "../base/error.ts";
import { quoted } from "./screen/hints.ts";

export interface Interrupts {
  /** Aborted by the first interrupt. */
  readonly signal: AbortSignal;
  throwIfInterrupted(): void;
  /** Interrupts end the process again, as without us. */
  stop(): void;
}

export interface InterruptOptions {
  /** Said when the second one ends the process. */
  readonly stopped: string;
  /** A terminal that is closed ends the process and nothing else. */
  readonly hangUpLeaves: boolean;
}

/** Slots end by themselves when this process does: they watch it. */
export const localInterrupts: InterruptOptions = {
  stopped: "stopped at once; the next run of this output removes what is left, or goes on from it with --resume",
  hangUpLeaves: false,
};

/** A job of a cluster needs nobody who watches it. */
export function remoteInterrupts(master: string): InterruptOptions {
  return {
    stopped: `left at once; whether the job was cancelled says  millrace jobs --master ${quoted(master)}`,
    hangUpLeaves: true,
  };
}

/** What a wait that the interrupt ends rejects with: once the job runs it is cancelled instead. */
function beforeStart(): MillraceError {
  return new MillraceError("cancelled", "cancelled before the job was started");
}

export const interruptSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

let heard = () => {};

/** Calls `listener` when an interrupt has come to who listens for it: this thread is free. */
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
