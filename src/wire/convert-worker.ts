// A worker's report and its orders, to protobuf and back.

import type { JobId } from "../base/ids.ts";
import { isKeyExcerpt } from "../base/printable.ts";
import { checkReport } from "../protocol/check-report.ts";
import type {
  CopyOrder,
  Holder,
  Holders,
  HoldersKnown,
  Offer,
  RunningAttempt,
  WorkerOrders,
  WorkerReport,
} from "../protocol/messages.ts";
import { big, duration, num, optional, required } from "./codec.ts";
import { fromAssignment, readResult, toAssignment, toResult } from "./convert-attempt.ts";
import {
  fromAttemptId,
  fromFailureText,
  fromPosition,
  fromRunRef,
  toAttemptId,
  toFailureText,
  toPosition,
  toRunRef,
} from "./convert-common.ts";
import type * as pb from "./gen/millrace/v1/worker_pb.ts";

export function toReport(report: WorkerReport) {
  return {
    worker: report.worker,
    incarnation: big(report.incarnation),
    sequence: big(report.sequence),
    holdersKnown: Object.keys(report.holdersKnown).map((job) => ({
      job,
      mapVersion: big(report.holdersKnown[job]!.mapVersion),
      runs: big(report.holdersKnown[job]!.runs),
    })),
    address: report.address,
    slots: report.slots,
    slotsFree: report.slotsFree,
    slotsAhead: report.slotsAhead,
    draining: report.draining,
    running: report.running.map(toRunning),
    finished: report.finished.map(toResult),
    offered: report.offered.map(toOffer),
    settled: [...report.settled],
    late: report.late.map(({ attempt, error }) => ({ attempt: toAttemptId(attempt), error: toFailureText(error) })),
    leavesInMs: optional(report.leavesInMs, duration),
    copiesFailed: (report.copiesFailed ?? []).map(({ attempt, why }) => ({ attempt: toAttemptId(attempt), why })),
  };
}

export function fromReport(report: pb.WorkerReport): WorkerReport {
  const holdersKnown: Record<JobId, HoldersKnown> = Object.create(null);
  for (const { job, mapVersion, runs } of report.holdersKnown)
    holdersKnown[job] = { mapVersion: num(mapVersion), runs: num(runs) };
  return checkReport({
    worker: report.worker,
    incarnation: num(report.incarnation),
    sequence: num(report.sequence),
    holdersKnown,
    address: report.address,
    slots: report.slots,
    slotsFree: report.slotsFree,
    slotsAhead: report.slotsAhead,
    draining: report.draining,
    running: report.running.map(fromRunning),
    finished: report.finished.map((result) => readResult(result, `worker ${report.worker}`)),
    offered: report.offered.map(fromOffer),
    settled: report.settled,
    late: report.late.map(({ attempt, error }) => ({
      attempt: fromAttemptId(attempt),
      error: fromFailureText(error),
    })),
    ...(report.leavesInMs !== undefined && { leavesInMs: duration(report.leavesInMs) }),
    ...(report.copiesFailed.length > 0 && {
      copiesFailed: report.copiesFailed.map(({ attempt, why }) => ({ attempt: fromAttemptId(attempt), why })),
    }),
  });
}

function toOffer({ run, emissionDigest }: Offer) {
  return { run: toRunRef(run), emissionDigest };
}

function fromOffer({ run, emissionDigest }: pb.WorkerReport_Offer | pb.CopyOrder): Offer {
  return { run: fromRunRef(required(run, "the run")), emissionDigest };
}

export function toRunning(running: RunningAttempt) {
  return {
    attempt: toAttemptId(running.attempt),
    records: big(running.records),
    bytes: big(running.bytes),
    idleMs: duration(running.idleMs),
    runningMs: duration(running.runningMs),
    at: optional(running.at, toPosition),
    key: running.key,
    hasCheckpoint: running.hasCheckpoint === true,
  };
}

export function fromRunning(running: pb.RunningAttempt): RunningAttempt {
  return {
    attempt: fromAttemptId(running.attempt),
    records: num(running.records),
    bytes: num(running.bytes),
    idleMs: duration(running.idleMs),
    runningMs: duration(running.runningMs),
    at: optional(running.at, fromPosition),
    // Shown to people, and no reason to refuse a report.
    ...(running.key !== undefined && isKeyExcerpt(running.key) && { key: running.key }),
    ...(running.hasCheckpoint && { hasCheckpoint: true as const }),
  };
}

export function toOrders(orders: WorkerOrders) {
  return {
    epoch: big(orders.epoch),
    start: orders.start.map(toAssignment),
    stop: orders.stop.map(({ attempt }) => toAttemptId(attempt)),
    stopWhy: orders.stop.map(({ why }) => why),
    holders: orders.holders.map(toHolders),
    discard: [...orders.discard],
    settle: [...orders.settle],
    leaseMs: duration(orders.leaseMs),
    drain: orders.drain,
    drainWithinMs: optional(orders.drainWithinMs, duration),
    copy: (orders.copy ?? []).map(({ from, address, ...offer }) => ({ ...toOffer(offer), from, address })),
    mayLeave: orders.mayLeave ?? false,
  };
}

export function fromOrders(orders: pb.WorkerOrders): WorkerOrders {
  return {
    epoch: num(orders.epoch),
    start: orders.start.map(fromAssignment),
    stop: orders.stop.map((attempt, i) => ({ attempt: fromAttemptId(attempt), why: orders.stopWhy[i] ?? "" })),
    holders: orders.holders.map(fromHolders),
    discard: orders.discard,
    settle: orders.settle,
    leaseMs: duration(orders.leaseMs),
    drain: orders.drain,
    ...(orders.drainWithinMs !== undefined && { drainWithinMs: duration(orders.drainWithinMs) }),
    ...(orders.copy.length > 0 && { copy: orders.copy.map(fromCopyOrder) }),
    ...(orders.mayLeave && { mayLeave: true }),
  };
}

function fromCopyOrder(order: pb.CopyOrder): CopyOrder {
  return { ...fromOffer(order), from: order.from, address: order.address };
}

function toHolders({ job, mapVersion, from, total, workers }: Holders) {
  return { job, mapVersion: big(mapVersion), from: big(from), total: big(total), workers: workers.map(toHolder) };
}

function fromHolders({ job, mapVersion, from, total, workers }: pb.Holders): Holders {
  return { job, mapVersion: num(mapVersion), from: num(from), total: num(total), workers: workers.map(fromHolder) };
}

export function toHolder({ worker, address, runs }: Holder) {
  return { worker, address, runs: runs.map(toRunRef) };
}

export function fromHolder({ worker, address, runs }: pb.Holder): Holder {
  return { worker, address, runs: runs.map(fromRunRef) };
}
