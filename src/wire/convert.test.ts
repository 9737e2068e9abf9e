import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { report as reportOfWorker, stats as statsOf } from "../../test/schedule/build.ts";
import { MillraceError } from "../base/error.ts";
import { keyExcerptOf } from "../base/excerpt.ts";
import { type AttemptId, type Counters, type Position, phases } from "../base/ids.ts";
import { Secret } from "../base/value/secret.ts";
import type { Plan } from "../input/plan.ts";
import type { JobSpec } from "../job/spec.ts";
import type {
  Assignment,
  AttemptResult,
  Failure,
  FailureText,
  MapWork,
  SkippedRecord,
  WorkerOrders,
  WorkerReport,
} from "../protocol/messages.ts";
import type { EndedRecord, TaskRecord, Winner } from "../protocol/records.ts";
import { type AttemptStats, attemptStats, statNames } from "../protocol/stats.ts";
import { decodeFromSlot, decodeToSlot, encodeFromSlot, encodeToSlot } from "../slot/messages.ts";
import type { RunRef } from "../sort/run.ts";
import type { CommitDecision, StagedFile } from "../storage/storage.ts";
import {
  decodeAssignment,
  decodeOrders,
  decodeReport,
  decodeResult,
  decodeSpec,
  encodeAssignment,
  encodeOrders,
  encodeReport,
  encodeResult,
  encodeSpec,
} from "./convert.ts";
import { toResult } from "./convert-attempt.ts";
import { toReport } from "./convert-worker.ts";
import { AttemptResultSchema } from "./gen/millrace/v1/attempt_pb.ts";
import { PlanSchema } from "./gen/millrace/v1/plan_pb.ts";
import { CommitDecisionSchema, TaskRecordSchema } from "./gen/millrace/v1/stored_pb.ts";
import { WorkerReportSchema } from "./gen/millrace/v1/worker_pb.ts";
import { decodeDecision, encodeDecision, toDecision } from "./stored/commit.ts";
import { fromPlan, toPlan } from "./stored/convert-plan.ts";
import { decodePlan, encodePlan } from "./stored/plans.ts";
import { endedRecord, failureRecord, jobRecord, planRecord, taskRecord } from "./stored/records.ts";

// ── values of every shape ────────────────────────────────────────────────────

/** Names a user can choose, the ones that objects treat specially among them. */
const name = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 8 }),
  fc.constantFrom("__proto__", "constructor", "toString", "7", ""),
);
const u32 = fc.nat({ max: 0xffffffff });
const size = fc.maxSafeNat();
const digest = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const ms = fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }).map((value) => value + 0);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const few = <T>(value: fc.Arbitrary<T>) => fc.array(value, { maxLength: 3 });
const bytes = fc.uint8Array({ maxLength: 12 });
const dictionary = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> => dictionaryOf(name, value);
const dictionaryOf = <T>(key: fc.Arbitrary<string>, value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.array(fc.tuple(key, value), { maxLength: 4 }).map((entries) => {
    const record: Record<string, T> = Object.create(null);
    for (const [key, held] of entries) record[key] = held;
    return record;
  });

/** What identifies a job or a worker is part of keys, paths and lines on terminals. */
const id = fc.oneof(fc.stringMatching(/^[\w-]{1,64}$/), fc.constantFrom("__proto__", "constructor", "7"));
const attempt: fc.Arbitrary<AttemptId> = fc.record({
  job: id,
  phase: fc.constantFrom(...phases),
  index: u32,
  epoch: size,
  attempt: size,
});
const position: fc.Arbitrary<Position> = fc.record({ file: u32, offset: size });
const skipped: fc.Arbitrary<SkippedRecord> = fc.record({ file: u32, offset: size, hung: fc.boolean() });
const counters: fc.Arbitrary<Counters> = dictionary(fc.maxSafeInteger());
const run: fc.Arbitrary<RunRef> = fc.record({ writtenBy: attempt, path: name, bytes: size, pairs: size });
const staged: fc.Arbitrary<StagedFile> = fc.record({
  output: name,
  name,
  bytes: size,
  records: size,
  sha256: name,
  token: name,
});
const code = fc.constantFrom("user-error", "EIO", "a_code-of-a-later-version");
const failureFields = { code, message: name, stack: maybe(name), where: maybe(name), excerpt: maybe(name) };
const failureText: fc.Arbitrary<FailureText> = fc.oneof(
  fc.record(failureFields),
  fc.record({ ...failureFields, aside: size }),
);
const largestGroups = fc.record({
  groups: few(fc.record({ key: name, hash: u32, pairs: size })),
  othersMax: size,
  isEstimate: fc.boolean(),
});
const stats = fc.record(
  Object.fromEntries(statNames.map((name) => [name, attemptStats[name].kind === "duration" ? ms : size])),
) as fc.Arbitrary<AttemptStats>;
const specFields = {
  name,
  bundle: name,
  inputs: few(fc.record({ name, paths: few(name) })),
  directory: name,
  standardInput: maybe(name),
  files: few(fc.record({ name, path: name, sha256: name })),
  output: name,
  writes: fc.constantFrom("formats", "records"),
  partitions: maybe(u32),
  splitBytes: maybe(size),
  attemptsMax: u32,
  maxSlots: fc.option(u32, { nil: undefined }),
  skipBad: size,
  params: name,
  taskTimeoutMs: ms,
  taskLimitMs: maybe(ms),
  checkpointMs: ms,
  nondeterministic: fc.constantFrom("rerun", "fail"),
  replaces: maybe(name),
  environment: dictionary(name),
  startedAt: name,
};
const spec: fc.Arbitrary<JobSpec> = fc.oneof(
  fc.record(specFields),
  fc.record({ ...specFields, deadLetters: fc.record({ path: name, replaces: maybe(name) }) }),
);
const plannedFields = {
  path: name,
  bytes: size,
  version: name,
  hosts: few(name),
  source: name,
  input: u32,
  compression: fc.constantFrom("none" as const, "gzip" as const, "zstd" as const),
};
const plannedFile = fc.oneof(fc.record(plannedFields), fc.record({ ...plannedFields, headerEnd: size }));
const split = few(fc.record({ file: u32, start: size, end: size }));
const plan: fc.Arbitrary<Plan> = fc.record({
  files: few(plannedFile),
  splits: few(split),
  boundaries: few(bytes),
  partitions: u32,
});
const mapWork: fc.Arbitrary<MapWork> = fc.record({
  phase: fc.constant("map" as const),
  split,
  files: fc.dictionary(fc.nat({ max: 99 }).map(String), plannedFile, { maxKeys: 3, noNullPrototype: true }),
  partitions: u32,
  boundaries: few(bytes),
  skip: few(skipped),
  skipBad: size,
});
const assignment: fc.Arbitrary<Assignment> = fc.record({
  attempt,
  spec,
  careful: fc.boolean(),
  work: fc.oneof(
    fc.constant({ phase: "plan" as const }),
    mapWork,
    fc.record({ phase: fc.constant("reduce" as const), partitions: u32, mapVersion: size }),
  ),
});
const failure: fc.Arbitrary<Failure> = fc.oneof(
  fc.record({ kind: fc.constant("user-error" as const), error: failureText, at: maybe(position), final: fc.boolean() }),
  fc.record({ kind: fc.constant("bad-input" as const), error: failureText, at: maybe(position) }),
  fc.record({ kind: fc.constant("fatal" as const), error: failureText }),
  fc.record({
    kind: fc.constant("segment-lost" as const),
    how: fc.constantFrom("missing", "corrupt", "unreachable"),
    map: attempt,
    error: failureText,
  }),
  fc.record({
    kind: fc.constant("segment-lost" as const),
    how: fc.constantFrom("missing", "corrupt", "unreachable"),
    map: attempt,
    others: fc.array(attempt, { minLength: 1, maxLength: 3 }),
    error: failureText,
  }),
  fc.record({
    kind: fc.constant("slot-died" as const),
    error: failureText,
    at: maybe(position),
    careful: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("infrastructure" as const), error: failureText }),
);
const result: fc.Arbitrary<AttemptResult> = fc.oneof(
  fc.record(
    {
      attempt,
      ok: fc.constant(true as const),
      plan,
      run,
      emissionDigest: digest,
      mapVersion: size,
      staged: few(staged),
      deadLetters: few(position),
      lastAside: failureText,
      largestGroups,
      counters,
      stats,
    },
    { requiredKeys: ["attempt", "ok", "staged", "deadLetters", "counters", "stats"], noNullPrototype: true },
  ),
  fc.record({ attempt, ok: fc.constant(false as const), reason: failure }),
);
const slotCount = fc.nat({ max: 1024 });
const report: fc.Arbitrary<WorkerReport> = fc.record({
  worker: fc.stringMatching(/^[\w.-]{1,64}$/),
  incarnation: size,
  sequence: size,
  holdersKnown: dictionaryOf(id, fc.record({ mapVersion: size, runs: size })),
  address: fc.webUrl(),
  slots: slotCount,
  slotsFree: slotCount,
  slotsAhead: slotCount,
  draining: fc.boolean(),
  running: few(
    fc.record(
      {
        attempt,
        records: size,
        bytes: size,
        idleMs: ms,
        hasCheckpoint: fc.constant(true as const),
        runningMs: ms,
        at: maybe(position),
        key: name.map(keyExcerptOf),
      },
      { requiredKeys: ["attempt", "records", "bytes", "idleMs", "runningMs", "at"], noNullPrototype: true },
    ),
  ),
  finished: few(result),
  offered: few(fc.record({ run, emissionDigest: digest })),
  settled: few(id),
  late: few(fc.record({ attempt, error: failureText })),
});
const runPlaces = fc.record({ worker: name, address: name, runs: few(run) });
const orders: fc.Arbitrary<WorkerOrders> = fc.record({
  epoch: size,
  start: few(assignment),
  stop: few(fc.record({ attempt, why: name })),
  holders: few(
    fc.record({
      job: name,
      mapVersion: size,
      from: size,
      total: size,
      workers: few(runPlaces),
    }),
  ),
  discard: few(name),
  settle: few(name),
  leaseMs: ms,
  drain: fc.boolean(),
});
const folder = { destination: name, files: few(staged), replaces: maybe(name), manifest: bytes };
const decision: fc.Arbitrary<CommitDecision> = fc.record(
  { job: name, ...folder, deadLetters: fc.record(folder) },
  { requiredKeys: ["job", "destination", "files", "replaces", "manifest"], noNullPrototype: true },
);
const winner: fc.Arbitrary<Winner> = fc.record({
  attempt,
  worker: name,
  incarnation: size,
  address: name,
  run: maybe(run),
  emissionDigest: maybe(digest),
  mapVersion: maybe(size),
  staged: few(staged),
  deadLetters: few(position),
  counters,
  stats,
  runLost: maybe(name),
  lastAside: maybe(failureText),
  largestGroups: maybe(largestGroups),
});
const task: fc.Arbitrary<TaskRecord> = fc.record({
  winner: maybe(winner),
  placements: u32,
  digestVersion: size,
  digestRollbacks: u32,
  failures: u32,
  infrastructureFailures: u32,
  careful: fc.boolean(),
  skip: few(skipped),
  diedAt: maybe(position),
  userFailure: maybe(fc.record({ message: name, at: maybe(position) })),
  counted: maybe(fc.record({ epoch: size, attempt: size })),
});
const tasks = fc.record({ done: u32, running: fc.constant(0), total: u32 });
const ended: fc.Arbitrary<EndedRecord> = fc.record({
  outcome: fc.constantFrom("succeeded", "failed", "cancelled"),
  reason: maybe(failureText),
  counters,
  inputBytes: size,
  mapStats: stats,
  reduceStats: stats,
  largestGroup: maybe(fc.record({ key: name, pairs: size, isEstimate: fc.boolean() })),
  deadLetters: size,
  tasks: fc.record({ plan: tasks, map: tasks, reduce: tasks }),
  kept: fc.boolean(),
  number: size,
});

// ── what must hold of them ───────────────────────────────────────────────────

function roundTrips<T>(value: fc.Arbitrary<T>, encode: (value: T) => Uint8Array, decode: (bytes: Uint8Array) => T) {
  fc.assert(
    fc.property(value, (original) => {
      expect(decode(encode(original))).toEqual(original);
    }),
    { numRuns: 200 },
  );
}

describe("messages survive their encoding, missing and empty kept apart", () => {
  it("reports", () => roundTrips(report, encodeReport, decodeReport));
  it("orders", () => roundTrips(orders, encodeOrders, decodeOrders));
  it("assignments", () => roundTrips(assignment, encodeAssignment, decodeAssignment));
  it("results", () => roundTrips(result, encodeResult, decodeResult));
  it("specs", () => roundTrips(spec, encodeSpec, decodeSpec));
  it("decisions", () => roundTrips(decision, encodeDecision, decodeDecision));
  it("task records", () => roundTrips(task, taskRecord.encode, taskRecord.decode));
  it("task records, written and read by hand, as the library writes and reads them", () => {
    fc.assert(
      fc.property(task, (original) => {
        const bytes = taskRecord.encode(original);
        const again = toBinary(TaskRecordSchema, fromBinary(TaskRecordSchema, bytes));
        expect(again).toEqual(bytes);
        expect(taskRecord.decode(again)).toEqual(original);
      }),
      { numRuns: 300 },
    );
  });
  it("of a damaged task record what is read is a record, or a named error; fields of a later version are passed over", () => {
    fc.assert(
      fc.property(task, fc.nat(), fc.integer({ min: 1, max: 255 }), (original, where, flip) => {
        const bytes = taskRecord.encode(original);
        const at = where % Math.max(1, bytes.length);
        for (const damaged of [bytes.slice(0, at), bytes.map((byte, index) => (index === at ? byte ^ flip : byte))]) {
          try {
            taskRecord.decode(damaged);
          } catch (error) {
            expect(error).toBeInstanceOf(MillraceError);
            expect((error as MillraceError).code).toBe("corrupt-state");
          }
        }
        const later = [0x80 | (5 << 3), 0x0c, 7, 0x82 | (5 << 3), 0x0c, 2, 1, 1]; // fields 197, by their wire types
        expect(taskRecord.decode(Uint8Array.from([...bytes, ...later]))).toEqual(original);
      }),
      { numRuns: 200 },
    );
  });
  it("ended records", () => roundTrips(ended, endedRecord.encode, endedRecord.decode));
  it("job, plan and failure records", () => {
    roundTrips(fc.record({ spec, idempotencyKey: name, number: size }), jobRecord.encode, jobRecord.decode);
    roundTrips(
      fc.record({ attempt, chunks: u32, worker: name, incarnation: size }),
      planRecord.encode,
      planRecord.decode,
    );
    roundTrips(fc.record({ number: size, task: name, error: failureText }), failureRecord.encode, failureRecord.decode);
  });
  it("access to storages, whose secrets look equal whatever they are", () => {
    fc.assert(
      fc.property(assignment, dictionary(name), (given, texts) => {
        const storageAccess = Object.fromEntries(
          Object.entries(texts).map(([scheme, text]) => [scheme, new Secret(text)]),
        );
        const request = { assignment: given, directory: "", memoryDirectory: undefined, memoryBytesMax: 0 };
        const places = { diskDirectory: "", inputs: [], remote: [], access: undefined, sentAtMs: 0 };
        const read = decodeToSlot(encodeToSlot({ kind: "run", ...request, ...places, storageAccess }));
        const revealed = read.kind === "run" ? Object.entries(read.storageAccess) : [];
        expect(new Map(revealed.map(([scheme, secret]) => [scheme, secret.reveal()]))).toEqual(
          new Map(Object.entries(texts)),
        );
      }),
      { numRuns: 50 },
    );
  });
  it("what agent and slot say", () => {
    const load = fc.record({
      kind: fc.constant("load" as const),
      path: name,
      digest: name,
      environment: dictionary(name),
    });
    const start = fc.record({
      kind: fc.constant("run" as const),
      assignment,
      directory: name,
      memoryDirectory: maybe(name),
      memoryBytesMax: size,
      diskDirectory: name,
      inputs: few(run),
      remote: few(runPlaces),
      access: maybe(fc.record({ key: name, ca: maybe(name), clockAheadMs: fc.maxSafeInteger() })),
      sentAtMs: fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }),
      storageAccess: fc.constant({ s3: new Secret("of a store") }),
    });
    roundTrips(
      fc.oneof(
        load,
        start,
        fc.record({ kind: fc.constant("validate" as const), params: name }),
        fc.record({ kind: fc.constant("stop" as const), why: name }),
        fc.constantFrom({ kind: "describe" as const }, { kind: "settle" as const }),
      ),
      encodeToSlot,
      decodeToSlot,
    );
    roundTrips(
      fc.oneof(
        fc.constant({ kind: "loaded" as const }),
        fc.record({ kind: fc.constant("finished" as const), result }),
        fc.record({ kind: fc.constant("failed" as const), error: failureText }),
        fc.record({ kind: fc.constant("log" as const), message: name, fields: name }),
        fc.record({ kind: fc.constant("validated" as const), value: maybe(fc.uint8Array()) }),
        fc.record({ kind: fc.constant("late" as const), attempt, error: failureText }),
        fc.constant({ kind: "settled" as const }),
      ),
      encodeFromSlot,
      decodeFromSlot,
    );
  });
});

describe("plans", () => {
  const emptyReport = reportOfWorker("w", 1);
  const planAttempt = {
    attempt: { job: "j", phase: "plan" as const, index: 0, epoch: 1, attempt: 2 },
    staged: [],
    deadLetters: [],
    counters: { records: 7 },
    stats: statsOf(),
  };
  const resultByLibrary = (one: AttemptResult) =>
    toBinary(AttemptResultSchema, create(AttemptResultSchema, toResult(one)));

  it("come back from chunks of any size", () => {
    fc.assert(
      fc.property(plan, fc.integer({ min: 1, max: 400 }), (whole, bytesMax) => {
        expect(decodePlan(encodePlan(whole, bytesMax))).toEqual(whole);
      }),
    );
  });

  it("written by hand and by the library are the same, and decisions", () => {
    fc.assert(
      fc.property(plan, decision, (whole, decided) => {
        const [chunk] = encodePlan(whole, 1e9);
        expect(Buffer.from(chunk!).equals(toBinary(PlanSchema, create(PlanSchema, toPlan(whole))))).toBe(true);
        const planned = { ...planAttempt, ok: true as const, plan: whole };
        const results = [planned, { ...planAttempt, ok: true as const }, planned];
        for (const one of results) expect(Buffer.from(encodeResult(one)).equals(resultByLibrary(one))).toBe(true);
        const sent = { ...emptyReport, finished: results };
        const message = toBinary(WorkerReportSchema, create(WorkerReportSchema, toReport(sent)));
        expect(Buffer.from(encodeReport(sent)).equals(message)).toBe(true);
        const written = toBinary(CommitDecisionSchema, create(CommitDecisionSchema, toDecision(decided)));
        expect(Buffer.from(encodeDecision(decided)).equals(written)).toBe(true);
      }),
    );
  });

  it("read by hand and by the library are the same", () => {
    fc.assert(
      fc.property(plan, (whole) => {
        for (const chunk of encodePlan(whole, 200))
          expect(decodePlan([chunk])).toEqual(fromPlan(fromBinary(PlanSchema, chunk)));
      }),
    );
  });

  it("are cut into chunks no larger than asked for, as long as no single element is", () => {
    const files = Array.from({ length: 5000 }, (_, index) => ({
      path: `/données/${index}`,
      bytes: 2 ** 40 + index,
      version: "1700000000000.5-123456789",
      hosts: [],
      source: "x",
      input: 0,
      compression: "none" as const,
    }));
    const splits = files.map((_, file) => [{ file, start: 2 ** 35, end: 2 ** 40 }]);
    const chunks = encodePlan({ files, splits, boundaries: [], partitions: 3 }, 20_000);
    expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(20_000);
    expect(chunks.length).toBeGreaterThan(10);
    expect(decodePlan(chunks).splits).toEqual(splits);
  });
});

describe("S22: bytes that are no such message", () => {
  const decoders = {
    decodeReport,
    decodeOrders,
    decodeAssignment,
    decodeResult,
    decodeSpec,
    decodeDecision,
    decodeToSlot,
    decodeFromSlot,
    decodePlan: (bytes: Uint8Array) => decodePlan([bytes]),
  };

  it.each(Object.entries(decoders))("%s: are a MillraceError or a message, never something else", (_, decode) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
        try {
          decode(noise);
        } catch (error) {
          expect(error).toBeInstanceOf(MillraceError);
        }
      }),
      { numRuns: 300 },
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it("cut short or changed, a report is refused or is another report", () => {
    fc.assert(
      fc.property(report, fc.nat(), fc.nat(255), (original, at, byte) => {
        const encoded = encodeReport(original);
        if (encoded.length === 0) return;
        const changed = encoded.slice();
        changed[at % encoded.length] = byte;
        for (const noise of [encoded.subarray(0, at % encoded.length), changed]) {
          try {
            decodeReport(noise);
          } catch (error) {
            expect(error).toBeInstanceOf(MillraceError);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it("fault 87: a number that JavaScript would round is refused on both sides", () => {
    const position = { file: 0, offset: 2 ** 53 };
    const failed: AttemptResult = {
      attempt: { job: "j", phase: "map", index: 0, epoch: 1, attempt: 1 },
      ok: false,
      reason: {
        kind: "bad-input",
        error: { code: "", message: "", stack: undefined, where: undefined, excerpt: undefined },
        at: position,
      },
    };
    expect(() => encodeResult(failed)).toThrow(/2\^53/);
    // AttemptId.epoch = 2^64 - 1
    const bytes = Uint8Array.of(
      0x0a,
      0x11,
      0x12,
      0x04,
      0x70,
      0x6c,
      0x61,
      0x6e,
      0x20,
      0xff,
      0xff,
      0xff,
      0xff,
      0xff,
      0xff,
      0xff,
      0xff,
      0xff,
      0x01,
    );
    expect(() => decodeResult(bytes)).toThrow(/beyond 2\^53/);
  });

  it("a phase that this version does not know is refused by name", () => {
    const bytes = Uint8Array.of(0x0a, 0x06, 0x12, 0x04, 0x70, 0x6c, 0x61, 0x79);
    expect(() => decodeResult(bytes)).toThrow(/"play" is none of plan, map, reduce/);
  });
});

it("S17: the generated code is what the definitions say", () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const scratch = mkdtempSync(join(tmpdir(), "millrace-proto-"));
  try {
    const template = readFileSync(join(root, "buf.gen.yaml"), "utf8").replace(
      "out: src/wire/gen",
      `out: ${scratch}/gen`,
    );
    writeFileSync(join(scratch, "buf.gen.yaml"), template);
    execFileSync(
      process.execPath,
      [join(root, "node_modules/@bufbuild/buf/bin/buf"), "generate", "--template", join(scratch, "buf.gen.yaml")],
      { cwd: root },
    );
    const made = join(scratch, "gen/millrace/v1");
    const kept = join(root, "src/wire/gen/millrace/v1");
    expect(readdirSync(kept)).toEqual(readdirSync(made));
    for (const file of readdirSync(made)) {
      expect(readFileSync(join(kept, file), "utf8"), file).toBe(readFileSync(join(made, file), "utf8"));
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});
