// Reads a report with a large plan in portions, so that the master answers others between them: read at once, a plan of
// a million splits would hold up its thread for seconds. Each portion is encoded again right away, as it will be
// stored. Everything else in a report is small, or is read as fast as it comes.
import type { Plan } from "../input/plan.ts";
import { badResult } from "../protocol/check-result.ts";
import type { AttemptResult, WorkerReport } from "../protocol/messages.ts";
import { decodeReport } from "./convert.ts";
import { changeField } from "./protobuf/message-parts.ts";
import { WireReader } from "./protobuf/reader.ts";
import { decodePlan, encodePlanPart, planOf } from "./stored/plans.ts";

/** `finished` of WorkerReport, `done` of AttemptResult, `plan` of Done. */
const path = [10, 2, 1] as const;

export interface PortionOptions {
  /** Reports shorter than this are read at once. */
  readonly reportBytes: number;
  readonly portionBytes: number;
  /** Lets others have their turn. Called between two portions. */
  readonly pause: () => Promise<void>;
}

/** Reads a report. Returns and throws what `decodeReport` does. */
export async function readReport(bytes: Uint8Array, options: PortionOptions): Promise<WorkerReport> {
  const found = bytes.length < options.reportBytes ? undefined : cutPlans(bytes);
  if (found === undefined || found.plans.size === 0) return decodeReport(bytes);
  const report = decodeReport(found.rest);
  const finished: AttemptResult[] = [...report.finished];
  for (const [index, plan] of found.plans) {
    const result = finished[index];
    if (result?.ok !== true) continue; // the rest of it could not be read
    try {
      finished[index] = { ...result, plan: await readPlan(plan, options) };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const what = `a result that can't be read (${why.slice(0, 200)})`;
      finished[index] = badResult(result.attempt, `worker ${report.worker}`, what);
    }
  }
  return { ...report, finished };
}

async function readPlan(bytes: Uint8Array, { portionBytes, pause }: PortionOptions): Promise<Plan> {
  const parts: Plan[] = [];
  const chunks: Uint8Array[] = [];
  for (const portion of portions(bytes, portionBytes)) {
    const part = decodePlan([portion]);
    parts.push(part);
    chunks.push(encodePlanPart(part));
    await pause();
  }
  return planOf(parts, chunks);
}

/** Cuts a message into messages of the same type, which together are the whole. */
function* portions(bytes: Uint8Array, bytesMax: number): Iterable<Uint8Array> {
  const reader = new WireReader();
  reader.open(bytes);
  let from = 0;
  while (reader.next()) {
    reader.skip();
    if (reader.at - from < bytesMax) continue;
    yield bytes.subarray(from, reader.at);
    from = reader.at;
  }
  if (from < bytes.length) yield bytes.subarray(from);
}

interface Cut {
  /** The report without its plans. */
  readonly rest: Uint8Array;
  /** The plans, by their index in `finished`. */
  readonly plans: ReadonlyMap<number, Uint8Array>;
}

/**
 * Cuts the plans out of a report. Undefined: the bytes are no report, or are encoded in a way that only the library can
 * read.
 */
function cutPlans(report: Uint8Array): Cut | undefined {
  const plans = new Map<number, Uint8Array>();
  let index = 0;
  try {
    const rest = changeField(report, path[0], (result) => {
      const plan = cutOne(result);
      if (plan !== undefined) plans.set(index, plan.cut);
      index++;
      return plan?.rest ?? result;
    });
    return { rest, plans };
  } catch {
    return undefined;
  }
}

/** Cuts the plan out of a result; undefined: it has none. */
function cutOne(result: Uint8Array): { readonly cut: Uint8Array; readonly rest: Uint8Array } | undefined {
  const cut: Uint8Array[] = [];
  let outcomes = 0;
  const rest = changeField(result, path[1], (done) => {
    outcomes++;
    return changeField(done, path[2], (plan) => {
      cut.push(plan);
      return undefined;
    });
  });
  return outcomes === 1 && cut.length === 1 ? { cut: cut[0]!, rest } : undefined;
}
