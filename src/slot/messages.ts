// The messages between an agent and its slots on their pipe (slot/frames.ts cuts it into messages).
import type { MessageInitShape } from "@bufbuild/protobuf";
import { unreachable } from "../base/assert.ts";
import type { AttemptId } from "../base/ids.ts";
import { Secret } from "../base/value/secret.ts";
import type { JobDescription } from "../job/load/describe.ts";
import type { Assignment, AttemptResult, FailureText, Holder } from "../protocol/messages.ts";
import type { RunRef } from "../sort/run.ts";
import type { AccessByScheme } from "../storage/schemes.ts";
import { big, difference, instant, messageCodec, num, optional, required } from "../wire/codec.ts";
import { fromAssignment, readResult, toAssignment, toResult } from "../wire/convert-attempt.ts";
import {
  fromAttemptId,
  fromFailureText,
  fromRunRef,
  toAttemptId,
  toFailureText,
  toRunRef,
} from "../wire/convert-common.ts";
import { fromVariables, toVariables } from "../wire/convert-job.ts";
import { fromHolder, toHolder } from "../wire/convert-worker.ts";
import {
  type FromSlot as FromSlotMessage,
  FromSlotSchema,
  type ToSlot as ToSlotMessage,
  ToSlotSchema,
} from "../wire/gen/millrace/v1/slot_pb.ts";

/** From agent to slot. `load`, `describe`, `validate` and `run` are answered, one at a time. */
export type ToSlot =
  | {
      readonly kind: "load";
      readonly path: string;
      /** SHA-256 in hexadecimal; checked before anything is imported. */
      readonly digest: string;
      readonly environment: Readonly<Record<string, string>>;
    }
  | { readonly kind: "describe" }
  /** `params` is the JSON of the given parameters. Answered by `validated`. */
  | { readonly kind: "validate"; readonly params: string }
  | ({
      readonly kind: "run";
      /**
       * By the agent's clock, in milliseconds since 1970: a slot with a different clock corrects `clockAheadMs` by it.
       */
      readonly sentAtMs: number;
      /** Access to the storages that the job reads or writes: the slot's environment holds no credentials. */
      readonly storageAccess: AccessByScheme;
    } & RunAttempt)
  /** Aborts the `signal` of the attempt under way; `why` is the reason. */
  | { readonly kind: "stop"; readonly why: string }
  /** Waits for what the job's code left going. Answered by `settled`, whatever else is under way. */
  | { readonly kind: "settle" };

/** One attempt, with its directories on this machine. */
export interface RunAttempt {
  readonly assignment: Assignment;
  /** The attempt's working directory. */
  readonly directory: string;
  /** For runs: at most `memoryBytesMax` bytes in the memory tier, the rest on disk. */
  readonly memoryDirectory: string | undefined;
  readonly memoryBytesMax: number;
  readonly diskDirectory: string;
  /** Where the job's checkpoints lie, on disk and in the memory tier; left out: it has none. */
  readonly checkpoints?: { readonly disk: string; readonly memory: string | undefined };
  /**
   * For a reduce: the runs on this machine, read directly; at most one per map task, in the order of their ordinals.
   */
  readonly inputs: readonly RunRef[];
  /** For a reduce: runs on other workers, fetched over HTTP. */
  readonly remote: readonly Holder[];
  /** What fetching needs; undefined where `remote` is empty. */
  readonly access: ShuffleAccess | undefined;
}

export interface ShuffleAccess {
  /** The job's shuffle key, which signs requests to other workers' shuffle servers. */
  readonly key: string;
  /** A PEM file of the authority that signed the workers' certificates; undefined: the system's authorities. */
  readonly ca: string | undefined;
  /**
   * How far the master's clock was ahead of this machine's when the attempt began: signatures go by the master's clock.
   */
  readonly clockAheadMs: number;
}

/**
 * From slot to agent. `loaded`, `described`, `validated`, `finished`, `failed` and `settled` are answers; `log` and
 * `late` come at any time.
 */
export type FromSlot =
  | { readonly kind: "loaded" }
  | { readonly kind: "described"; readonly description: JobDescription }
  /** The value of `JobSpec.paramsValue`. */
  | { readonly kind: "validated"; readonly value: Uint8Array | undefined }
  | { readonly kind: "finished"; readonly result: AttemptResult }
  | { readonly kind: "failed"; readonly error: FailureText }
  /** `fields` is JSON, or "". */
  | { readonly kind: "log"; readonly message: string; readonly fields: string }
  /**
   * A call of the job's code did something after it had ended, and the attempt that made the call has been answered
   * already.
   */
  | { readonly kind: "late"; readonly attempt: AttemptId; readonly error: FailureText }
  /** Comes after every `late` so far. */
  | { readonly kind: "settled" };

const toSlot = messageCodec(ToSlotSchema, (message: ToSlot) => ({ kind: toSlotKind(message) }), fromToSlot);
const fromSlot = messageCodec(FromSlotSchema, (message: FromSlot) => ({ kind: fromSlotKind(message) }), fromFromSlot);

export const encodeToSlot = (message: ToSlot) => toSlot.encode(message);
export const decodeToSlot = (bytes: Uint8Array) => toSlot.decode(bytes);
export const encodeFromSlot = (message: FromSlot) => fromSlot.encode(message);
export const decodeFromSlot = (bytes: Uint8Array) => fromSlot.decode(bytes);

function toSlotKind(message: ToSlot): MessageInitShape<typeof ToSlotSchema>["kind"] {
  switch (message.kind) {
    case "load": {
      const { path, digest, environment } = message;
      return { case: "load" as const, value: { path, digest, environment: toVariables(environment) } };
    }
    case "describe":
      return { case: "describe" as const, value: {} };
    case "validate":
      return { case: "validate" as const, value: { params: message.params } };
    case "run":
      return {
        case: "run" as const,
        value: {
          assignment: toAssignment(message.assignment),
          directory: message.directory,
          memoryDirectory: message.memoryDirectory,
          memoryBytesMax: big(message.memoryBytesMax),
          diskDirectory: message.diskDirectory,
          checkpoints: message.checkpoints,
          inputs: message.inputs.map(toRunRef),
          remote: message.remote.map(toHolder),
          access: message.access,
          sentAtMs: instant(message.sentAtMs),
          storageAccess: toStorageAccess(message.storageAccess),
        },
      };
    case "stop":
      return { case: "stop" as const, value: { why: message.why } };
    case "settle":
      return { case: "settle" as const, value: {} };
    default:
      return unreachable(message);
  }
}

function fromToSlot({ kind }: ToSlotMessage): ToSlot {
  switch (kind.case) {
    case "load": {
      const { path, digest, environment } = kind.value;
      return { kind: "load", path, digest, environment: fromVariables(environment) };
    }
    case "describe":
      return { kind: "describe" };
    case "validate":
      return { kind: "validate", params: kind.value.params };
    case "run":
      return {
        kind: "run",
        assignment: fromAssignment(required(kind.value.assignment, "the assignment")),
        directory: kind.value.directory,
        memoryDirectory: kind.value.memoryDirectory,
        memoryBytesMax: num(kind.value.memoryBytesMax),
        diskDirectory: kind.value.diskDirectory,
        ...(kind.value.checkpoints !== undefined && {
          checkpoints: { disk: kind.value.checkpoints.disk, memory: kind.value.checkpoints.memory },
        }),
        inputs: kind.value.inputs.map(fromRunRef),
        remote: kind.value.remote.map(fromHolder),
        access: optional(kind.value.access, ({ key, ca, clockAheadMs }) => ({
          key,
          ca,
          clockAheadMs: difference(clockAheadMs),
        })),
        sentAtMs: instant(kind.value.sentAtMs),
        storageAccess: fromStorageAccess(kind.value.storageAccess),
      };
    case "stop":
      return { kind: "stop", why: kind.value.why };
    case "settle":
      return { kind: "settle" };
    default:
      throw new Error("it has no kind that is known here");
  }
}

function toStorageAccess(access: AccessByScheme): Record<string, string> {
  return Object.fromEntries(Object.entries(access).map(([scheme, secret]) => [scheme, secret.reveal()]));
}

function fromStorageAccess(access: Readonly<Record<string, string>>): AccessByScheme {
  return Object.fromEntries(Object.entries(access).map(([scheme, text]) => [scheme, new Secret(text)]));
}

function fromSlotKind(message: FromSlot): MessageInitShape<typeof FromSlotSchema>["kind"] {
  switch (message.kind) {
    case "loaded":
      return { case: "loaded" as const, value: {} };
    case "described":
      return { case: "described" as const, value: { description: JSON.stringify(message.description) } };
    case "validated":
      return { case: "validated" as const, value: { value: message.value } };
    case "finished":
      return { case: "finished" as const, value: toResult(message.result) };
    case "failed":
      return { case: "failed" as const, value: toFailureText(message.error) };
    case "log":
      return {
        case: "log" as const,
        value: { message: message.message, fields: message.fields },
      };
    case "late":
      return {
        case: "late" as const,
        value: { attempt: toAttemptId(message.attempt), error: toFailureText(message.error) },
      };
    case "settled":
      return { case: "settled" as const, value: {} };
    default:
      return unreachable(message);
  }
}

function fromFromSlot({ kind }: FromSlotMessage): FromSlot {
  switch (kind.case) {
    case "loaded":
      return { kind: "loaded" };
    case "described":
      return { kind: "described", description: JSON.parse(kind.value.description) as JobDescription };
    case "validated":
      return { kind: "validated", value: kind.value.value };
    case "finished":
      return { kind: "finished", result: readResult(kind.value, "a slot") };
    case "failed":
      return { kind: "failed", error: fromFailureText(kind.value) };
    case "log":
      return { kind: "log", message: kind.value.message, fields: kind.value.fields };
    case "late": {
      const { attempt, error } = kind.value;
      return {
        kind: "late",
        attempt: fromAttemptId(attempt),
        error: fromFailureText(error),
      };
    }
    case "settled":
      return { kind: "settled" };
    default:
      throw new Error("it has no kind that is known here");
  }
}
