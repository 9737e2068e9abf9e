// A slot without a process: it answers from the oracle (workload.ts), after a while, or fails in one of the ways
// slots fail. Its time passes on the worker's machine, which goes on when only the agent is stopped.
import { createHash } from "node:crypto";
import { MillraceError } from "../../src/base/error.ts";
import { type AttemptId, type Position, taskName } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { JobDescription } from "../../src/job/load/describe.ts";
import type { AttemptResult, Failure, FailureText, MapWork } from "../../src/protocol/messages.ts";
import { type AttemptStats, noStats } from "../../src/protocol/stats.ts";
import type { Slots, WorkerLife } from "../../src/sim/scene.ts";
import type { RunAttempt } from "../../src/slot/messages.ts";
import type { PageContent } from "../../src/slot/status-page.ts";
import type { OnLate } from "../../src/worker/agent/options.ts";
import type { Bundle, TaskSlot } from "../../src/worker/slots/task-slot.ts";
import { OracleRun } from "./runs.ts";
import { copyRun, fetchAll, type Segment, SegmentMissed, serveRun, serveSegment } from "./segments.ts";
import { emit, idsOf, type PartContent, planOf, recordBytes, recordsPerMap, type SimJob } from "./workload.ts";
import type { OracleWorld } from "./world.ts";

interface Work {
  readonly request: RunAttempt;
  readonly startedAt: number;
  readonly ms: number;
  /** Progress ends here: 0 to 1. */
  readonly hangsAt: number;
  readonly finish: (result: AttemptResult) => void;
  readonly staged: string[];
  /** What a reduce reads, once it reads. */
  segments: Promise<Segment[]> | undefined;
}

/** The slots of all workers of a world. */
export function oracleSlots(world: OracleWorld): Slots {
  return {
    bundle: { path: "/bundle", digest: "b0", environment: {} },
    open: (worker, onLate) => new OracleSlot(world, worker, onLate),
    copy: (worker, order, signal) => copyRun(world, worker, order, signal),
    async serve({ disk }, { kind, body }) {
      if (kind === "run") return serveRun(disk, body);
      if (kind !== "segment") throw new Error(`a worker knows no ${kind}`);
      return serveSegment(disk, body);
    },
  };
}

class OracleSlot implements TaskSlot {
  readonly pid = undefined;
  isAlive = true;
  bundle: Bundle | undefined;
  readonly ended: Promise<FailureText>;
  readonly #world: OracleWorld;
  readonly #worker: WorkerLife;
  #end: (why: FailureText) => void = () => {};
  #work: Work | undefined;
  #lastPage: PageContent | undefined;
  readonly #onLate: OnLate;
  /** Calls to come that the slot can see, and who waits for them. */
  #expected = 0;
  #isSilent = false;
  readonly #settling = new Set<() => void>();

  constructor(world: OracleWorld, worker: WorkerLife, onLate: OnLate) {
    this.#world = world;
    this.#worker = worker;
    this.#onLate = onLate;
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  load(bundle: Bundle): Promise<void> {
    this.bundle = bundle;
    return new Promise((resolve) => void this.#worker.machine.after(5, () => this.#worker.agentHears(resolve)));
  }

  async validate(): Promise<undefined> {
    throw new Error("nobody asks a simulated slot");
  }

  async describe(): Promise<JobDescription> {
    throw new Error("nobody asks a simulated slot");
  }

  run(request: RunAttempt): Promise<AttemptResult> {
    const world = this.#world;
    const { machine, id } = this.#worker;
    const { options, slotChance: chance } = world;
    const { attempt } = request.assignment;
    const where = () => `${taskName(attempt)} on ${id}`;
    world.checks.started(this.#worker, request);
    return new Promise((resolve) => {
      const isSlow = world.comes("stragglers", chance, where);
      const hangs = world.comes("hanging-attempts", chance, where);
      // Afterwards all is fast: what is left must be over in time, however much it is and however few are left to do
      // it.
      const pace = world.isFaulty ? (isSlow ? 12 : 1) : 0.1;
      const mean = options.attemptLeases * options.leaseMs * pace;
      const ms = attempt.phase === "plan" ? chance.between(5, mean / 2) : mean * chance.between(0.5, 1.5);
      const work: Work = {
        request,
        startedAt: world.now,
        ms,
        hangsAt: hangs ? chance.random() : Number.POSITIVE_INFINITY,
        staged: [],
        segments: undefined,
        finish: (result) => {
          if (this.#work !== work) return;
          this.#lastPage = this.page();
          this.#work = undefined;
          world.checks.ended(this.#worker, attempt);
          if (!result.ok) for (const token of work.staged) world.files.unstage(token);
          machine.after(1, () => this.#worker.agentHears(() => resolve(result)));
        },
      };
      this.#work = work;
      this.#leaveBehind(attempt, ms);
      if (hangs) return;
      if (attempt.phase === "reduce") {
        // It reads the map outputs on the way; much may change between that and its end.
        machine.after(ms * chance.random(), () => {
          if (this.#work !== work) return;
          work.segments = fetchAll(world, this.#worker, request);
          work.segments.catch(() => {}); // heard of at the end
        });
      }
      machine.after(ms, () => {
        if (this.#work === work) this.#complete(work);
      });
    });
  }

  settle(): Promise<void> {
    const { machine, id } = this.#worker;
    const { slotChance: chance, comes } = this.#world;
    return new Promise((resolve) => {
      const settled = () => {
        if (this.#settling.delete(settled)) machine.after(1, () => this.#worker.agentHears(resolve));
      };
      this.#settling.add(settled);
      // Its thread is kept busy: it says nothing, and ends only by being killed.
      if (comes("hanging-attempts", chance, () => `a slot on ${id} says nothing`, 0.5)) {
        this.#isSilent = true;
        return;
      }
      if (this.#expected === 0) settled();
      else machine.after(limits.settleMs, settled);
    });
  }

  /** The job's code calls once more: while the attempt runs, soon after, or when no one waits for it any more. */
  #leaveBehind(attempt: AttemptId, ms: number): void {
    const world = this.#world;
    const { machine } = this.#worker;
    const { options, slotChance: chance } = world;
    const { lateRate, hasTimers } = world.jobOf(attempt.job);
    if (hasTimers && chance.happens(0.5)) {
      this.#expected++;
      machine.after(ms + chance.between(0, 2 * limits.settleMs), () => this.#cameTrue());
    }
    if (!chance.happens(lateRate)) return;
    world.fired("late-calls", `of ${taskName(attempt)} on ${this.#worker.id}`);
    const after = chance.one([
      chance.between(0, ms),
      ms + chance.between(0, 50),
      ms + chance.between(0, limits.settleMs),
      ms + chance.between(0, options.leaseMs),
      ms + chance.between(0, 6 * options.leaseMs),
    ]);
    const isSeen = chance.happens(0.7);
    if (isSeen) this.#expected++;
    machine.after(after, () => {
      if (!this.isAlive) return;
      this.#worker.agentHears(() => {
        world.checks.called(this.#worker, attempt);
        this.#onLate(attempt, text("emit was called late", "late-call"));
      });
      if (isSeen) this.#cameTrue();
    });
  }

  #cameTrue(): void {
    if (--this.#expected === 0 && !this.#isSilent) for (const settled of [...this.#settling]) settled();
  }

  stop(): void {
    const work = this.#work;
    if (work === undefined || this.#world.slotChance.happens(0.5)) return;
    this.#worker.machine.after(10, () => work.finish(failed(work, { kind: "infrastructure", error: text("stopped") })));
  }

  kill(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    const work = this.#work;
    if (work !== undefined) {
      // SIGKILL: it cleans nothing up.
      work.staged.length = 0;
      const { careful } = work.request.assignment;
      work.finish(failed(work, { kind: "slot-died", error: text("killed"), at: undefined, careful }));
    }
    if (this.#isSilent) this.#world.sightings.saw("silent slot killed");
    for (const settled of [...this.#settling]) settled();
    this.#worker.machine.after(2, () => this.#worker.agentHears(() => this.#end(text("killed"))));
  }

  page(): PageContent | undefined {
    const work = this.#work;
    if (work === undefined) return this.#lastPage;
    const { attempt } = work.request.assignment;
    const share = Math.min((this.#world.now - work.startedAt) / work.ms, 1, work.hangsAt);
    return {
      epoch: attempt.epoch,
      attempt: attempt.attempt,
      phase: attempt.phase === "reduce" ? "reduce" : "map",
      records: Math.floor(share * recordsPerMap),
      bytes: Math.floor(share * 1000),
      at: undefined,
      beats: Math.floor(share * 100),
    } as PageContent;
  }

  // ── how an attempt ends ────────────────────────────────────────────────────

  #complete(work: Work): void {
    const world = this.#world;
    const { attempt, careful } = work.request.assignment;
    const job = world.jobOf(attempt.job);
    const failure = this.#failure(job, work);
    if (failure === "dies") {
      this.isAlive = false;
      work.staged.length = 0;
      work.finish(failed(work, { kind: "slot-died", error: text("died"), at: this.#diedAt(job, work), careful }));
      for (const settled of [...this.#settling]) settled();
      this.#worker.machine.after(2, () => this.#worker.agentHears(() => this.#end(text("died"))));
      return;
    }
    if (failure !== undefined) {
      work.finish(failed(work, failure));
      return;
    }
    this.#succeed(job, work).catch((error: unknown) => {
      if (error instanceof SegmentMissed) {
        const { map, how } = error;
        world.checks.missed(map, how, error.holder);
        if (how === "corrupt") world.sightings.saw("corrupt block found");
        work.finish(failed(work, { kind: "segment-lost", map, how, error: text(error.message) }));
        return;
      }
      if (!(error instanceof MillraceError)) throw error;
      if (error.code === "no-space") world.sightings.saw("no space");
      work.finish(failed(work, { kind: "infrastructure", error: text(error.message, error.code) }));
    });
  }

  /** What the faults of this world, and of the job itself, make of it. */
  #failure(job: SimJob, { request }: Work): Failure | "dies" | undefined {
    const world = this.#world;
    const { slotChance: chance } = world;
    const { attempt, work } = request.assignment;
    const where = () => `${taskName(attempt)} on ${this.#worker.id}`;
    if (this.#worker.host.isBad && this.#worker.disk.isFull) {
      world.sightings.saw("no space");
      return { kind: "infrastructure", error: text("no space left", "no-space") };
    }
    if (this.#worker.host.isBad) return { kind: "infrastructure", error: text("this machine fails everything") };
    if (work.phase === "map") {
      if (job.poison?.map === attempt.index && !isSkipped(work, attempt.index, job.poison.record)) {
        world.fired("poison-record", where());
        return "dies";
      }
      if (job.throwing?.map === attempt.index && (job.throwing.isAlways || chance.happens(0.4))) {
        world.fired("user-errors", where());
        const at = job.throwing.isAlways ? 0 : chance.below(recordsPerMap);
        return {
          kind: "user-error",
          error: text(`record ${at} is odd`, "user-error"),
          at: position(attempt.index, at),
          final: false,
        };
      }
    }
    if (world.comes("slot-deaths", chance, where)) return "dies";
    if (world.comes("failing-attempts", chance, where))
      return { kind: "infrastructure", error: text("the disk is odd") };
    return undefined;
  }

  #diedAt({ poison }: SimJob, { request }: Work): Position | undefined {
    const { attempt, careful, work } = request.assignment;
    if (work.phase !== "map") return undefined;
    if (poison?.map === attempt.index && !isSkipped(work, attempt.index, poison.record))
      return position(attempt.index, careful ? poison.record : 0);
    return position(attempt.index, careful ? this.#world.slotChance.below(recordsPerMap) : 0);
  }

  async #succeed(job: SimJob, work: Work): Promise<void> {
    const { assignment } = work.request;
    const { attempt } = assignment;
    const base = { attempt, ok: true as const, staged: [], deadLetters: [], stats: stats(work) };
    switch (assignment.work.phase) {
      case "plan":
        return work.finish({ ...base, counters: {}, plan: planOf(job) });
      case "map": {
        const { skip, partitions } = assignment.work;
        const skipped = new Set(skip.map(({ file, offset }) => `${file}.${offset / recordBytes}`));
        const counters = { records: recordsPerMap - skipped.size };
        if (partitions === 0) {
          const ids = idsOf(attempt.index).filter((id) => !skipped.has(id));
          const part: PartContent = { attempt, ids, consumed: [] };
          return this.#stageAndFinish(work, { ...base, counters, deadLetters: skip }, part);
        }
        const content = emit(job, attempt, skipped);
        const run = new OracleRun(content, this.#worker.id);
        this.#worker.disk.write(run);
        const { emissionDigest } = content;
        return work.finish({ ...base, counters, deadLetters: skip, run: run.ref, emissionDigest });
      }
      case "reduce": {
        const { mapVersion } = assignment.work;
        const segments = await work.segments!;
        const ids = segments.flatMap((segment) => segment.ids);
        const consumed = segments.map(({ map, digest }) => ({ map, digest }));
        this.#stageAndFinish(
          work,
          { ...base, counters: { written: ids.length }, mapVersion },
          { attempt, ids, consumed },
        );
      }
    }
  }

  /** The file is staged some time before its attempt says so, and a crash may come between. */
  #stageAndFinish(work: Work, done: Extract<AttemptResult, { ok: true }>, part: PartContent): void {
    const world = this.#world;
    const { machine, id } = this.#worker;
    if (this.#work !== work) return;
    if (world.network.isCut(id, "storage") || world.files.failsUntil > world.now)
      throw new MillraceError("io-error", "storage can't be written", { retry: "elsewhere" });
    const { attempt } = part;
    const name = `part-${attempt.phase === "map" ? "m-" : ""}${String(attempt.index).padStart(5, "0")}.txt`;
    const token = world.files.stage(attempt, name, part);
    work.staged.push(token);
    const bytes = part.ids.length * recordBytes;
    const file = { output: "main", name, bytes, records: part.ids.length, sha256: sha256Of(part.ids), token };
    machine.after(world.slotChance.between(1, 50), () => work.finish({ ...done, staged: [file] }));
  }
}

function sha256Of(ids: readonly string[]): string {
  return createHash("sha256").update(ids.join()).digest("hex");
}

function isSkipped({ skip }: MapWork, map: number, record: number): boolean {
  return skip.some(({ file, offset }) => file === map && offset === record * recordBytes);
}

function position(map: number, record: number): Position {
  return { file: map, offset: record * recordBytes };
}

function failed({ request }: Work, reason: Failure): AttemptResult {
  return { attempt: request.assignment.attempt, ok: false, reason };
}

function text(message: string, code = "io-error"): FailureText {
  return { code, message, stack: undefined, where: undefined, excerpt: undefined };
}

function stats({ ms }: Work): AttemptStats {
  return {
    ...noStats,
    recordsIn: recordsPerMap,
    bytesIn: 1000,
    pairs: recordsPerMap,
    recordsOut: recordsPerMap,
    bytesOut: 30,
    wallMs: Math.ceil(ms),
  };
}
