// The page `/metrics` of a worker, in Prometheus' text form. The names are documented (docs/operations.md) and don't
// change.
import { Counter, Gauge, Registry } from "prom-client";
import type { AttemptResult } from "../../protocol/messages.ts";
import type { AgentStatus } from "../agent/agent.ts";

/** Called when the page is asked for, so that nothing has to be kept up to date in between. */
export interface MetricSources {
  readonly slots: number;
  /** The agent's status; undefined before the agent was started. */
  status(): AgentStatus | undefined;
  runs(): { readonly memory: number; readonly disk: number };
  /** Free bytes on the disk of the work directory. */
  freeBytes(): Promise<number>;
}

export interface WorkerMetrics {
  attempt(result: AttemptResult | undefined): void;
  /** Counts bytes of runs that were sent to other workers. */
  served(bytes: number): void;
  /** Renders the page. May be called at any time. */
  page(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const failures = ["user-error", "bad-input", "fatal", "segment-lost", "slot-died", "infrastructure"] as const;

export function createMetrics(sources: MetricSources): WorkerMetrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name: `millrace_worker_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name: `millrace_worker_${name}`, help, labelNames, registers });

  const attempts = counter("attempts_total", "Attempts that have ended here, by outcome.", ["outcome"]);
  const served = counter("served_bytes_total", "Bytes of runs sent to other workers.");
  const slots = gauge("slots", "Attempts that may run at once.");
  const running = gauge("running_attempts", "Attempts that run.");
  const runs = gauge("run_bytes", "Bytes of runs kept for jobs that are not over, by where they lie.", ["tier"]);
  const heartbeat = gauge("heartbeat_age_seconds", "Since the newest report that the master has answered was sent.");
  const draining = gauge("draining", "1: the worker takes nothing new.");
  const free = gauge("free_bytes", "Free on the disk of the work directory.");
  const memory = gauge("resident_bytes", "Memory of the worker's own process, without its slots.");

  for (const outcome of ["done", "revoked", ...failures]) attempts.inc({ outcome }, 0);
  served.inc(0);

  async function look(): Promise<void> {
    const status = sources.status();
    slots.set(sources.slots);
    running.set(status?.running ?? 0);
    draining.set(status?.isDraining === true ? 1 : 0);
    if (status !== undefined) heartbeat.set(status.unheardMs / 1000);
    const held = sources.runs();
    runs.set({ tier: "memory" }, held.memory);
    runs.set({ tier: "disk" }, held.disk);
    free.set(await sources.freeBytes());
    memory.set(process.memoryUsage.rss());
  }

  return {
    attempt(result) {
      attempts.inc({ outcome: result === undefined ? "revoked" : result.ok ? "done" : result.reason.kind });
    },
    served(bytes) {
      served.inc(bytes);
    },
    async page() {
      await look();
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}
