// Shared by `millrace master` and `millrace worker`: a process that runs until it is told to end, or can't go on.

const signals = ["SIGINT", "SIGTERM"] as const;

export interface Endings {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly first: AbortSignal;
  /** Aborted by the second. */
  readonly second: AbortSignal;
  stop(): void;
}

export function listenForEndings(): Endings {
  const first = new AbortController();
  const second = new AbortController();
  const onSignal = () => (first.signal.aborted ? second.abort() : first.abort());
  for (const signal of signals) process.on(signal, onSignal);
  return {
    first: first.signal,
    second: second.signal,
    stop() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}

/** Resolves with the first of these signals that is aborted, immediately if one is aborted already. */
export function firstOf(...all: readonly AbortSignal[]): Promise<AbortSignal> {
  return new Promise((resolve) => {
    for (const signal of all) {
      if (signal.aborted) return resolve(signal);
      signal.addEventListener("abort", () => resolve(signal), { once: true });
    }
  });
}
