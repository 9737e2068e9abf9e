import type { JobView } from "../protocol/view.ts";

const phaseOf: Partial<Record<JobView["state"], string>> = {
  planning: "plan",
  mapping: "map",
  reducing: "reduce",
  closing: "publish",
  publishing: "publish",
};

/**
 * Measures how long a job is in each phase, from the views that it is shown. The time before the first view counts as
 * "start".
 */
export class PhaseTimes {
  readonly #entered = new Map<string, number>();
  #endMs: number | undefined;

  constructor(startedMs: number) {
    this.#entered.set("start", startedMs);
  }

  update(view: JobView, nowMs: number): void {
    const phase = phaseOf[view.state];
    if (phase === undefined) this.#endMs ??= nowMs;
    else if (!this.#entered.has(phase)) this.#entered.set(phase, nowMs);
  }

  list(): readonly { readonly phase: string; readonly ms: number }[] {
    const entries = [...this.#entered];
    return entries.map(([phase, from], i) => ({ phase, ms: (entries[i + 1]?.[1] ?? this.#endMs ?? from) - from }));
  }
}
