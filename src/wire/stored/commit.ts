// A commit decision, to protobuf and back.
import type { CommitDecision } from "../../storage/storage.ts";
import { optional } from "../codec.ts";
import { fromStagedFile, toStagedFile } from "../convert-common.ts";
import type * as pb from "../gen/millrace/v1/stored_pb.ts";

type Folder = NonNullable<CommitDecision["deadLetters"]>;

export function toDecision({ job, deadLetters, ...folder }: CommitDecision) {
  return { job, ...toFolder(folder), deadLetters: optional(deadLetters, toFolder) };
}

export function fromDecision(decision: pb.CommitDecision): CommitDecision {
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
