// The page `/metrics` of a master, in Prometheus' text form. The names are documented (docs/operations.md) and don't
// change.
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { phases } from "../base/ids.ts";
import { type ClusterView, hasEnded, jobStates, workerStates } from "../protocol/view.ts";
import type { Fact } from "../schedule/facts.ts";

/** Called when the page is asked for, so that nothing has to be kept up to date in between. */
export interface MetricSources {
  /** The cluster's view; undefined when the master has stepped down. */
  view(): ClusterView | undefined;
  /** Undefined: the store is not on a disk of this machine. */
  readonly storeBytes: (() => Promise<number>) | undefined;
  freeBytes(): Promise<number>;
  /** The longest lag since the last call, in ms. */
  lagMs(): number;
}

export interface MasterMetrics {
  fact(fact: Fact): void;
  heartbeat(ms: number): void;
  committed(commit: { readonly changes: number; readonly bytes: number; readonly ms: number }): void;
  submitted(outcome: "taken" | "refused"): void;
  /** Renders the page. May be called at any time. */
  page(): Promise<{ readonly contentType: string; readonly text: string }>;
}

type Meters = ReturnType<typeof metersIn>;

/** All that is counted and measured, on one page. */
function metersIn(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name: `millrace_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name: `millrace_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `millrace_${name}`, help, buckets, registers });

  const attempts = counter("attempts_total", "Attempts that have ended, by outcome.", ["outcome"]);
  const failures = counter("attempt_failures_total", "Attempts that failed, by the kind of failure.", ["kind"]);
  const backups = counter("backup_attempts_total", "Attempts started beside a slow one.");
  const outputsLost = counter("map_outputs_lost_total", "Map outputs that were lost and have to be made again.");
  const rolledBack = counter("reduces_rolled_back_total", "Reduces done again because a map emitted something else.");
  const submissions = counter("submissions_total", "Jobs that were submitted.", ["outcome"]);
  const heartbeats = counter("heartbeats_total", "Reports of workers.");
  const latency = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
  const heartbeatSeconds = histogram(
    "heartbeat_seconds",
    "From a report until it was answered; most of it is waiting for news.",
    latency,
  );
  const commitSeconds = histogram("commit_seconds", "Until a commit was durable.", latency);
  const sizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
  const commitChanges = histogram("commit_changes", "Records written or deleted by a commit.", sizes);
  const commitBytes = counter("commit_bytes_total", "Bytes written by commits.");
  const jobs = gauge("jobs", "Jobs that are known, by state.", ["state"]);
  const tasks = gauge("tasks", "Tasks of jobs that are not over, by phase and state.", ["phase", "state"]);
  const workers = gauge("workers", "Workers, by state.", ["state"]);
  const slots = gauge("slots", "Slots of workers that are heard of, by state.", ["state"]);
  const epoch = gauge("epoch", "Number of this leadership.");
  const lag = gauge("event_loop_lag_seconds", "The longest that the master did nothing else, since the last look.");
  const storeBytes = gauge("store_bytes", "Bytes of the state store on disk.");
  const freeBytes = gauge("state_free_bytes", "Free on the disk of the state directory.");
  const memory = gauge("resident_bytes", "Memory of the master's process.");

  for (const outcome of ["won", "failed", "revoked", "lost"]) attempts.inc({ outcome }, 0);
  return {
    attempts,
    failures,
    backups,
    outputsLost,
    rolledBack,
    submissions,
    heartbeats,
    heartbeatSeconds,
    commitSeconds,
    commitChanges,
    commitBytes,
    jobs,
    tasks,
    workers,
    slots,
    epoch,
    lag,
    storeBytes,
    freeBytes,
    memory,
  };
}

/** What the cluster's view says. */
function show({ jobs, tasks, workers, slots, epoch }: Meters, view: ClusterView): void {
  epoch.set(view.epoch);
  for (const state of jobStates) jobs.set({ state }, view.jobs.filter((job) => job.state === state).length);
  for (const state of workerStates) {
    workers.set({ state }, view.workers.filter((worker) => worker.state === state).length);
  }
  const heard = view.workers.filter((worker) => worker.state !== "silent");
  const free = heard.reduce((sum, worker) => sum + worker.slotsFree, 0);
  slots.set({ state: "free" }, free);
  slots.set({ state: "busy" }, heard.reduce((sum, worker) => sum + worker.slots, 0) - free);
  const live = view.jobs.filter(({ state }) => !hasEnded(state));
  for (const phase of phases) {
    let [done, running, total] = [0, 0, 0];
    for (const { tasks: counts } of live) {
      done += counts[phase].done;
      running += counts[phase].running;
      total += counts[phase].total;
    }
    tasks.set({ phase, state: "done" }, done);
    tasks.set({ phase, state: "running" }, running);
    tasks.set({ phase, state: "waiting" }, Math.max(0, total - done - running));
  }
}

function count({ attempts, failures, backups, outputsLost, rolledBack }: Meters, fact: Fact): void {
  switch (fact.kind) {
    case "attempt-won":
    case "attempt-revoked":
    case "attempt-lost":
      attempts.inc({ outcome: fact.kind.slice("attempt-".length) });
      return;
    case "attempt-failed":
      attempts.inc({ outcome: "failed" });
      failures.inc({ kind: fact.failure });
      return;
    case "attempt-started":
      if (fact.isBackup) backups.inc();
      return;
    case "map-output-lost":
      outputsLost.inc();
      return;
    case "reduces-rolled-back":
      rolledBack.inc(fact.reduces);
      return;
    default:
  }
}

export function createMetrics(sources: MetricSources): MasterMetrics {
  const registry = new Registry();
  const meters = metersIn(registry);
  return {
    fact: (fact) => count(meters, fact),
    heartbeat(ms) {
      meters.heartbeats.inc();
      meters.heartbeatSeconds.observe(ms / 1000);
    },
    committed({ changes, bytes, ms }) {
      meters.commitSeconds.observe(ms / 1000);
      meters.commitChanges.observe(changes);
      meters.commitBytes.inc(bytes);
    },
    submitted(outcome) {
      meters.submissions.inc({ outcome });
    },
    async page() {
      meters.memory.set(process.memoryUsage.rss());
      meters.lag.set(sources.lagMs() / 1000);
      if (sources.storeBytes !== undefined) meters.storeBytes.set(await sources.storeBytes());
      meters.freeBytes.set(await sources.freeBytes());
      const view = sources.view();
      if (view !== undefined) show(meters, view);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}
