// Ids, positions, runs, staged files, counters, failure texts and statistics, to protobuf and back.
import { type AttemptId, type Counters, type Position, phases } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { LargestGroup, LargestGroups } from "../protocol/largest-groups.ts";
import type { FailureText, SkippedRecord } from "../protocol/messages.ts";
import { type AttemptStats, countNames, durationNames, noStats, type Sums } from "../protocol/stats.ts";
import type { RunRef } from "../sort/run.ts";
import type { StagedFile } from "../storage/storage.ts";
import { big, bigSigned, duration, num, oneOf, optional, required } from "./codec.ts";
import type * as pb from "./gen/millrace/v1/common_pb.ts";

/** The fields of a message, without what protobuf adds, as `create` takes them. */
export type Fields<M> = Omit<M, "$typeName" | "$unknown">;

export function toAttemptId(id: AttemptId): Fields<pb.AttemptId> {
  return { job: id.job, phase: id.phase, index: id.index, epoch: big(id.epoch), attempt: big(id.attempt) };
}

export function fromAttemptId(id: pb.AttemptId | undefined): AttemptId {
  const { job, phase, index, epoch, attempt } = required(id, "an attempt's id");
  return {
    job,
    phase: oneOf(phases, phase),
    index,
    epoch: num(epoch),
    attempt: num(attempt),
  };
}

export function toPosition({ file, offset }: Position): Fields<pb.Position> {
  return { file, offset: big(offset) };
}

export function fromPosition({ file, offset }: pb.Position): Position {
  return { file, offset: num(offset) };
}

/** Counters in the order of the object's own keys. A null prototype keeps `__proto__` a name. */
export function toCounters(counters: Counters): Fields<pb.Count>[] {
  return Object.keys(counters).map((name) => ({ name, value: bigSigned(counters[name]!) }));
}

export function fromCounters(counts: readonly pb.Count[]): Counters {
  const counters: Record<string, number> = Object.create(null);
  for (const { name, value } of counts) counters[name] = num(value);
  return counters;
}

export function toSkipped({ file, offset, hung }: SkippedRecord): Fields<pb.SkippedRecord> {
  return { file, offset: big(offset), hung };
}

export function fromSkipped({ file, offset, hung }: pb.SkippedRecord): SkippedRecord {
  return { file, offset: num(offset), hung };
}

export function toRunRef(run: RunRef) {
  return {
    writtenBy: toAttemptId(run.writtenBy),
    path: run.path,
    bytes: big(run.bytes),
    pairs: big(run.pairs),
  };
}

export function fromRunRef(run: pb.RunRef): RunRef {
  return {
    writtenBy: fromAttemptId(run.writtenBy),
    path: run.path,
    bytes: num(run.bytes),
    pairs: num(run.pairs),
  };
}

export function toStagedFile(file: StagedFile): Fields<pb.StagedFile> {
  const { output, name, bytes, records, sha256, token } = file;
  return { output, name, bytes: big(bytes), records: big(records), sha256, token };
}

export function fromStagedFile(file: pb.StagedFile): StagedFile {
  const { output, name, bytes, records, sha256, token } = file;
  return { output, name, bytes: num(bytes), records: num(records), sha256, token };
}

export function toFailureText({ code, message, stack, where, excerpt, aside }: FailureText) {
  return { code, message, stack, where, excerpt, aside: optional(aside, big) };
}

/**
 * A failure's text from its writer, cut to a length that can be shown, stored and sent on: it may be as long as a
 * user's data.
 */
export function fromFailureText(text: pb.FailureText | undefined): FailureText {
  const { code, message, stack, where, excerpt, aside } = required(text, "an error");
  return {
    code: /^\w[\w-]{0,63}$/.test(code) ? code : "io-error",
    message: cut(message, limits.errorMessageLengthMax),
    stack: optional(stack, (value) => cut(value, limits.errorStackLengthMax)),
    where: optional(where, (value) => cut(value, limits.errorLocationLengthMax)),
    excerpt: optional(excerpt, (value) => cut(value, limits.errorExcerptLengthMax)),
    ...(aside !== undefined && { aside: num(aside) }),
  };
}

/** Cuts a text between characters, as half a character would change when it is written as UTF-8. */
function cut(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text.toWellFormed();
  return `${text.slice(0, lengthMax - 1)}…`.toWellFormed();
}

export function toLargestGroups({ groups, othersMax, isEstimate }: LargestGroups) {
  return {
    groups: groups.map(({ key, hash, pairs }) => ({ key, hash, pairs: big(pairs) })),
    othersMax: big(othersMax),
    isEstimate,
  };
}

export function fromLargestGroups({ groups, othersMax, isEstimate }: pb.LargestGroups): LargestGroups {
  return {
    groups: groups.map(({ key, hash, pairs }) => ({ key, hash, pairs: num(pairs) })),
    othersMax: num(othersMax),
    isEstimate,
  };
}

export function toLargestGroup({ key, pairs, isEstimate }: LargestGroup) {
  return { key, pairs: big(pairs), isEstimate };
}

export function fromLargestGroup({ key, pairs, isEstimate }: pb.LargestGroup): LargestGroup {
  return { key, pairs: num(pairs), isEstimate };
}

export function toStats(stats: AttemptStats): Fields<pb.AttemptStats> {
  const message = { ...noCounts, ...noDurations };
  for (const name of countNames) message[name] = big(stats[name]);
  for (const name of durationNames) message[name] = duration(stats[name]);
  return message;
}

const noCounts = named(countNames, 0n);
const noDurations = named(durationNames, 0);

function named<Name extends string, Value>(names: readonly Name[], value: Value): Record<Name, Value> {
  return Object.fromEntries(names.map((name) => [name, value])) as Record<Name, Value>;
}

export function fromStats(message: pb.AttemptStats | undefined): AttemptStats {
  const from = required(message, "statistics");
  const stats: Sums = { ...noStats };
  for (const name of countNames) stats[name] = num(from[name]);
  for (const name of durationNames) stats[name] = duration(from[name]);
  return stats;
}
