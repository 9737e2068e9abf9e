// Failures and what they mean: whose fault they are, where they happened, and so what may be done about them.
import { types } from "node:util";
import { type ErrorCode, MillraceError, systemCode } from "../base/error.ts";
import { type FailureClass, meaningOf } from "../base/error-codes.ts";
import type { Position } from "../base/ids.ts";
import { describeThrown } from "../job/thrown.ts";
import type { Failure, FailureText } from "../protocol/messages.ts";
import type { SegmentLost } from "../shuffle/segment-lost.ts";
import { isRefusal, type Late } from "./user/late-calls.ts";

/** Ends an attempt by failure; `thrown` is what user code threw, for debugging it in this process. */
export class TaskFailure extends Error {
  override readonly name = "TaskFailure";
  readonly reason: Failure;
  readonly thrown: unknown;

  constructor(reason: Failure, thrown: unknown) {
    super(reason.error.message);
    this.reason = reason;
    this.thrown = thrown;
  }
}

/** Where user code was when it threw. */
export interface FailedAt {
  readonly at?: Position;
  readonly where?: string;
  readonly excerpt?: string;
  readonly aside?: number;
  /** Used where the thrown value has no stack. */
  readonly stack?: string | undefined;
  /** It failed in the same way twice. */
  readonly final?: boolean;
}

/** The failure for something that the job's own code threw. */
export function userFailure(thrown: unknown, place: FailedAt = {}): TaskFailure {
  const error = failureText(thrown, "user-error", place);
  const final = place.final ?? isRefusal(thrown);
  return new TaskFailure({ kind: "user-error", error, at: place.at, final }, thrown);
}

/**
 * The failure for something that no call of the job's code threw, or that came after the call: the code is wrong,
 * however often it is run.
 */
export function lateFailure({ thrown, begins }: Late): TaskFailure {
  return userFailure(thrown, { final: true, stack: begins, ...(!isRefusal(thrown) && { where: outsideLocation }) });
}

/** The place of an error that no call threw. */
const outsideLocation = "a callback or promise that nothing waits for: await it or return its promise";

export function badInputFailure(thrown: unknown, place: FailedAt): TaskFailure {
  return new TaskFailure({ kind: "bad-input", error: failureText(thrown, "bad-input", place), at: place.at }, thrown);
}

/**
 * The failure for a map's output that can't be had or doesn't pass its checks: that map runs again, and this attempt
 * does not count.
 */
export function lostFailure(thrown: SegmentLost): TaskFailure {
  const { map, how, others } = thrown;
  const error = failureText(thrown, "segment-lost", {});
  return new TaskFailure({ kind: "segment-lost", map, how, ...(others.length > 0 && { others }), error }, thrown);
}

/** The failure for anything that the engine itself threw, and for whatever ended an attempt already. */
export function engineFailure(thrown: unknown): TaskFailure {
  if (isA(thrown, TaskFailure)) return thrown;
  const code = codeOf(thrown);
  const error = failureText(thrown, code ?? (systemCode(thrown) === undefined ? "job-failed" : "io-error"), {});
  return new TaskFailure(failureOf(isBug(thrown) ? "fatal" : meaningOf(error.code).failure, error, thrown), thrown);
}

function failureOf(failure: FailureClass, error: FailureText, thrown: unknown): Failure {
  switch (failure) {
    case "user":
      return { kind: "user-error", error, at: undefined, final: isRefusal(thrown) };
    case "input":
      return { kind: "bad-input", error, at: undefined };
    case "fatal":
      return { kind: "fatal", error };
    case "machine":
      return { kind: "infrastructure", error };
  }
}

function isBug(thrown: unknown): boolean {
  return isA(thrown, Error) && describeThrown(thrown).message.startsWith("millrace bug: ");
}

/** Whether the job's code, or what it is given to read, made the attempt fail: another would fail in the same way. */
export function isOfCode(thrown: unknown): boolean {
  return isA(thrown, TaskFailure) && (thrown.reason.kind === "user-error" || thrown.reason.kind === "bad-input");
}

/** Whether what an earlier attempt had staged is gone or damaged. */
export function isOfStaged(thrown: unknown): boolean {
  return codeOf(thrown) === "corrupt-output";
}

/** The code of an error, where it is one of ours. */
export function codeOf(thrown: unknown): ErrorCode | undefined {
  return isA(thrown, MillraceError) ? thrown.code : undefined;
}

/** `instanceof` would run user code where a proxy was thrown. */
export function isA<T>(thrown: unknown, of: abstract new (...args: never) => T): thrown is T {
  return !types.isProxy(thrown) && thrown instanceof of;
}

export function failureText(thrown: unknown, code: string, place: FailedAt): FailureText {
  const { message, stack } = describeThrown(thrown);
  return {
    code: codeOf(thrown) ?? code,
    message,
    stack: stack ?? place.stack,
    where: place.where,
    excerpt: place.excerpt,
    ...(place.aside !== undefined && { aside: place.aside }),
  };
}

/** Whether two tries at one record failed in the same way. */
export function sameError(a: unknown, b: unknown): boolean {
  return describeThrown(a).message === describeThrown(b).message;
}
