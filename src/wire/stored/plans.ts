// Plans as bytes, in chunks that are small enough to be stored and sent one by one. A plan that was read from chunks
// keeps them.
import { limits } from "../../base/limits.ts";
import type { Plan } from "../../input/plan.ts";
import { messageCodec } from "../codec.ts";
import { PlanSchema } from "../gen/millrace/v1/plan_pb.ts";
import { cutPlan, fromPlan, joinPlans, toPlan } from "./convert-plan.ts";
import { decodePlanChunk } from "./plan-reader.ts";
import { writePlanChunk } from "./plan-writer.ts";

const plan = messageCodec(PlanSchema, toPlan, fromPlan, "corrupt-state");

/** The chunks of plans that were made from chunks, so that they need not be encoded again. */
const chunksOf = new WeakMap<Plan, readonly Uint8Array[]>();

/** Joins parts, each at most as long as a chunk, to a plan. */
export function planOf(parts: readonly Plan[], chunks: readonly Uint8Array[]): Plan {
  const whole = joinPlans(parts);
  chunksOf.set(whole, chunks);
  return whole;
}

/** Encodes a part, as a chunk for `planOf`. */
export const encodePlanPart = (part: Plan) => writePlanChunk(part);

/** A plan's chunks, at least one, of at most `bytesMax`; an element larger than that is a chunk of its own. */
export function encodePlan(value: Plan, bytesMax: number = limits.planChunkBytes): readonly Uint8Array[] {
  const known = bytesMax === limits.planChunkBytes ? chunksOf.get(value) : undefined;
  return known ?? cutPlan(value, bytesMax).map(writePlanChunk);
}

/** Decodes a plan from all its chunks, in order. */
export function decodePlan(chunks: readonly Uint8Array[]): Plan {
  return joinPlans(chunks.map((chunk) => decodePlanChunk(chunk, plan.decode)));
}
