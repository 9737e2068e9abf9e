// Requests and answers of a master's services, to protobuf and back.

import type { Hello, HistoryEvent, LogChunk, Submission, Welcome } from "../protocol/services.ts";
import { big, duration, instant, num, oneOf, required } from "./codec.ts";
import { fromSpec, toSpec } from "./convert-job.ts";
import type * as pb from "./gen/millrace/v1/service_pb.ts";

export function toHello({ role, protocol, millrace, nodeMajor, icu, worker }: Hello) {
  return { role, protocol, millrace, nodeMajor, icu, worker };
}

export function fromHello({ role, protocol, millrace, nodeMajor, icu, worker }: pb.HelloRequest): Hello {
  return { role: oneOf(["worker", "client"], role), protocol, millrace, nodeMajor, icu, worker };
}

export function toWelcome({ protocol, millrace, cluster, leaseMs, start, timeMs }: Welcome) {
  return { protocol, millrace, cluster, leaseMs: duration(leaseMs), start: big(start), timeMs: instant(timeMs) };
}

export function fromWelcome({ protocol, millrace, cluster, leaseMs, start, timeMs }: pb.HelloResponse): Welcome {
  return { protocol, millrace, cluster, leaseMs: duration(leaseMs), start: num(start), timeMs: instant(timeMs) };
}

export function toSubmission({ idempotencyKey, spec, overwrite }: Submission) {
  return { idempotencyKey, spec: toSpec(spec), overwrite };
}

export function fromSubmission({ idempotencyKey, spec, overwrite }: pb.SubmitRequest): Submission {
  return { idempotencyKey, spec: fromSpec(required(spec, "the job's specification")), overwrite };
}

export function toLogChunk({ attempt, worker, bytes }: LogChunk) {
  return { attempt, worker, bytes };
}

export function fromLogChunk({ attempt, worker, bytes }: pb.LogChunk): LogChunk {
  return { attempt, worker, bytes };
}

export function toHistoryEvent({ time, kind, job, task, attempt, worker, message }: HistoryEvent) {
  return { time, kind, job, task, attempt, worker, message };
}

export function fromHistoryEvent({ time, kind, job, task, attempt, worker, message }: pb.HistoryEvent): HistoryEvent {
  return { time, kind, job, task, attempt, worker, message };
}
