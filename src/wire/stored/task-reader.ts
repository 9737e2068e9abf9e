// Reads the record of a task (TaskRecord of stored.proto) by hand, as a master that takes over reads a million.
// convert.test.ts compares it with what the library makes of the same schema.
import { type AttemptId, type Position, phases, sameAttempt } from "../../base/ids.ts";
import type { GroupSize, LargestGroups } from "../../protocol/largest-groups.ts";
import type { FailureText, SkippedRecord } from "../../protocol/messages.ts";
import type { AttemptNumber, TaskRecord, Winner } from "../../protocol/records.ts";
import { type AttemptStats, attemptStats, noStats, type StatName, type Sums, statNames } from "../../protocol/stats.ts";
import type { RunRef } from "../../sort/run.ts";
import type { StagedFile } from "../../storage/storage.ts";
import { duration, oneOf, unreadable } from "../codec.ts";
import { WireReader } from "../protobuf/reader.ts";
import { StringTable } from "../protobuf/string-table.ts";

const reader = new WireReader();

/**
 * Reads a record. Throws `corrupt-state` for bytes that are no such record. `names` holds the strings that records
 * repeat.
 */
export function decodeTaskRecord(bytes: Uint8Array, names = new StringTable(16)): TaskRecord {
  try {
    reader.open(bytes);
    return readTask(names);
  } catch (error) {
    throw unreadable(bytes, "TaskRecord", "corrupt-state", error);
  }
}

const none: readonly never[] = [];

function readTask(names: StringTable): TaskRecord {
  let winner: Winner | undefined;
  let placements = 0;
  let digestVersion = 0;
  let digestRollbacks = 0;
  let failures = 0;
  let infrastructureFailures = 0;
  let careful = false;
  let skip: SkippedRecord[] | undefined;
  let diedAt: Position | undefined;
  let userFailure: TaskRecord["userFailure"];
  let counted: TaskRecord["counted"];
  while (reader.next()) {
    if (reader.field === 1) winner = readWinner(names);
    else if (reader.field === 2) placements = reader.uint();
    else if (reader.field === 3) digestVersion = reader.uint();
    else if (reader.field === 4) digestRollbacks = reader.uint();
    else if (reader.field === 5) failures = reader.uint();
    else if (reader.field === 6) infrastructureFailures = reader.uint();
    else if (reader.field === 7) careful = reader.bool();
    else if (reader.field === 8) (skip ??= []).push(readSkipped());
    else if (reader.field === 9) diedAt = readPosition();
    else if (reader.field === 10) userFailure = readUserFailure();
    else if (reader.field === 11) counted = readNumber();
    else reader.skip();
  }
  return {
    winner,
    placements,
    digestVersion,
    digestRollbacks,
    failures,
    infrastructureFailures,
    careful,
    skip: skip ?? none,
    diedAt,
    userFailure,
    counted,
  };
}

function readNumber(): AttemptNumber {
  const outer = reader.enter();
  let epoch = 0;
  let attempt = 0;
  while (reader.next()) {
    if (reader.field === 1) epoch = reader.uint();
    else if (reader.field === 2) attempt = reader.uint();
    else reader.skip();
  }
  reader.leave(outer);
  return { epoch, attempt };
}

function readUserFailure(): NonNullable<TaskRecord["userFailure"]> {
  const outer = reader.enter();
  let message = "";
  let at: Position | undefined;
  while (reader.next()) {
    if (reader.field === 1) message = reader.string();
    else if (reader.field === 2) at = readPosition();
    else reader.skip();
  }
  reader.leave(outer);
  return { message, at };
}

function readWinner(names: StringTable): Winner {
  const outer = reader.enter();
  let attempt: AttemptId | undefined;
  let worker = "";
  let incarnation = 0;
  let address = "";
  let run: RunRef | undefined;
  let emissionDigest: bigint | undefined;
  let mapVersion: number | undefined;
  let staged: StagedFile[] | undefined;
  let deadLetters: Position[] | undefined;
  const counters: Record<string, number> = Object.create(null);
  let stats: AttemptStats | undefined;
  let runLost: string | undefined;
  let lastAside: FailureText | undefined;
  let largestGroups: LargestGroups | undefined;
  while (reader.next()) {
    if (reader.field === 1) attempt = readAttemptId(names);
    else if (reader.field === 2) worker = reader.repeated(names);
    else if (reader.field === 3) incarnation = reader.uint();
    else if (reader.field === 4) address = reader.repeated(names);
    else if (reader.field === 5) run = readRun(names);
    else if (reader.field === 6) emissionDigest = reader.fixed64();
    else if (reader.field === 7) mapVersion = reader.uint();
    else if (reader.field === 8) (staged ??= []).push(readStaged(names));
    else if (reader.field === 9) (deadLetters ??= []).push(readPosition());
    else if (reader.field === 10) readCount(counters, names);
    else if (reader.field === 11) stats = readStats();
    else if (reader.field === 12) runLost = reader.repeated(names);
    else if (reader.field === 13) lastAside = readFailureText();
    else if (reader.field === 14) largestGroups = readLargestGroups();
    else reader.skip();
  }
  reader.leave(outer);
  if (attempt === undefined) throw new Error("it lacks an attempt's id");
  if (stats === undefined) throw new Error("it lacks statistics");
  // The attempt wrote its run itself, so both share one id.
  if (run !== undefined && sameAttempt(run.writtenBy, attempt)) run = { ...run, writtenBy: attempt };
  return {
    attempt,
    worker,
    incarnation,
    address,
    run,
    emissionDigest,
    mapVersion,
    staged: staged ?? none,
    deadLetters: deadLetters ?? none,
    lastAside,
    largestGroups,
    counters,
    stats,
    runLost,
  };
}

function readFailureText(): FailureText {
  const outer = reader.enter();
  let code = "";
  let message = "";
  let stack: string | undefined;
  let where: string | undefined;
  let excerpt: string | undefined;
  let aside: number | undefined;
  while (reader.next()) {
    if (reader.field === 1) code = reader.string();
    else if (reader.field === 2) message = reader.string();
    else if (reader.field === 3) stack = reader.string();
    else if (reader.field === 4) where = reader.string();
    else if (reader.field === 5) excerpt = reader.string();
    else if (reader.field === 6) aside = reader.uint();
    else reader.skip();
  }
  reader.leave(outer);
  return { code, message, stack, where, excerpt, ...(aside !== undefined && { aside }) };
}

function readLargestGroups(): LargestGroups {
  const outer = reader.enter();
  const groups: GroupSize[] = [];
  let othersMax = 0;
  let isEstimate = false;
  while (reader.next()) {
    if (reader.field === 1) groups.push(readGroupSize());
    else if (reader.field === 2) othersMax = reader.uint();
    else if (reader.field === 3) isEstimate = reader.bool();
    else reader.skip();
  }
  reader.leave(outer);
  return { groups, othersMax, isEstimate };
}

function readGroupSize(): GroupSize {
  const outer = reader.enter();
  let key = "";
  let hash = 0;
  let pairs = 0;
  while (reader.next()) {
    if (reader.field === 1) key = reader.string();
    else if (reader.field === 2) hash = reader.uint();
    else if (reader.field === 3) pairs = reader.uint();
    else reader.skip();
  }
  reader.leave(outer);
  return { key, hash, pairs };
}

function readAttemptId(names: StringTable): AttemptId {
  const outer = reader.enter();
  let job = "";
  let phase = "";
  let index = 0;
  let epoch = 0;
  let attempt = 0;
  while (reader.next()) {
    if (reader.field === 1) job = reader.repeated(names);
    else if (reader.field === 2) phase = reader.repeated(names);
    else if (reader.field === 3) index = reader.uint();
    else if (reader.field === 4) epoch = reader.uint();
    else if (reader.field === 5) attempt = reader.uint();
    else reader.skip();
  }
  reader.leave(outer);
  return { job, phase: oneOf(phases, phase), index, epoch, attempt };
}

function readPosition(): Position {
  const outer = reader.enter();
  let file = 0;
  let offset = 0;
  while (reader.next()) {
    if (reader.field === 1) file = reader.uint();
    else if (reader.field === 2) offset = reader.uint();
    else reader.skip();
  }
  reader.leave(outer);
  return { file, offset };
}

function readSkipped(): SkippedRecord {
  const outer = reader.enter();
  let file = 0;
  let offset = 0;
  let hung = false;
  while (reader.next()) {
    if (reader.field === 1) file = reader.uint();
    else if (reader.field === 2) offset = reader.uint();
    else if (reader.field === 3) hung = reader.bool();
    else reader.skip();
  }
  reader.leave(outer);
  return { file, offset, hung };
}

function readRun(names: StringTable): RunRef {
  const outer = reader.enter();
  let writtenBy: AttemptId | undefined;
  let path = "";
  let bytes = 0;
  let pairs = 0;
  while (reader.next()) {
    if (reader.field === 1) writtenBy = readAttemptId(names);
    else if (reader.field === 2) path = reader.string();
    else if (reader.field === 3) bytes = reader.uint();
    else if (reader.field === 4) pairs = reader.uint();
    else reader.skip();
  }
  reader.leave(outer);
  if (writtenBy === undefined) throw new Error("it lacks the id of the attempt that wrote its run");
  return { writtenBy, path, bytes, pairs };
}

function readStaged(names: StringTable): StagedFile {
  const outer = reader.enter();
  let output = "";
  let name = "";
  let bytes = 0;
  let records = 0;
  let sha256 = "";
  let token = "";
  while (reader.next()) {
    if (reader.field === 1) output = reader.repeated(names);
    else if (reader.field === 2) name = reader.string();
    else if (reader.field === 3) bytes = reader.uint();
    else if (reader.field === 4) records = reader.uint();
    else if (reader.field === 5) sha256 = reader.string();
    else if (reader.field === 6) token = reader.string();
    else reader.skip();
  }
  reader.leave(outer);
  return { output, name, bytes, records, sha256, token };
}

function readCount(counters: Record<string, number>, names: StringTable): void {
  const outer = reader.enter();
  let name = "";
  let value = 0;
  while (reader.next()) {
    if (reader.field === 1) name = reader.repeated(names);
    else if (reader.field === 2) value = reader.sint();
    else reader.skip();
  }
  reader.leave(outer);
  counters[name] = value;
}

function readStats(): AttemptStats {
  const outer = reader.enter();
  const stats: Sums = { ...noStats };
  while (reader.next()) {
    const known = statsByField[reader.field];
    if (known === undefined) reader.skip();
    else if (known.isDuration) stats[known.name] = duration(reader.double());
    else stats[known.name] = reader.uint();
  }
  reader.leave(outer);
  return stats;
}

const statsByField: ({ readonly name: StatName; readonly isDuration: boolean } | undefined)[] = [];
for (const name of statNames) {
  const { field, kind } = attemptStats[name];
  statsByField[field] = { name, isDuration: kind === "duration" };
}
