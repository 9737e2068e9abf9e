// A slot without a process: an instance of the job's module, and the product's own attempts run in it. An attempt
// happens at one moment of virtual time; around it lies the time that it is said to take, in which its slot, its
// worker or its master may go.
import { assert } from "../../base/assert.ts";
import { type AttemptId, taskName } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { JobDescription } from "../../job/load/describe.ts";
import type { AttemptResult, Failure, FailureText } from "../../protocol/messages.ts";
import type { RunAttempt } from "../../slot/messages.ts";
import type { PageContent } from "../../slot/status-page.ts";
import type { Bundle, TaskSlot } from "../../worker/slots/task-slot.ts";
import type { FaultKind } from "../faults.ts";
import type { Slots, WorkerLife } from "../scene.ts";
import { execute, type SimEnd } from "./execute.ts";
import type { JobScene } from "./scene.ts";

/** What becomes of an attempt, thrown when it begins. */
type Fate = "well" | "slow" | "dies" | "fails" | "hangs";

interface Work {
  readonly request: RunAttempt;
  readonly startedAt: number;
  readonly ms: number;
  readonly fate: Fate;
  /** Progress ends here: 0 to 1. */
  readonly hangsAt: number;
  readonly bytes: number;
  readonly finish: (result: AttemptResult) => void;
  result: AttemptResult | undefined;
  isStopped: boolean;
}

/** Deaths and hangs of one task stay this much below its tries, so that no job fails by them alone. */
const triesSpared = 2;
const failuresPerTaskMax = 4;
/** An attempt gives at least this number of signs of life, and more where it reads much. */
const signsMax = 8;

/** How often kinds of faults have hit a task, by both. */
type Hits = Map<string, number>;

/** The slots of all workers of a world. */
export function userSlots(scene: JobScene): Slots {
  const hits: Hits = new Map();
  return {
    bundle: { path: "", digest: scene.job.digest, environment: scene.job.environment },
    open: (worker) => new UserSlot(scene, worker, hits),
    serve: async ({ id }) => {
      throw new Error(`nobody asks ${id}: what lies on a disk is read there (execute.ts)`);
    },
  };
}

class UserSlot implements TaskSlot {
  readonly pid = undefined;
  isAlive = true;
  bundle: Bundle | undefined;
  readonly ended: Promise<FailureText>;
  readonly #scene: JobScene;
  readonly #worker: WorkerLife;
  readonly #hits: Hits;
  #job: JobDefinition | undefined;
  #end: (why: FailureText) => void = () => {};
  #work: Work | undefined;
  #lastPage: PageContent | undefined;

  constructor(scene: JobScene, worker: WorkerLife, hits: Hits) {
    this.#scene = scene;
    this.#worker = worker;
    this.#hits = hits;
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  load(bundle: Bundle): Promise<void> {
    this.bundle = bundle;
    const { machine, process } = this.#worker;
    return new Promise((resolve) => {
      machine.after(20, async () => {
        this.#job = await this.#scene.job.load();
        await process.receive(resolve);
      });
    });
  }

  async validate(): Promise<undefined> {
    throw new Error("nobody asks a simulated slot");
  }

  async describe(): Promise<JobDescription> {
    throw new Error("nobody asks a simulated slot");
  }

  run(request: RunAttempt): Promise<AttemptResult> {
    const { machine, process } = this.#worker;
    const { options, slotChance: chance, timeline, observer, isFaulty } = this.#scene;
    const { attempt } = request.assignment;
    observer.started?.(this.#worker, request);
    return new Promise((resolve) => {
      const fate = this.#fateOf(attempt);
      const mean = options.attemptLeases * options.leaseMs * (fate === "slow" ? 12 : 1) * (isFaulty ? 1 : 0.2);
      const ms = attempt.phase === "plan" ? chance.between(5, mean / 2) : mean * chance.between(0.5, 1.5);
      const work: Work = {
        request,
        startedAt: timeline.now,
        ms,
        fate,
        hangsAt: fate === "hangs" ? chance.random() : Number.POSITIVE_INFINITY,
        bytes: bytesOf(request),
        result: undefined,
        isStopped: false,
        finish: (result) => {
          if (this.#work !== work) return;
          this.#lastPage = this.page();
          this.#work = undefined;
          observer.ended?.(this.#worker, attempt);
          machine.after(1, () => process.receive(() => resolve(result)));
        },
      };
      this.#work = work;
      if (fate === "hangs") return;
      // Much may change between the moment at which it reads map outputs and its end.
      machine.after(ms * chance.random(), () => this.#happen(work));
      machine.after(ms, () => {
        if (this.#work === work) this.#complete(work);
      });
    });
  }

  /** The job's code leaves nothing behind here: `execute` waits for it. */
  settle(): Promise<void> {
    return new Promise((resolve) => this.#worker.machine.after(1, () => this.#worker.process.receive(resolve)));
  }

  stop(): void {
    const work = this.#work;
    if (work === undefined || this.#scene.slotChance.happens(0.5)) return;
    this.#worker.machine.after(10, async () => {
      // It was in the middle of it: a part of it happens.
      work.isStopped = true;
      if (work.result === undefined && work.fate !== "hangs") await this.#happen(work);
      work.finish(failed(work, { kind: "infrastructure", error: text("it was stopped") }));
    });
  }

  kill(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    const { machine, process } = this.#worker;
    const work = this.#work;
    if (work !== undefined) work.finish(dead(work));
    machine.after(2, () => process.receive(() => this.#end(text("its slot was killed"))));
  }

  page(): PageContent | undefined {
    const work = this.#work;
    if (work === undefined) return this.#lastPage;
    const { epoch, attempt, phase } = work.request.assignment.attempt;
    const share = Math.min((this.#scene.timeline.now - work.startedAt) / work.ms, 1, work.hangsAt);
    return {
      epoch,
      attempt,
      phase: phase === "reduce" ? "reduce" : "map",
      records: Math.floor(share * 1000),
      bytes: Math.floor(share * work.bytes),
      at: undefined,
      beats: Math.floor(share * 100),
    };
  }

  /** The job's code runs, for as long as it really takes. */
  async #happen(work: Work): Promise<void> {
    if (this.#work !== work || !this.isAlive) return;
    const { slotChance: chance } = this.#scene;
    // In the middle of it, or when it has all but ended.
    const signs = chance.happens(0.5) ? 1 + chance.below(signsMax) : Number.POSITIVE_INFINITY;
    const bytes = chance.random() * work.bytes;
    // One that dies may have come to its end before, or to nothing.
    if (work.fate === "dies" && chance.happens(0.5)) return;
    const end: SimEnd = work.isStopped
      ? { kind: "stops", signs }
      : work.fate === "fails"
        ? { kind: "fails", bytes, signs }
        : { kind: "well" };
    assert(this.#job !== undefined, "an attempt runs in a slot that has loaded no job");
    work.result = await execute({
      scene: this.#scene,
      worker: this.#worker,
      job: this.#job,
      request: work.request,
      end,
    });
  }

  #complete(work: Work): void {
    if (work.fate === "dies") {
      this.isAlive = false;
      work.finish(dead(work));
      const { machine, process } = this.#worker;
      machine.after(2, () => process.receive(() => this.#end(text("its slot died"))));
      return;
    }
    const { result } = work;
    if (result === undefined) throw new Error("an attempt happens before it is over");
    work.finish(result.ok ? { ...result, stats: { ...result.stats, wallMs: Math.ceil(work.ms) } } : result);
  }

  #fateOf(attempt: AttemptId): Fate {
    const { slotChance: chance, job, comes } = this.#scene;
    const task = taskName(attempt);
    const happens = (kind: FaultKind, max: number, charged: string = kind) => {
      const key = `${charged} ${task}`;
      const before = this.#hits.get(key) ?? 0;
      if (before >= max || !comes(kind, chance, () => `${task} on ${this.#worker.id}`)) return false;
      this.#hits.set(key, before + 1);
      return true;
    };
    const chargedMax = job.spec.attemptsMax - triesSpared;
    // Deaths and hangs count together.
    if (happens("slot-deaths", chargedMax, "charged")) return "dies";
    if (happens("failing-attempts", failuresPerTaskMax)) return "fails";
    if (happens("hanging-attempts", chargedMax, "charged")) return "hangs";
    if (happens("stragglers", limits.infrastructureFailuresMax)) return "slow";
    return "well";
  }
}

/** What it is going to read, more or less. */
function bytesOf({ assignment: { work }, inputs, remote }: RunAttempt): number {
  switch (work.phase) {
    case "plan":
      return 1;
    case "map":
      return work.split.reduce((sum, { start, end }) => sum + end - start, 0);
    case "reduce": {
      const runs = [...inputs, ...remote.flatMap((holders) => holders.runs)];
      return runs.reduce((sum, { bytes }) => sum + bytes, 0) / Math.max(1, work.partitions);
    }
  }
}

/** SIGKILL: it cleans nothing up, and its page names no record. */
function dead(work: Work): AttemptResult {
  const { careful } = work.request.assignment;
  return failed(work, { kind: "slot-died", error: text("its slot was killed"), at: undefined, careful });
}

function failed({ request }: Work, reason: Failure): AttemptResult {
  return { attempt: request.assignment.attempt, ok: false, reason };
}

function text(message: string): FailureText {
  return {
    code: "slot-died",
    message: `simulated: ${message}`,
    stack: undefined,
    where: undefined,
    excerpt: undefined,
  };
}
