// Where a world tells what happens in it, and who is told: the invariants (invariants/), each in a file with its neighbours.
import type { AttemptId, JobId } from "../../src/base/ids.ts";
import type { Assignment, WorkerOrders, WorkerReport } from "../../src/protocol/messages.ts";
import type { ClusterView } from "../../src/protocol/view.ts";
import type { Cluster } from "../../src/schedule/state/state.ts";
import type { SchedulerEvent, Step } from "../../src/schedule/step.ts";
import type { RunAttempt } from "../../src/slot/messages.ts";
import type { Change } from "../../src/state/store.ts";
import { Acknowledged } from "./invariants/acknowledged.ts";
import { Attempts } from "./invariants/attempts.ts";
import { Bounds } from "./invariants/bounds.ts";
import { Ends } from "./invariants/ends.ts";
import { Epochs } from "./invariants/epochs.ts";
import { History } from "./invariants/history.ts";
import { Late } from "./invariants/late.ts";
import { Leaks } from "./invariants/leaks.ts";
import { Output } from "./invariants/output.ts";
import { Seen } from "./invariants/seen.ts";
import { Winners } from "./invariants/winners.ts";
import type { MasterLife } from "./master.ts";
import type { SimWorker } from "./worker.ts";
import type { SimJob } from "./workload.ts";
import type { World } from "./world.ts";

/** What can be watched. Each is called at the moment it happens. */
export interface Invariant {
  /** A worker takes an attempt that it was ordered to run: at once, or when it has a slot. */
  taken?(worker: SimWorker, assignment: Assignment): void;
  /** An attempt begins to run in a slot; it is over there. */
  started?(worker: SimWorker, request: RunAttempt): void;
  ended?(worker: SimWorker, attempt: AttemptId): void;
  /** A reduce could not read the output of this map attempt, which was said to lie on that worker. */
  missed?(map: AttemptId, how: "missing" | "corrupt" | "unreachable", holder: string): void;
  /** An agent is told that a call of that attempt did something after it had returned. */
  called?(worker: SimWorker, attempt: AttemptId): void;
  /** A worker that was told to leave has handed over what it had. */
  left?(worker: SimWorker): void;
  /** A worker's process is gone. */
  died?(worker: SimWorker): void;
  reported?(worker: SimWorker, report: WorkerReport): void;
  /** Orders arrive; they are not followed yet. */
  heardOrders?(worker: SimWorker, orders: WorkerOrders): void;
  led?(epoch: number, host: string): void;
  /** A change is durable. */
  stored?(change: Change, before: Uint8Array | undefined, epoch: number): void;
  visible?(destination: string, job: JobId, name: string): void;
  recovered?(master: MasterLife, cluster: Cluster): void;
  stepped?(master: MasterLife, cluster: Cluster, event: SchedulerEvent, step: Step): void;
  /** What the scheduler has stepped to is durable, all of it. */
  committed?(master: MasterLife): void;
  /** A heartbeat reaches a master that leads, or thinks so. */
  served?(master: MasterLife, report: WorkerReport): void;
  /** A heartbeat's answer leaves. */
  answered?(master: MasterLife, report: WorkerReport, orders: WorkerOrders): void;
  /** A client is told that its job is there; how its cancellation went; how things are. */
  submitted?(job: SimJob, id: JobId): void;
  cancelAnswered?(job: SimJob, answer: "cancelled" | "too-late"): void;
  viewed?(job: SimJob, view: ClusterView): void;
  resuming?(job: SimJob): void;
  /** After every event. */
  happened?(): void;
  /** All jobs are over, and all is quiet. */
  atEnd?(): void;
}

/** All of them at once, and what a world asks them. */
export interface Checks extends Required<Invariant> {
  readonly ends: Ends;
  readonly winners: Winners;
}

export function createChecks(world: World): Checks {
  const ends = new Ends(world);
  const winners = new Winners(world);
  const all: readonly Invariant[] = [
    ends,
    new Epochs(world),
    winners,
    new Output(world),
    new Attempts(world),
    new Bounds(world),
    new Acknowledged(world),
    new History(world),
    new Late(world),
    new Leaks(world),
    new Seen(world),
  ];
  // Only those that watch a thing are told of it.
  const told = hooks.map((name) => {
    const watching = all.filter((invariant) => invariant[name] !== undefined);
    const tell = (...what: never[]) => {
      for (const invariant of watching) (invariant[name] as (...what: never[]) => void)(...what);
    };
    return [name, tell] as const;
  });
  return { ends, winners, ...(Object.fromEntries(told) as unknown as Required<Invariant>) };
}

const hooks = [
  "taken",
  "started",
  "ended",
  "missed",
  "called",
  "left",
  "died",
  "reported",
  "heardOrders",
  "led",
  "stored",
  "visible",
  "recovered",
  "stepped",
  "committed",
  "served",
  "answered",
  "submitted",
  "cancelAnswered",
  "viewed",
  "resuming",
  "happened",
  "atEnd",
] as const satisfies readonly (keyof Invariant)[];
