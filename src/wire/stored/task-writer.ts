// Writes the record of a task (TaskRecord of stored.proto) by hand, as a master stores one per result. convert.test.ts
// compares it with what the library makes of the same schema.
import type { AttemptId, Position } from "../../base/ids.ts";
import type { LargestGroups } from "../../protocol/largest-groups.ts";
import type { FailureText, SkippedRecord } from "../../protocol/messages.ts";
import type { TaskRecord, Winner } from "../../protocol/records.ts";
import { type AttemptStats, attemptStats, statNames } from "../../protocol/stats.ts";
import type { RunRef } from "../../sort/run.ts";
import type { StagedFile } from "../../storage/storage.ts";
import { duration } from "../codec.ts";
import { WireWriter } from "../protobuf/writer.ts";

const writer = new WireWriter();

export function encodeTaskRecord(task: TaskRecord): Uint8Array<ArrayBuffer> {
  writer.start();
  if (task.winner !== undefined) writeWinner(1, task.winner);
  writer.uint(2, task.placements);
  writer.uint(3, task.digestVersion);
  writer.uint(4, task.digestRollbacks);
  writer.uint(5, task.failures);
  writer.uint(6, task.infrastructureFailures);
  writer.uint(7, task.careful ? 1 : 0);
  for (const skipped of task.skip) writeSkipped(8, skipped);
  if (task.diedAt !== undefined) writePosition(9, task.diedAt);
  if (task.userFailure !== undefined) {
    const from = writer.begin(10);
    writer.string(1, task.userFailure.message);
    if (task.userFailure.at !== undefined) writePosition(2, task.userFailure.at);
    writer.end(from);
  }
  if (task.counted !== undefined) {
    const from = writer.begin(11);
    writer.uint(1, task.counted.epoch);
    writer.uint(2, task.counted.attempt);
    writer.end(from);
  }
  return writer.finish();
}

function writeWinner(field: number, winner: Winner): void {
  const from = writer.begin(field);
  writeAttemptId(1, winner.attempt);
  writer.string(2, winner.worker);
  writer.uint(3, winner.incarnation);
  writer.string(4, winner.address);
  if (winner.run !== undefined) writeRun(5, winner.run);
  if (winner.emissionDigest !== undefined) writer.presentFixed64(6, winner.emissionDigest);
  if (winner.mapVersion !== undefined) writer.presentUint(7, winner.mapVersion);
  for (const file of winner.staged) writeStaged(8, file);
  for (const position of winner.deadLetters) writePosition(9, position);
  for (const name of Object.keys(winner.counters)) {
    const count = writer.begin(10);
    writer.string(1, name);
    writer.sint(2, winner.counters[name]!);
    writer.end(count);
  }
  writeStats(11, winner.stats);
  if (winner.runLost !== undefined) writer.presentString(12, winner.runLost);
  if (winner.lastAside !== undefined) writeFailureText(13, winner.lastAside);
  if (winner.largestGroups !== undefined) writeLargestGroups(14, winner.largestGroups);
  writer.end(from);
}

function writeFailureText(field: number, { code, message, stack, where, excerpt, aside }: FailureText): void {
  const from = writer.begin(field);
  writer.string(1, code);
  writer.string(2, message);
  if (stack !== undefined) writer.presentString(3, stack);
  if (where !== undefined) writer.presentString(4, where);
  if (excerpt !== undefined) writer.presentString(5, excerpt);
  if (aside !== undefined) writer.presentUint(6, aside);
  writer.end(from);
}

function writeLargestGroups(field: number, { groups, othersMax, isEstimate }: LargestGroups): void {
  const from = writer.begin(field);
  for (const { key, hash, pairs } of groups) {
    const group = writer.begin(1);
    writer.string(1, key);
    writer.uint(2, hash);
    writer.uint(3, pairs);
    writer.end(group);
  }
  writer.uint(2, othersMax);
  writer.uint(3, isEstimate ? 1 : 0);
  writer.end(from);
}

function writeAttemptId(field: number, id: AttemptId): void {
  const from = writer.begin(field);
  writer.string(1, id.job);
  writer.string(2, id.phase);
  writer.uint(3, id.index);
  writer.uint(4, id.epoch);
  writer.uint(5, id.attempt);
  writer.end(from);
}

function writePosition(field: number, { file, offset }: Position): void {
  const from = writer.begin(field);
  writer.uint(1, file);
  writer.uint(2, offset);
  writer.end(from);
}

function writeSkipped(field: number, { file, offset, hung }: SkippedRecord): void {
  const from = writer.begin(field);
  writer.uint(1, file);
  writer.uint(2, offset);
  writer.uint(3, hung ? 1 : 0);
  writer.end(from);
}

function writeRun(field: number, run: RunRef): void {
  const from = writer.begin(field);
  writeAttemptId(1, run.writtenBy);
  writer.string(2, run.path);
  writer.uint(3, run.bytes);
  writer.uint(4, run.pairs);
  writer.end(from);
}

function writeStaged(field: number, file: StagedFile): void {
  const from = writer.begin(field);
  writer.string(1, file.output);
  writer.string(2, file.name);
  writer.uint(3, file.bytes);
  writer.uint(4, file.records);
  writer.string(5, file.sha256);
  writer.string(6, file.token);
  writer.end(from);
}

function writeStats(field: number, stats: AttemptStats): void {
  const from = writer.begin(field);
  for (const { name, field, isDuration } of statFields) {
    if (isDuration) writer.double(field, duration(stats[name]));
    else writer.uint(field, stats[name]);
  }
  writer.end(from);
}

/** By number, as the library writes them. */
const statFields = statNames
  .map((name) => ({ name, field: attemptStats[name].field, isDuration: attemptStats[name].kind === "duration" }))
  .sort((a, b) => a.field - b.field);
