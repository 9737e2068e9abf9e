// A job's specification, to protobuf and back.
import type { JobSpec } from "../job/spec.ts";
import { big, duration, num, oneOf, optional } from "./codec.ts";
import type * as pb from "./gen/millrace/v1/job_pb.ts";

export function toSpec(spec: JobSpec) {
  return {
    name: spec.name,
    bundle: spec.bundle,
    inputs: spec.inputs.map(({ name, paths }) => ({ name, paths: [...paths] })),
    directory: spec.directory,
    standardInput: spec.standardInput,
    spooled: spec.spooled?.map(({ given, path }) => ({ given, path })) ?? [],
    decompress: [...(spec.decompress ?? [])],
    files: spec.files.map(({ name, path, sha256 }) => ({ name, path, sha256 })),
    output: spec.output,
    writes: spec.writes,
    partitions: spec.partitions,
    splitBytes: optional(spec.splitBytes, big),
    attemptsMax: spec.attemptsMax,
    maxSlots: spec.maxSlots,
    skipBad: big(spec.skipBad),
    deadLetters: spec.deadLetters,
    params: spec.params,
    paramsValue: spec.paramsValue,
    taskTimeoutMs: duration(spec.taskTimeoutMs),
    taskLimitMs: optional(spec.taskLimitMs, duration),
    checkpointMs: duration(spec.checkpointMs),
    nondeterministic: spec.nondeterministic,
    replaces: spec.replaces,
    environment: toVariables(spec.environment),
    startedAt: spec.startedAt,
  };
}

export function fromSpec(spec: pb.JobSpec): JobSpec {
  return {
    name: spec.name,
    bundle: spec.bundle,
    inputs: spec.inputs.map(({ name, paths }) => ({ name, paths })),
    directory: spec.directory,
    standardInput: spec.standardInput,
    ...(spec.spooled.length > 0 && { spooled: spec.spooled.map(({ given, path }) => ({ given, path })) }),
    ...(spec.decompress.length > 0 && { decompress: spec.decompress }),
    files: spec.files.map(({ name, path, sha256 }) => ({ name, path, sha256 })),
    output: spec.output,
    writes: oneOf(["formats", "records"], spec.writes),
    partitions: spec.partitions,
    splitBytes: optional(spec.splitBytes, num),
    attemptsMax: spec.attemptsMax,
    maxSlots: spec.maxSlots,
    skipBad: num(spec.skipBad),
    ...(spec.deadLetters !== undefined && {
      deadLetters: { path: spec.deadLetters.path, replaces: spec.deadLetters.replaces },
    }),
    params: spec.params,
    ...(spec.paramsValue !== undefined && { paramsValue: spec.paramsValue }),
    taskTimeoutMs: duration(spec.taskTimeoutMs),
    taskLimitMs: optional(spec.taskLimitMs, duration),
    checkpointMs: duration(spec.checkpointMs),
    nondeterministic: oneOf(["rerun", "fail"], spec.nondeterministic),
    replaces: spec.replaces,
    environment: fromVariables(spec.environment),
    startedAt: spec.startedAt,
  };
}

export function toVariables(environment: Readonly<Record<string, string>>) {
  return Object.keys(environment).map((name) => ({ name, value: environment[name]! }));
}

export function fromVariables(
  variables: readonly { readonly name: string; readonly value: string }[],
): Record<string, string> {
  const environment: Record<string, string> = Object.create(null);
  for (const { name, value } of variables) environment[name] = value;
  return environment;
}
