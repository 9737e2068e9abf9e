import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keyExcerptOf } from "../base/excerpt.ts";
import { type Counters, phases } from "../base/ids.ts";
import type { FailureText } from "../protocol/messages.ts";
import type { Hello, HistoryEvent, LogChunk, Welcome } from "../protocol/services.ts";
import { type AttemptStats, attemptStats, statNames } from "../protocol/stats.ts";
import { type ClusterView, type JobView, jobStates, waitingFor, workerStates } from "../protocol/view.ts";
import {
  fromHello,
  fromHistoryEvent,
  fromLogChunk,
  fromWelcome,
  toHello,
  toHistoryEvent,
  toLogChunk,
  toWelcome,
} from "./convert-service.ts";
import { fromClusterView, fromJobView, toClusterView, toJobView } from "./convert-view.ts";
import {
  HelloRequestSchema,
  HelloResponseSchema,
  HistoryEventSchema,
  LogChunkSchema,
} from "./gen/millrace/v1/service_pb.ts";
import { ClusterViewSchema, JobViewSchema } from "./gen/millrace/v1/view_pb.ts";

const name = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 8 }),
  fc.constantFrom("__proto__", "constructor", "toString", "7", ""),
);
const u32 = fc.nat({ max: 0xffffffff });
const size = fc.maxSafeNat();
const ms = fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }).map((value) => value + 0);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const few = <T>(value: fc.Arbitrary<T>) => fc.array(value, { maxLength: 3 });

const counters: fc.Arbitrary<Counters> = fc.array(fc.tuple(name, fc.maxSafeInteger()), { maxLength: 4 }).map((all) => {
  const held: Record<string, number> = Object.create(null);
  for (const [key, value] of all) held[key] = value;
  return held;
});
const text: fc.Arbitrary<FailureText> = fc.record({
  code: fc.constantFrom("user-error", "EIO"),
  message: name,
  stack: maybe(name),
  where: maybe(name),
  excerpt: maybe(name),
});
const stats = fc.record(
  Object.fromEntries(statNames.map((name) => [name, attemptStats[name].kind === "duration" ? ms : size])),
) as fc.Arbitrary<AttemptStats>;
const running = fc.record(
  {
    attempt: fc.record({
      job: name,
      phase: fc.constantFrom(...phases),
      index: u32,
      epoch: size,
      attempt: size,
    }),
    records: size,
    bytes: size,
    idleMs: ms,
    runningMs: ms,
    at: maybe(fc.record({ file: u32, offset: size })),
    key: name.map(keyExcerptOf),
  },
  { requiredKeys: ["attempt", "records", "bytes", "idleMs", "runningMs", "at"], noNullPrototype: true },
);
const tally = fc.record({ done: u32, running: u32, total: u32 });
const jobView: fc.Arbitrary<JobView> = fc.record(
  {
    job: name,
    name,
    number: size,
    resumable: fc.boolean(),
    waiting: fc.constantFrom(...waitingFor),
    state: fc.constantFrom(...jobStates),
    tasks: fc.record({ plan: tally, map: tally, reduce: tally }),
    counters,
    stats: fc.record({ inputBytes: size, map: stats, reduce: stats }),
    largestGroup: fc.record({ key: name, pairs: size, isEstimate: fc.boolean() }),
    deadLetters: size,
    running: few(running),
    failures: few(fc.record({ number: size, task: name, error: text })),
    output: name,
    deadLettersIn: name,
    reason: text,
  },
  {
    requiredKeys: [
      "job",
      "name",
      "number",
      "resumable",
      "state",
      "tasks",
      "counters",
      "stats",
      "deadLetters",
      "running",
      "failures",
      "output",
    ],
    noNullPrototype: true,
  },
);
const clusterView: fc.Arbitrary<ClusterView> = fc.record({
  epoch: size,
  jobs: few(jobView),
  workers: few(
    fc.record({
      id: name,
      state: fc.constantFrom(...workerStates),
      address: name,
      heardMs: size,
      running: u32,
      runs: u32,
      slots: u32,
      slotsFree: u32,
    }),
  ),
});
const hello: fc.Arbitrary<Hello> = fc.record({
  role: fc.constantFrom("worker", "client"),
  protocol: u32,
  millrace: name,
  nodeMajor: u32,
  icu: name,
  worker: maybe(name),
});
const time = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) });
const welcome: fc.Arbitrary<Welcome> = fc.record({
  protocol: u32,
  millrace: name,
  cluster: name,
  leaseMs: ms,
  timeMs: time,
  start: size,
});
const chunk: fc.Arbitrary<LogChunk> = fc.record({
  attempt: name,
  worker: name,
  bytes: fc.uint8Array({ maxLength: 12 }),
});
const event: fc.Arbitrary<HistoryEvent> = fc.record({
  time: name,
  kind: name,
  job: name,
  task: maybe(name),
  attempt: maybe(name),
  worker: maybe(name),
  message: maybe(name),
});

function holds<T>(values: fc.Arbitrary<T>, throughBytes: (value: T) => T) {
  fc.assert(
    fc.property(values, (original) => {
      expect(throughBytes(original)).toEqual(original);
    }),
    { numRuns: 200 },
  );
}

describe("what a master answers survives its encoding", () => {
  it("views of jobs, a missing reason kept missing", () =>
    holds(jobView, (view) => {
      const bytes = toBinary(JobViewSchema, create(JobViewSchema, toJobView(view)));
      const back = fromJobView(fromBinary(JobViewSchema, bytes));
      expect(Object.keys(back).toSorted()).toEqual(Object.keys(view).toSorted());
      return back;
    }));

  it("views of the cluster", () =>
    holds(clusterView, (view) => {
      const bytes = toBinary(ClusterViewSchema, create(ClusterViewSchema, toClusterView(view)));
      return fromClusterView(fromBinary(ClusterViewSchema, bytes));
    }));

  it("greetings, log chunks, events", () => {
    holds(hello, (value) =>
      fromHello(
        fromBinary(HelloRequestSchema, toBinary(HelloRequestSchema, create(HelloRequestSchema, toHello(value)))),
      ),
    );
    holds(welcome, (value) =>
      fromWelcome(
        fromBinary(HelloResponseSchema, toBinary(HelloResponseSchema, create(HelloResponseSchema, toWelcome(value)))),
      ),
    );
    holds(chunk, (value) =>
      fromLogChunk(fromBinary(LogChunkSchema, toBinary(LogChunkSchema, create(LogChunkSchema, toLogChunk(value))))),
    );
    holds(event, (value) =>
      fromHistoryEvent(
        fromBinary(HistoryEventSchema, toBinary(HistoryEventSchema, create(HistoryEventSchema, toHistoryEvent(value)))),
      ),
    );
  });
});

it("a state that this version does not know is refused by name", () => {
  const view = fc.sample(jobView, 1)[0]!;
  const message = create(JobViewSchema, { ...toJobView(view), state: "dreaming" });
  expect(() => fromJobView(message)).toThrow(/"dreaming" is none of planning/);
});
