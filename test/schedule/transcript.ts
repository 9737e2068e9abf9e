// Runs a scenario and writes down what happens: each event with the changes and commands that it led to. The language
// is what the files in test/scenarios show; `run` returns the same file with its outputs made again.
import { assert, unreachable } from "../../src/base/assert.ts";
import { type AttemptId, type Position, taskName } from "../../src/base/ids.ts";
import { factText } from "../../src/master/fact-text.ts";
import type { Assignment, Failure, WorkerOrders, WorkerReport } from "../../src/protocol/messages.ts";
import { parseKey, type TaskRecord } from "../../src/protocol/records.ts";
import { createScheduler, recoverScheduler } from "../../src/schedule/scheduler.ts";
import { attemptKey } from "../../src/schedule/state/task.ts";
import type {
  Scheduler,
  SchedulerCommand,
  SchedulerEvent,
  SchedulerOptions,
  WithdrawnDecision,
} from "../../src/schedule/step.ts";
import type { Change } from "../../src/state/store.ts";
import type { StagedFile } from "../../src/storage/storage.ts";
import { decodeDecision } from "../../src/wire/stored/commit.ts";
import { endedRecord, planRecord, taskRecord } from "../../src/wire/stored/records.ts";
import { done, failed, options, plan, spec, text } from "./build.ts";
import { FakeWorker } from "./fake-worker.ts";

/** Lines that begin with ">" are events, "#" and blank lines stay, all others are outputs of the event above. */
export function runScenario(file: string): string {
  const scenario = new Scenario();
  const out: string[] = [];
  for (const line of file.trimEnd().split("\n")) {
    if (line.startsWith(">")) out.push(line, ...scenario.run(line.slice(1).trim()).map((output) => `  ${output}`));
    else if (line === "" || line.startsWith("#")) out.push(line);
  }
  return `${out.join("\n")}\n`;
}

class Scenario {
  readonly #workers = new Map<string, FakeWorker>();
  readonly #store = new Map<string, Uint8Array>();
  /** Names of staged files that the next look does not find. */
  readonly #gone = new Set<string>();
  /** Their last report is not answered. */
  readonly #deaf = new Set<string>();
  /** They have started something, or have an answer. */
  readonly #eager = new Set<FakeWorker>();
  #options: SchedulerOptions = options;
  #scheduler: Scheduler = createScheduler(1, options, 0);
  #epoch = 1;
  #now = 0;
  #out: string[] = [];

  run(line: string): string[] {
    this.#out = [];
    const words = (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ""));
    const flags = new Map(
      words.filter((word) => word.includes("=")).map((word) => word.split("=", 2) as [string, string]),
    );
    const [verb, subject = "", ...rest] = words.filter((word) => !word.includes("="));
    this.#perform(verb ?? "", subject, rest, flags);
    return this.#out;
  }

  #perform(verb: string, subject: string, rest: readonly string[], flags: ReadonlyMap<string, string>): void {
    const number = (name: string, otherwise: number) => Number(flags.get(name) ?? otherwise);
    switch (verb) {
      case "options":
        this.#options = {
          ...options,
          keepFailed: subject === "keep-failed",
          ...(flags.has("for") && { keepFailedMs: duration(flags.get("for")!) }),
          ...(flags.has("ended") && { endedJobsKept: number("ended", 0) }),
        };
        this.#scheduler = createScheduler(1, this.#options, 0);
        return;
      case "submit":
        this.#step({
          kind: "job-submitted",
          job: subject,
          idempotencyKey: subject,
          spec: spec({
            attemptsMax: number("attempts", 4),
            maxSlots: flags.has("slots") ? number("slots", 0) : undefined,
            skipBad: number("dead-letters", 0),
            taskLimitMs: flags.has("limit") ? duration(flags.get("limit")!) : undefined,
            nondeterministic: flags.get("nondeterministic") === "fail" ? "fail" : "rerun",
          }),
        });
        return;
      case "worker":
        this.#workers.set(subject, new FakeWorker(subject, number("slots", 1), flags.get("host")));
        this.#worker(subject).copy = ({ run, from }) =>
          this.#worker(from).runs.get(attemptKey(run.writtenBy)) ?? "it is not there";
        this.#report(this.#worker(subject));
        return;
      case "report":
        this.#report(this.#worker(subject), flags.get("answer") !== "lost");
        return;
      case "wish-drain":
        this.#step({ kind: "worker-drained", worker: subject });
        return;
      case "drain":
        this.#worker(subject).isDraining = true;
        this.#report(this.#worker(subject));
        return;
      case "done":
      case "done-unsent": {
        const [worker, key, assignment] = this.#find(subject);
        const result = done(assignment, {
          plan: plan(number("maps", 2), number("partitions", 1), flags.get("hosts")?.split(",")),
          ...(flags.has("file") && { file: true }),
          ...(flags.has("digest") && { digest: BigInt(flags.get("digest")!) }),
          ...(flags.has("dead-letter") && { deadLetters: [position(flags.get("dead-letter")!)] }),
        });
        worker.finish(key, result);
        if (verb === "done") this.#report(worker);
        return;
      }
      case "fail": {
        const [worker, key, assignment] = this.#find(subject);
        worker.finish(key, failed(assignment.attempt, this.#failure(rest, flags, assignment)));
        this.#report(worker);
        return;
      }
      case "slow": {
        const [worker, key] = this.#find(subject);
        const attempt = worker.running.get(key)!;
        attempt.idleMs = duration(flags.get("idle") ?? "0s");
        attempt.runningMs = duration(flags.get("running") ?? flags.get("idle") ?? "0s");
        if (flags.has("at")) attempt.at = position(flags.get("at")!);
        if (flags.has("checkpoint")) attempt.hasCheckpoint = true;
        this.#report(worker);
        return;
      }
      case "restart": {
        const lost = rest.map((name) => name);
        this.#worker(subject).restart(
          (key) => !lost.includes(this.#runName(subject, key)) && flags.get("disk") !== "lost",
        );
        this.#report(this.#worker(subject));
        return;
      }
      case "late": {
        const [worker, key, attempt] = this.#finished(subject);
        worker.late.set(key, { attempt, error: text(rest[0] ?? "emit was called late", "late-call") });
        if (flags.get("sent") !== "no") this.#report(worker);
        return;
      }
      case "silent":
        this.#worker(subject).silent.add(rest[0] ?? "");
        return;
      case "speaks":
        this.#worker(subject).silent.clear();
        this.#report(this.#worker(subject));
        return;
      case "wait":
        this.#now += duration(subject);
        this.#step({ kind: "clock-ticked" });
        return;
      case "master":
        this.#epoch++;
        this.#scheduler = recoverScheduler(
          [...this.#store].map(([key, value]) => ({ key, value })),
          this.#epoch,
          this.#options,
          this.#now,
        );
        this.#step({ kind: "clock-ticked" });
        return;
      case "cancel":
        this.#step({ kind: "job-cancelled", job: subject });
        return;
      case "resume":
        this.#step({ kind: "job-resumed", job: subject, withdrawn: this.#withdrawn(subject, rest) });
        return;
      case "gone":
        for (const name of [subject, ...rest]) this.#gone.add(name);
        return;
      case "published":
        this.#step({ kind: "output-published", job: subject });
        return;
      case "publish-failed":
        this.#step({ kind: "output-failed", job: subject, error: text(rest[0] ?? "", "io-error") });
        return;
      case "view":
        this.#view();
        return;
      default:
        throw new Error(`a scenario says ${JSON.stringify(verb)}, which means nothing`);
    }
  }

  /** The storage finds that these files of what was decided are gone, and has put the others elsewhere. */
  #withdrawn(job: string, gone: readonly string[]): WithdrawnDecision | undefined {
    const decision = this.#scheduler.unpublished(job);
    if (decision === undefined || gone.length === 0) return undefined;
    const now = ({ name, token }: StagedFile) => (gone.includes(name) ? undefined : `again=${token}`);
    return { decision, tokens: new Map(decision.files.map((file) => [file.token, now(file)])) };
  }

  #step(event: SchedulerEvent, answers?: { worker: FakeWorker; report: WorkerReport }): void {
    const { changes, commands, facts } = this.#scheduler.step(event, this.#now);
    // The one fact that nothing else shows.
    for (const fact of facts)
      if (fact.kind === "late-call" && fact.isTooLate) this.#out.push(`history: ${factText(fact)}`);
    for (const change of changes) {
      this.#out.push(shownChange(change));
      if ("put" in change) this.#store.set(change.put.key, change.put.value);
      else this.#store.delete(change.delete);
    }
    for (const command of commands) this.#command(command, answers);
    // A worker with news reports at once; an answer that says nothing is not worth a line.
    for (const worker of [...this.#eager]) {
      this.#eager.delete(worker);
      const from = this.#out.length;
      this.#report(worker);
      this.#out.push(...this.#out.splice(from).filter((line) => line !== `${worker.id} ◄ nothing`));
    }
  }

  #command(command: SchedulerCommand, answers: { worker: FakeWorker; report: WorkerReport } | undefined): void {
    switch (command.kind) {
      case "look-at-files": {
        // Not worth a line where all is there.
        const isGone = ({ name }: { readonly name: string }) => this.#gone.has(name);
        const gone = command.folders.flatMap((folder) => folder.files.filter(isGone));
        const lost = gone.map(({ token }) => ({ token, why: "is missing" }));
        if (lost.length > 0) this.#out.push(`look ${command.job}: gone ${files(gone)}`);
        this.#gone.clear();
        this.#step({ kind: "files-looked-at", job: command.job, look: command.look, lost });
        return;
      }
      case "publish-output":
        this.#out.push(`publish ${command.decision.job}: ${files(command.decision.files)}`);
        return;
      case "discard-job":
        this.#out.push(`discard ${command.job} at ${command.destination}`);
        return;
      case "send-orders": {
        this.#out.push(...shownOrders(command.worker, command.orders));
        // Calls of workers that did not report just now wait, so orders reach them as well.
        const worker = this.#worker(command.worker);
        const report =
          answers?.worker === worker ? answers.report : { ...worker.report(), finished: [], offered: [], late: [] };
        if (this.#deaf.has(worker.id)) return;
        const before = worker.running.size;
        worker.follow(command.orders, report);
        if (worker.running.size > before || worker.hasAnswer) this.#eager.add(worker);
        return;
      }
      default:
        unreachable(command);
    }
  }

  #report(worker: FakeWorker, isAnswered = true): void {
    const report = worker.report();
    if (!isAnswered) this.#deaf.add(worker.id);
    else this.#deaf.delete(worker.id);
    this.#step({ kind: "worker-heard", report }, isAnswered ? { worker, report } : undefined);
  }

  #worker(id: string): FakeWorker {
    const worker = this.#workers.get(id);
    if (worker === undefined) throw new Error(`a scenario names the worker ${id}, which was not introduced`);
    return worker;
  }

  /** "map-0", "map-0@w2": what runs there. */
  #find(subject: string): [FakeWorker, string, Assignment] {
    const [name, at] = subject.split("@");
    for (const worker of this.#workers.values()) {
      if (at !== undefined && worker.id !== at) continue;
      for (const [key, { assignment }] of worker.running) {
        if (shortName(assignment.attempt) === name) return [worker, key, assignment];
      }
    }
    throw new Error(`a scenario says that ${subject} runs, and it does not`);
  }

  /** "map-0", "map-0@w2": the latest that has run or runs there. */
  #finished(subject: string): [FakeWorker, string, AttemptId] {
    const [name, at] = subject.split("@");
    for (const worker of this.#workers.values()) {
      if (at !== undefined && worker.id !== at) continue;
      const ran = [...worker.ran].reverse().find(([, attempt]) => shortName(attempt) === name);
      if (ran !== undefined) return [worker, ...ran];
    }
    throw new Error(`a scenario says that ${subject} has run, and it has not`);
  }

  #runName(worker: string, key: string): string {
    const writtenBy = this.#worker(worker).runs.get(key)?.run.writtenBy;
    return writtenBy === undefined ? "" : shortName(writtenBy);
  }

  #failure(rest: readonly string[], flags: ReadonlyMap<string, string>, assignment: Assignment): Failure {
    const [kind, message = kind ?? ""] = rest;
    const at = flags.has("at") ? position(flags.get("at")!) : undefined;
    switch (kind) {
      case "user-error":
        return { kind, error: text(message), at, final: flags.get("final") === "yes" };
      case "bad-input":
        return { kind, error: text(message, "bad-input"), at };
      case "fatal":
        return { kind, error: text(message, "over-limit") };
      case "slot-died":
        return { kind, error: text(message, "slot-died"), at, careful: assignment.careful };
      case "infrastructure":
        return { kind, error: text(message, "io-error") };
      case "segment-lost": {
        const map = this.#placed(assignment, message);
        const how = flags.get("how") ?? "missing";
        assert(how === "missing" || how === "corrupt" || how === "unreachable", `${how} is no way to lose a segment`);
        const names = flags.get("others")?.split(",") ?? [];
        const others = names.map((name) => this.#placed(assignment, name));
        return {
          kind,
          map,
          how,
          ...(others.length > 0 && { others }),
          error: text(`${message} can't be read: ${how}`, "segment-lost"),
        };
      }
      default:
        throw new Error(`a scenario fails with ${kind}, which is no class of failure`);
    }
  }

  /** The attempt that wrote the run of "map-0", by the holders that the reduce's worker holds. */
  #placed({ attempt }: Assignment, name: string): AttemptId {
    for (const worker of this.#workers.values()) {
      for (const { runs } of worker.running.get(attemptKey(attempt))?.holders?.workers ?? []) {
        for (const { writtenBy } of runs) if (shortName(writtenBy) === name) return writtenBy;
      }
    }
    throw new Error(`no holders name a run of ${name}`);
  }

  #view(): void {
    const { jobs, workers } = this.#scheduler.view();
    for (const job of jobs) {
      const { map, reduce } = job.tasks;
      const counts = `map ${map.done}/${map.total} reduce ${reduce.done}/${reduce.total}`;
      const running = job.running.length > 0 ? `, ${job.running.length} reported running` : "";
      this.#out.push(
        `${job.job} ${job.state}, ${counts}${running}${job.deadLetters > 0 ? `, ${job.deadLetters} dead letters` : ""}`,
      );
      if (job.waiting !== undefined) this.#out.push(`  waits: ${job.waiting}`);
      if (job.reason !== undefined)
        this.#out.push(
          `  because: ${job.reason.message}${job.reason.where === undefined ? "" : ` at ${job.reason.where}`}`,
        );
    }
    for (const worker of workers)
      this.#out.push(
        `${worker.id} ${worker.state}, ${worker.slotsFree} of ${worker.slots} slots free${worker.runs > 0 ? `, ${worker.runs} runs` : ""}`,
      );
  }
}

function shownChange(change: Change): string {
  if ("delete" in change) return `delete ${change.delete}`;
  const { key, value } = change.put;
  const parsed = parseKey(key);
  const name = key.replace(/-0+(\d)/, "-$1");
  switch (parsed?.kind) {
    case "plan-valid":
      return `store ${key}: ${attemptKey(planRecord.decode(value).attempt)}`;
    case "task":
      return `store ${name}:${shownTask(taskRecord.decode(value))}`;
    case "decision":
      return `store ${key}: ${files(decodeDecision(value).files)}`;
    case "ended": {
      const { outcome, reason, kept } = endedRecord.decode(value);
      return `store ${key}: ${outcome}${reason === undefined ? "" : ` (${reason.message})`}${kept ? ", kept" : ""}`;
    }
    default:
      return `store ${key}`;
  }
}

function shownTask(task: TaskRecord): string {
  const { winner } = task;
  const parts: string[] = [];
  if (winner !== undefined) parts.push(`winner ${attemptKey(winner.attempt)} on ${winner.worker}`);
  if (winner?.runLost !== undefined) parts.push(`run lost (${winner.runLost})`);
  if (winner?.mapVersion !== undefined) parts.push(`read version ${winner.mapVersion}`);
  if (task.placements > 1) parts.push(`placed ${task.placements} times`);
  if (task.digestVersion > 0) parts.push(`other digest since version ${task.digestVersion}`);
  if (task.failures > 0) parts.push(`failures ${task.failures}`);
  if (task.infrastructureFailures > 0) parts.push(`infrastructure ${task.infrastructureFailures}`);
  if (task.careful) parts.push("careful");
  if (task.diedAt !== undefined) parts.push(`died at ${shownPosition(task.diedAt)}`);
  if (task.skip.length > 0) parts.push(`skip ${task.skip.map(shownPosition).join(" ")}`);
  return parts.map((part) => ` ${part}`).join(",");
}

function shownOrders(worker: string, orders: WorkerOrders): string[] {
  const lines = [
    ...(orders.drain ? ["drain"] : []),
    ...orders.holders.map(({ job, mapVersion, workers }) => {
      const holders = workers.map(
        ({ worker: at, runs: held }) => `${at}(${held.map(({ writtenBy }) => attemptKey(writtenBy)).join(" ")})`,
      );
      return `holders of ${job}, version ${mapVersion}: ${holders.join(" ")}`;
    }),
    ...orders.start.map(shownStart),
    ...orders.stop.map(({ attempt }) => `stop ${shortName(attempt)} ${attemptKey(attempt)}`),
    ...orders.discard.map((job) => `discard ${job}`),
    ...orders.settle.map((job) => `settle ${job}`),
    ...(orders.copy ?? []).map(({ run, from }) => {
      return `copy ${shortName(run.writtenBy)} ${attemptKey(run.writtenBy)} from ${from}`;
    }),
    ...(orders.mayLeave === true ? ["may leave"] : []),
  ];
  return lines.length === 0 ? [`${worker} ◄ nothing`] : lines.map((line) => `${worker} ◄ ${line}`);
}

function shownStart({ attempt, careful, work }: Assignment): string {
  const parts = [`start ${shortName(attempt)} ${attemptKey(attempt)}`];
  if (careful) parts.push("careful");
  if (work.phase === "map" && work.skip.length > 0) parts.push(`skip ${work.skip.map(shownPosition).join(" ")}`);
  if (work.phase === "reduce") parts.push(`version ${work.mapVersion}`);
  return parts.join(", ");
}

function shortName(attempt: AttemptId): string {
  return taskName(attempt)
    .replace(/-0+(\d)/, "-$1")
    .replace(/^plan-0$/, "plan");
}

function files(staged: readonly { readonly name: string; readonly token: string }[]): string {
  return staged.length === 0
    ? "no files"
    : staged.map(({ name, token }) => `${name} of ${token.slice("/stage/".length)}`).join(", ");
}

function shownPosition({ file, offset }: Position): string {
  return `${file}:${offset}`;
}

function position(shown: string): Position {
  const [file, offset] = shown.split(":").map(Number);
  return { file: file!, offset: offset! };
}

/** "11s", "10m", "500ms" in milliseconds. */
function duration(shown: string): number {
  const match = /^(\d+)(ms|s|m)$/.exec(shown);
  if (match === null) throw new Error(`${shown} is no duration`);
  return Number(match[1]) * { ms: 1, s: 1000, m: 60_000 }[match[2] as "ms" | "s" | "m"];
}
