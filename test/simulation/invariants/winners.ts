// I5 one winner: of a task that no one has won to one attempt, and from there to another only where the first one's
// output is lost or, of a reduce, rolled back; an output counts as lost only for a reason that happened. I10 failure
// accounting: no task has failed oftener than it may. Watched where it counts, in what is durable.
import { type AttemptId, type JobId, sameAttempt } from "../../../src/base/ids.ts";
import { parseKey, type TaskRecord, type Winner } from "../../../src/protocol/records.ts";
import type { Cluster } from "../../../src/schedule/state/state.ts";
import type { SchedulerEvent, Step } from "../../../src/schedule/step.ts";
import { whyLost } from "../../../src/schedule/why-lost.ts";
import type { MasterLife, WorkerLife } from "../../../src/sim/scene.ts";
import type { RunAttempt } from "../../../src/slot/messages.ts";
import type { Change } from "../../../src/state/store.ts";
import { taskRecord } from "../../../src/wire/stored/records.ts";
import type { Invariant } from "../checks.ts";
import { fullName } from "../workload.ts";
import type { OracleWorld } from "../world.ts";

export class Winners implements Invariant {
  /** Tasks of jobs that are not over, as stored: by job, then by "map-0000001". */
  readonly tasks = new Map<JobId, Map<string, TaskRecord>>();
  readonly #world: OracleWorld;
  /** "… on w1": map attempts whose output a reduce could not read there. */
  readonly #missed = new Set<string>();
  /** When a master last took a report of a worker that was newer than those before. */
  readonly #heard = new Map<MasterLife, Map<string, { at: number; incarnation: number; sequence: number }>>();
  /** "… on w1": no one answered for it there. */
  readonly #unreachable = new Set<string>();
  readonly #starts = new Map<string, number>();
  /** Attempts whose code called late, and their jobs. */
  readonly #called = new Set<string>();

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  stepped(master: MasterLife, cluster: Cluster, event: SchedulerEvent, { facts }: Step): void {
    const { now, options } = this.#world;
    let heard = this.#heard.get(master);
    if (heard === undefined) this.#heard.set(master, (heard = new Map()));
    for (const fact of facts) {
      if (fact.kind !== "worker-silent") continue;
      const at = heard.get(fact.worker)?.at ?? Number.NEGATIVE_INFINITY;
      // Clocks differ by a hundredth.
      if (now - at < options.leaseMs * 0.95)
        this.#world.violate("I5", `${fact.worker} counts as silent, ${Math.round(now - at)} ms after its report`);
    }
    if (event.kind !== "worker-heard") return;
    const { worker, incarnation, sequence } = event.report;
    // Of a life that is over by what the winners' records name: no one was heard.
    if ((cluster.workers.get(worker)?.incarnation ?? 0) > incarnation) return;
    const before = heard.get(worker);
    const isNewer =
      before === undefined ||
      incarnation > before.incarnation ||
      (incarnation === before.incarnation && sequence > before.sequence);
    if (isNewer) heard.set(worker, { at: now, incarnation, sequence });
  }

  missed(map: AttemptId, how: "missing" | "corrupt" | "unreachable", holder: string): void {
    this.#missed.add(`${fullName(map)} on ${holder}`);
    if (how === "unreachable") this.#unreachable.add(`${fullName(map)} on ${holder}`);
  }

  called(_worker: WorkerLife, attempt: AttemptId): void {
    this.#called.add(fullName(attempt)).add(attempt.job);
  }

  started(_worker: WorkerLife, { assignment }: RunAttempt): void {
    const { job, phase, index } = assignment.attempt;
    const key = `${job}/${phase}-${index}`;
    const starts = (this.#starts.get(key) ?? 0) + 1;
    this.#starts.set(key, starts);
    // Generous: what a world's faults can cost. A task that is tried without end goes past it all the same.
    if (starts > 120) this.#world.violate("I10", `${phase} ${index} was started ${starts} times`);
  }

  stored(change: Change, before: Uint8Array | undefined): void {
    const parsed = parseKey("put" in change ? change.put.key : change.delete);
    if (parsed?.kind !== "task") return;
    const { job } = parsed;
    const name = `${parsed.phase}-${parsed.index}`;
    let tasks = this.tasks.get(job);
    if (tasks === undefined) this.tasks.set(job, (tasks = new Map()));
    if (!("put" in change)) {
      if (!this.#world.checks.ends.outcomes.has(job))
        this.#world.violate("I5", `${name} of ${job} is forgotten while its job is not over`);
      tasks.delete(name);
      return;
    }
    const after = taskRecord.decode(change.put.value);
    const was = before === undefined ? undefined : taskRecord.decode(before);
    this.#compare(job, name, was, after);
    tasks.set(name, after);
  }

  #compare(job: JobId, name: string, was: TaskRecord | undefined, is: TaskRecord): void {
    const { attemptsMax } = this.#world.jobOf(job).spec;
    if (is.failures >= attemptsMax) this.#world.violate("I10", `${name} failed ${is.failures} times`);
    if (is.infrastructureFailures >= 16)
      this.#world.violate("I10", `${name} failed ${is.infrastructureFailures} times elsewhere`);
    if (is.digestRollbacks > 3) this.#world.violate("I10", `${name} was rolled back ${is.digestRollbacks} times`);
    const [old, now] = [was?.winner, is.winner];
    if (old === undefined) return;
    const isGone = old.staged.some(({ token }) => !this.#world.files.has(token));
    if (now === undefined) {
      // A late call takes the winner back, and of a map's all reduces that may have read it.
      const isTakenBack =
        this.#called.has(fullName(old.attempt)) || (name.startsWith("reduce") && this.#called.has(job));
      if (isTakenBack || isGone) return;
      if (name.startsWith("map") || !this.#isRolledBack(job, old))
        this.#world.violate("I5", `${name} lost its winner ${fullName(old.attempt)}`);
      return;
    }
    if (sameAttempt(old.attempt, now.attempt)) {
      this.#sameWinner(name, old, now);
      return;
    }
    if (name.startsWith("reduce") ? !this.#isRolledBack(job, old) : old.runLost === undefined)
      this.#world.violate(
        "I5",
        `${name} was won by ${fullName(old.attempt)} and now by ${fullName(now.attempt)} for no reason`,
      );
  }

  #sameWinner(name: string, old: Winner, now: Winner): void {
    if (old.emissionDigest !== now.emissionDigest) this.#world.violate("I5", `${name}'s winner changed its digest`);
    if (old.runLost !== undefined || now.runLost === undefined) return;
    const { runLost, attempt, worker } = now;
    if (runLost === whyLost.unheard) return;
    if (runLost === whyLost.startedAgain) {
      const host = this.#world.workers.find(({ id }) => id === worker);
      if ((host?.incarnation ?? 0) <= old.incarnation)
        this.#world.violate("I5", `${name}: ${worker} was not started again since its life ${old.incarnation}`);
    } else if (runLost === whyLost.drained) {
      if (!this.#world.workers.some(({ id, hasDrained }) => id === worker && hasDrained))
        this.#world.violate("I5", `${name}: ${worker} was never drained`);
    } else if (runLost === whyLost.wentOn) {
      if (!this.#called.has(fullName(attempt)))
        this.#world.violate("I5", `${name}: ${fullName(attempt)} is taken back, and it never called late`);
    } else if (!this.#isMissed(runLost, attempt, worker)) {
      this.#world.violate(
        "I5",
        `${name}: the output of ${fullName(attempt)} is lost (${runLost}), and no one missed it`,
      );
    }
  }

  /** Where one output of a worker can't be reached, none there can. */
  #isMissed(runLost: string, attempt: AttemptId, worker: string): boolean {
    const named = /the output of (\S+) is unreachable/.exec(runLost)?.[1];
    return this.#missed.has(`${fullName(attempt)} on ${worker}`) || this.#unreachable.has(`${named} on ${worker}`);
  }

  /** A map has another digest since the version that it read. */
  #isRolledBack(job: JobId, { mapVersion }: Winner): boolean {
    let least = 1;
    for (const record of this.tasks.get(job)?.values() ?? []) least = Math.max(least, record.digestVersion);
    return mapVersion !== undefined && mapVersion < least;
  }
}
