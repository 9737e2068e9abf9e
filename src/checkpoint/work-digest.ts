import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Assignment } from "../protocol/messages.ts";
import { toAssignment } from "../wire/convert-attempt.ts";
import { AssignmentSchema } from "../wire/gen/millrace/v1/attempt_pb.ts";

/**
 * The SHA-256 of all that decides what an attempt does with what it reads: the job's code and options, its split, the
 * partitions and their bounds, the records that it passes over. Not of what differs from attempt to attempt, and
 * changes no byte of what comes out.
 */
export function workDigest(assignment: Assignment): Uint8Array {
  const { attempt, spec, work } = assignment;
  const same: Assignment = {
    attempt: { ...attempt, epoch: 0, attempt: 0 },
    spec: { ...spec, attemptsMax: 0, maxSlots: undefined, taskTimeoutMs: 0, taskLimitMs: undefined, checkpointMs: 0 },
    careful: false,
    work: work.phase === "map" ? { ...work, skipBad: 0 } : work,
  };
  return createHash("sha256")
    .update(toBinary(AssignmentSchema, create(AssignmentSchema, toAssignment(same))))
    .digest();
}
