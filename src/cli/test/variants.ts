// The ways in which `millrace test` runs the same job, and what it usually means when one of them gives another result.
import { limits } from "../../base/limits.ts";
import { formatBytes, formatCounted } from "../../base/units.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import type { Settings } from "./whole-run.ts";

export interface Variant {
  readonly name: string;
  readonly settings: Settings;
  /** What changes, for `meaningOf`. "shared": there are more tasks, and some of them share a process. */
  readonly about: "again" | "fresh" | "shared" | "memory" | "combining" | "interrupted";
  /** Why this variant is skipped; left out: it is run. */
  readonly skip?: string;
}

/** `bytes` is the size of the whole sample, `slots` the number of slots of the usual run. */
export function variantsOf(
  usual: Settings,
  {
    bytes,
    slots,
    description,
  }: { readonly bytes: number; readonly slots: number; readonly description: JobDescription },
): Variant[] {
  const third = Math.max(1, Math.ceil(bytes / 3));
  const thirtieth = Math.max(1, Math.ceil(bytes / 30));
  const withSlots = (n: number): Settings => ({
    ...usual,
    slots: n,
    // The memory that was given may be too little for more slots.
    memoryBytes:
      usual.memoryBytes === undefined ? undefined : Math.max(usual.memoryBytes, n * limits.slotMemoryBytesMin),
    splitBytes: thirtieth,
  });
  const combining = (word: "always" | "never"): Variant => ({
    name: word === "always" ? "combine called wherever it can be" : "combine never called before reduce",
    about: "combining",
    settings: { ...usual, splitBytes: third, experiment: { ...usual.experiment, combining: word } },
    ...(description.combine === undefined && { skip: "the job has no combine" }),
  });
  return [
    { name: "once more, everything as before", about: "again", settings: usual },
    {
      // It comes before the variants whose tasks share processes: if it is right and they are not, sharing is the
      // reason.
      name: `splits of ${formatBytes(third)}, a process of its own for each task`,
      about: "fresh",
      settings: { ...usual, splitBytes: third, experiment: { ...usual.experiment, reuseSlots: false } },
    },
    { name: `splits of ${formatBytes(third)}`, about: "shared", settings: { ...usual, splitBytes: third } },
    { name: `splits of ${formatBytes(thirtieth)}`, about: "shared", settings: { ...usual, splitBytes: thirtieth } },
    ...[1, 2, 3].map((n): Variant => ({ name: formatCounted(n, "slot"), about: "shared", settings: withSlots(n) })),
    {
      name: "tasks in reverse order",
      about: "shared",
      settings: { ...usual, slots: 1, splitBytes: third, experiment: { ...usual.experiment, order: "reverse" } },
    },
    {
      name: `${formatBytes(slots * limits.slotMemoryBytesMin)} of memory, the least for ${formatCounted(slots, "slot")}`,
      about: "memory",
      settings: { ...usual, slots, memoryBytes: slots * limits.slotMemoryBytesMin },
    },
    {
      name: "each map task interrupted, and gone on with behind a checkpoint",
      about: "interrupted",
      settings: { ...usual, experiment: { ...usual.experiment, interrupting: true } },
      ...(description.mapOnly && { skip: "a map-only job makes no checkpoints" }),
    },
    combining("always"),
    combining("never"),
  ];
}

/** Findings of other checks, which help to explain why a variant's result differs. */
export interface Findings {
  readonly hasCombine: boolean;
  /** What the checks in this process have found. */
  readonly combineIsWrong: boolean;
  readonly mapIsWrong: boolean;
  /** Whether smaller splits gave the usual result where each task had a process of its own. */
  readonly freshIsRight: boolean;
}

export function meaningOf(about: Variant["about"], findings: Findings): string {
  const { hasCombine, combineIsWrong, mapIsWrong, freshIsRight } = findings;
  if (about === "again") {
    return "It is another result each time. Usually: Date.now() or Math.random() instead of ctx.startedAt and ctx.random(), ctx.attempt or a random id in what is emitted, or data from outside that changes.";
  }
  if (combineIsWrong) return "That is what a combine that is not associative does (see above).";
  if (mapIsWrong) return "That is what a map does that does not emit the same again (see above).";
  switch (about) {
    case "fresh":
    case "memory":
      return `Usually: map keeps something from one record to the next, ${hasCombine ? "combine is not associative, " : ""}or setup counts, or draws ctx.random().`;
    case "shared":
      return freshIsRight
        ? "Each task in a process of its own gave the usual result, so one finds what another has left: a variable of the module, or a file. What setup returns is made again for each task; keep it there, as ctx.state."
        : `Usually: map keeps something from one record to the next, ${hasCombine ? "combine is not associative, " : ""}or tasks share a file.`;
    case "interrupted":
      return "Usually: map keeps something from one record to the next. Behind a checkpoint it is called in another process, in which only setup has run.";
    case "combining":
      return "Usually: combine is not associative, or reduce counts on how often it was called. Values may come to reduce as map emitted them, all combined into one, or anything between.";
  }
}
