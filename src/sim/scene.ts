// What a simulated cluster consists of, as its parts see each other, and the seams at which two worlds differ: what
// slots run and where outputs lie, and who watches. The parts are the product's own master loop, scheduler and worker
// agent (master.ts, worker.ts); `millrace sim` puts a user's job into them (job/), test/simulation an oracle and its
// invariants.
import type { AttemptId } from "../base/ids.ts";
import type { Assignment, CopyOrder, Offer, WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import type { Fact } from "../schedule/facts.ts";
import type { Cluster } from "../schedule/state/state.ts";
import type { SchedulerEvent, SchedulerOptions, Step } from "../schedule/step.ts";
import type { RunAttempt } from "../slot/messages.ts";
import type { Change } from "../state/store.ts";
import type { Storage } from "../storage/storage.ts";
import type { OnLate } from "../worker/agent/options.ts";
import type { Bundle, TaskSlot } from "../worker/slots/task-slot.ts";
import type { Chance } from "./chance.ts";
import type { Disk } from "./disk.ts";
import type { FaultKind } from "./faults.ts";
import type { Network, Request } from "./network.ts";
import type { Process } from "./process.ts";
import type { StateServer } from "./state-server.ts";
import type { Timeline } from "./timeline.ts";

/** How it is tuned. A seed decides it before anything happens; each kind of world throws its own. */
export interface ClusterOptions {
  readonly seed: number;
  readonly masters: number;
  readonly workers: number;
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  /** Timers of workers are no finer than this. */
  readonly timerMs: number;
  /** Until a call that is not answered is given up. */
  readonly callMs: number;
  /** Faults happen until then; afterwards it is healed. */
  readonly chaosMs: number;
  /** Mean time between two faults of machines. */
  readonly faultEveryMs: number;
  readonly faults: ReadonlySet<FaultKind>;
  /** How much more often a fault comes that makes attempts run again than one that only delays them. */
  readonly attemptFaultsWeight: number;
  /** Probabilities, per message and per attempt. */
  readonly messageRate: number;
  readonly attemptRate: number;
  /** Mean duration of an attempt, in leases. */
  readonly attemptLeases: number;
  /** Attempts that a worker takes beyond its slots. */
  readonly slotsAhead: number;
  readonly backupSlowdown: number;
  readonly failuresPerWorkerMax: number;
  /** A new master waits that long for the workers of its predecessor. */
  readonly adoptMs: number;
  readonly keepFailed: boolean;
  /** Leaders give up by their own clock when the store does not answer, before another one can lead. */
  readonly stepsDownByClock: boolean;
  /** A restarted worker listens where it did before. */
  readonly samePorts: boolean;
  /** Changes per transaction of the store. */
  readonly transactionMax: number;
  /** In the end everything works again; or a core does, and each of the others stays bad in its way for ever. */
  readonly healed: "all" | "core";
}

export interface Scene {
  readonly options: ClusterOptions;
  readonly timeline: Timeline;
  /** For all that has no dice of its own. */
  readonly chance: Chance;
  readonly slotChance: Chance;
  readonly network: Network;
  readonly server: StateServer;
  readonly masters: readonly MasterHost[];
  readonly workers: readonly WorkerHost[];
  readonly clients: readonly Client[];
  /** All that messages go to and come from. */
  readonly hosts: readonly string[];
  readonly slots: Slots;
  readonly outputs: Outputs;
  readonly observer: Observer;
  /** Faults happen. */
  readonly isFaulty: boolean;
  /** Workers and masters that are well for good, once it is healed. */
  readonly core: Set<string>;
  /** A line of the trace. */
  note(what: string): void;
  /** Counts a fault that has come, and notes it. */
  fired(kind: FaultKind, where: string): void;
  /**
   * Whether a fault of a kind that comes with messages or attempts comes now: never where the world does not know it
   * or is healed. Counted when it does. `share`: of the kind's probability.
   */
  comes(kind: FaultKind, chance: Chance, where: () => string, share?: number): boolean;
}

/** A machine that can run a master. */
export interface MasterHost {
  readonly host: string;
  readonly life: MasterLife | undefined;
  start(): void;
  crash(): void;
}

/** One process of a master. */
export interface MasterLife {
  readonly host: string;
  readonly process: Process;
  /** The scheduler's state, once it leads. */
  readonly cluster: Cluster | undefined;
}

/** A worker's machine. */
export interface WorkerHost {
  readonly id: string;
  readonly slots: number;
  /** Lost with `crash(true)`: another one is there then. */
  readonly disk: Disk;
  readonly life: WorkerLife | undefined;
  /** Everything that runs here fails. */
  isBad: boolean;
  /** Some life of it was told to leave. */
  readonly hasDrained: boolean;
  start(): void;
  crash(losesDisk: boolean): void;
}

/** One process of a worker: the product's agent, and its slots. */
export interface WorkerLife {
  readonly host: WorkerHost;
  readonly id: string;
  readonly incarnation: number;
  readonly address: string;
  readonly disk: Disk;
  /** The agent's. */
  readonly process: Process;
  /** The slots': it goes on when only the agent is stopped. */
  readonly machine: Process;
  /** The highest epoch that it was told. */
  readonly epochSeen: number;
  readonly isDraining: boolean;
  /** From a slot to its agent. */
  agentHears(what: () => void): void;
  /** The agent alone (SIGSTOP), or the whole machine. */
  stop(isWholeMachine: boolean): void;
  goOn(): void;
  /** SIGTERM. Ends when it has handed over all it had. */
  drain(): Promise<void>;
}

/** Whoever has submitted a job. */
export interface Client {
  /** Its job's. */
  readonly name: string;
  cancel(): Promise<void>;
  resume(): Promise<void>;
}

/** A seam: the slots of all workers. They answer from an oracle, or run a user's code. */
export interface Slots {
  /** What every job's bundle is. */
  readonly bundle: Bundle;
  open(worker: WorkerLife, onLate: OnLate): TaskSlot;
  /** Copies a run of a worker that leaves. Left out: no runs are copied in such a world. */
  copy?(worker: WorkerLife, order: CopyOrder, signal: AbortSignal): Promise<Offer>;
  /** What slots of other machines ask of this one. */
  serve(worker: WorkerLife, request: Request): Promise<unknown>;
}

/** A seam that goes with the slots: where their part files lie, as masters reach them. */
export interface Outputs {
  /** Calls fail, or take long, until then. */
  failsUntil: number;
  slowUntil: number;
  readonly manifest: SchedulerOptions["manifest"];
  clientOf(process: Process): Storage;
  /** A file that is staged and not published, any, and how somebody removes it. */
  staged(chance: Chance): { readonly token: string; remove(): void } | undefined;
}

/** A seam: what watches. Each is called at the moment it happens. */
export interface Observer {
  /** A worker takes an attempt that it was ordered to run: at once, or when it has a slot. */
  taken?(worker: WorkerLife, assignment: Assignment): void;
  /** An attempt begins to run in a slot; it is over there. */
  started?(worker: WorkerLife, request: RunAttempt): void;
  ended?(worker: WorkerLife, attempt: AttemptId): void;
  /** An agent is told that a call of that attempt did something after it had returned. */
  called?(worker: WorkerLife, attempt: AttemptId): void;
  /** A worker starts, with runs of its life before that it offers. */
  offered?(worker: WorkerLife, runs: number): void;
  /** A worker that was told to leave has handed over what it had. */
  left?(worker: WorkerLife): void;
  /** A worker's process is gone. */
  died?(worker: WorkerLife): void;
  reported?(worker: WorkerLife, report: WorkerReport): void;
  /** Orders arrive; they are not followed yet. */
  heardOrders?(worker: WorkerLife, orders: WorkerOrders): void;
  led?(epoch: number, host: string): void;
  /** A leader begins a commit; it has been told that all of it is durable. */
  committing?(epoch: number, changes: readonly Change[]): void;
  acknowledged?(epoch: number, changes: readonly Change[]): void;
  /** A change is durable. */
  stored?(change: Change, before: Uint8Array | undefined, epoch: number): void;
  /** At the store: somebody who leads no more was turned away; a commit broke off in its middle. */
  fenced?(): void;
  commitCut?(): void;
  recovered?(master: MasterLife, cluster: Cluster): void;
  stepped?(master: MasterLife, cluster: Cluster, event: SchedulerEvent, step: Step): void;
  /** Facts of a step whose changes are durable. */
  told?(facts: readonly Fact[]): void;
  /** What the scheduler has stepped to is durable, all of it. */
  committed?(master: MasterLife): void;
  /** A heartbeat reaches a master that leads, or thinks so. */
  served?(master: MasterLife, report: WorkerReport): void;
  /** A heartbeat's answer leaves. */
  answered?(master: MasterLife, report: WorkerReport, orders: WorkerOrders): void;
  /** After every event. */
  happened?(): void;
}
