// A commit decision, to protobuf and back.
import type { CommitDecision } from "../../storage/storage.ts";
import { messageCodec, optional } from "../codec.ts";
import { fromStagedFile, toStagedFile } from "../convert-common.ts";
import * as pb from "../gen/millrace/v1/stored_pb.ts";
import { writeDecision } from "./plan-writer.ts";

const decision = messageCodec(pb.CommitDecisionSchema, toDecision, fromDecision, "corrupt-state");
export const encodeDecision = (value: CommitDecision) => writeDecision(value);
export const decodeDecision = (bytes: Uint8Array) => decision.decode(bytes);

type Folder = NonNullable<CommitDecision["deadLetters"]>;

export function toDecision({ job, deadLetters, ...folder }: CommitDecision) {
  return { job, ...toFolder(folder), deadLetters: optional(deadLetters, toFolder) };
}

function fromDecision(decision: pb.CommitDecision): CommitDecision {
  const { job, deadLetters } = decision;
  return {
    job,
    ...fromFolder(decision),
    ...(deadLetters !== undefined && { deadLetters: fromFolder(deadLetters) }),
  };
}

function toFolder({ destination, files, replaces, manifest }: Folder) {
  return { destination, files: files.map(toStagedFile), replaces, manifest };
}

function fromFolder({
  destination,
  files,
  replaces,
  manifest,
}: Omit<pb.CommitDecision_DeadLetters, "$typeName">): Folder {
  return { destination, files: files.map(fromStagedFile), replaces, manifest };
}
