// Ctrl-C and its relatives: the first one cancels and cleans up, the second one ends the process at once.
import { MillraceError } from "../base/error.ts";

export interface Interrupts {
  /** Aborted by the first interrupt. */
  readonly signal: AbortSignal;
  throwIfInterrupted(): void;
  /** Interrupts end the process again, as without us. */
  stop(): void;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export function listenForInterrupts(): Interrupts {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    // Slots end by themselves when this process does: they watch it.
    if (controller.signal.aborted) {
      process.stderr.write(
        "\nstopped at once; the next run of this output removes what is left, or goes on from it with --resume\n",
      );
      process.exit(130);
    }
    controller.abort(signal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    throwIfInterrupted() {
      if (controller.signal.aborted) throw new MillraceError("cancelled", "cancelled before the job was started");
    },
    stop() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
