// Checks that map emits the same for a record every time. It is called twice: in order, and from the last record to the
// first, after setup has run again, with a clock of another day. A difference comes from earlier records, the clock,
// chance, or the outside world.
import { held } from "../../base/assert.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { formatCount, formatCounted } from "../../base/units.ts";
import { resultOfState } from "../../job/aggregate/lower.ts";
import type { JobDefinition } from "../../job/definition.ts";
import { describeThrown } from "../../job/thrown.ts";
import { clockAdvice, type Used, watchClockAndChance } from "../../sim/job/clock-and-chance.ts";
import type { MappedRecord } from "../../task/map/record-mapper.ts";
import { readableBytes } from "../replay/readable.ts";
import { type Check, failed, ok } from "./check.ts";
import { type InProcess, mapAll, placeOf } from "./in-process.ts";

const name = "map emits the same when it is called again";

/** `first` is what map emitted for the records in order, by index. */
export async function checkMap(here: InProcess, first: ReadonlyMap<number, MappedRecord>): Promise<Check> {
  const { job, records } = here;
  const watched = watchClockAndChance();
  let differing = 0;
  let bySetup: Used | undefined;
  let details: readonly string[] = [];
  try {
    await mapAll(here, {
      order: [...first.keys()].reverse(),
      before() {
        const used = watched.takeUsed();
        bySetup ??= used;
      },
      after(index, again) {
        const used = watched.takeUsed();
        const before = held(first, index, "first result of map");
        const difference = differenceOf(job, before, again);
        if (difference === undefined) return;
        if (differing++ > 0) return;
        const adviceOnSetup = bySetup === undefined ? undefined : clockAdvice(bySetup, "setup");
        const advice = clockAdvice(used, "map") ?? adviceOnSetup ?? stateAdvice;
        details = [
          `the record at ${placeOf(records[index]!)}: ${excerptOf(records[index]!.record)}`,
          ...difference,
          advice,
        ];
      },
    });
  } finally {
    watched.remove();
  }
  if (differing === 0) return ok(name, `${formatCounted(first.size, "record")}, in order and backwards`);
  return failed(name, `it did not for ${formatCount(differing)} of ${formatCount(first.size)} records`, details);
}

const stateAdvice =
  "map keeps something from one record to the next (a variable outside of it, a RegExp with the flag g, ctx.state), or asks the outside world. What it emits may depend on its record, ctx.params and what setup reads, on nothing else.";

/** The difference between two results of one record, in words; undefined when they are equal. */
function differenceOf(job: JobDefinition, first: MappedRecord, again: MappedRecord): string[] | undefined {
  if (again.outcome.kind === "threw" && first.outcome.kind === "returned") {
    return [`again  it threw ${describeThrown(again.outcome.thrown).message}`];
  }
  if (first.outcome.kind === "threw" && again.outcome.kind === "returned") {
    return [`first  it threw ${describeThrown(first.outcome.thrown).message}`];
  }
  // What a call emitted before it failed does not count.
  if (first.outcome.kind === "threw") return undefined;
  const [a, b] = [textsOf(job, first), textsOf(job, again)];
  const at = a.findIndex(({ bytes }, i) => b[i] === undefined || Buffer.compare(bytes, b[i].bytes) !== 0);
  const index = at < 0 && b.length > a.length ? a.length : at;
  if (index < 0) return undefined;
  return [`first  ${a[index]?.text() ?? "nothing more"}`, `again  ${b[index]?.text() ?? "nothing more"}`];
}

interface Emitted {
  readonly bytes: Uint8Array;
  text(): string;
}

function textsOf(job: JobDefinition, { pairs, records }: MappedRecord): Emitted[] {
  return [
    ...pairs.map(({ key, value }) => ({
      bytes: Buffer.concat([key, Buffer.from([0]), value]),
      text: () => `${excerptOf(job.key.read(key))} → ${excerptOf(resultOfState(job.value.read(value)))}`,
    })),
    ...records.map(({ output, bytes }) => ({
      bytes: Buffer.concat([Buffer.from([output]), bytes]),
      text: () => `${output === 0 ? "" : `to ${job.outputs[output]!.name}: `}${readableBytes(bytes)}`,
    })),
  ];
}
