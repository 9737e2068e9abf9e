// What a map pass is told: what takes its pairs and records, which records it leaves out, and how often it tries.
import type { Emitter } from "../emit/emitter.ts";
import type { DeadLetters } from "../output/dead-letters.ts";
import type { OutputSinks } from "../output/outputs.ts";
import type { StatusReport } from "../status-report.ts";
import type { PutAside } from "./put-aside.ts";
import type { CallParts } from "./record-call.ts";

export interface MapPassOptions extends Omit<CallParts, "of" | "buffers" | "grown"> {
  /** Takes the pairs; undefined in a map-only job. */
  readonly emitter: Emitter | undefined;
  readonly sinks: OutputSinks;
  readonly concurrency: number;
  readonly deadLetters: DeadLetters;
  /** Records that map must not get: their offsets by file, and what became of them. */
  readonly putAside: PutAside;
  /**
   * "twice": a record that fails is mapped again immediately. "once": what user code throws ends the pass. "none": a
   * record that fails is skipped.
   */
  readonly tries: "none" | "once" | "twice";
  /**
   * "first": calls may share, and none has done so before. "again": calls of another pass of the attempt have. "none":
   * each call has its own `emit` and `ctx`.
   */
  readonly sharing: "none" | "first" | "again";
  readonly status: StatusReport;
  readonly signal: AbortSignal;
}
