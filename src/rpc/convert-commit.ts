// A commit decision, to protobuf and back.
import type { CommitDecision } from "../storage/storage.ts";
import { fromStagedFile, toStagedFile } from "./convert-common.ts";
import type * as pb from "./gen/millrace/v1/stored_pb.ts";

export function toDecision({ job, destination, files, replaces, manifest }: CommitDecision) {
  return { job, destination, files: files.map(toStagedFile), replaces, manifest: manifest };
}

export function fromDecision({ job, destination, files, replaces, manifest }: pb.CommitDecision): CommitDecision {
  return { job, destination, files: files.map(fromStagedFile), replaces, manifest };
}
