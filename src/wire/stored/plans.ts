// Plans as bytes, in chunks that are small enough to be stored and sent one by one. A plan that came in such chunks keeps them.
import { limits } from "../../base/limits.ts";
import type { Plan } from "../../input/plan.ts";
import { messageCodec } from "../codec.ts";
import { PlanSchema } from "../gen/millrace/v1/plan_pb.ts";
import { cutPlan, fromPlan, joinPlans, toPlan } from "./convert-plan.ts";
import { decodePlanChunk } from "./plan-reader.ts";
import { writePlanChunk } from "./plan-writer.ts";

const plan = messageCodec(PlanSchema, toPlan, fromPlan, "corrupt-state");

/** Plans that were made from such chunks: they need not be written again. */
const chunksOf = new WeakMap<Plan, readonly Uint8Array[]>();

/** The plan that these parts are, one after the other, each no longer than a chunk. */
export function planOf(parts: readonly Plan[], chunks: readonly Uint8Array[]): Plan {
  const whole = joinPlans(parts);
  chunksOf.set(whole, chunks);
  return whole;
}

/** To be kept for `planOf`. */
export const encodePlanPart = (part: Plan) => writePlanChunk(part);

/** One or more chunks of at most `bytesMax`, except that one element larger than that is a chunk of its own. */
export function encodePlan(value: Plan, bytesMax: number = limits.planChunkBytes): readonly Uint8Array[] {
  const known = bytesMax === limits.planChunkBytes ? chunksOf.get(value) : undefined;
  return known ?? cutPlan(value, bytesMax).map(writePlanChunk);
}

/** All chunks of a plan, in order. */
export function decodePlan(chunks: readonly Uint8Array[]): Plan {
  return joinPlans(chunks.map((chunk) => decodePlanChunk(chunk, plan.decode)));
}
