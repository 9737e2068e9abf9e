// Where a world tells what happens in it, and who is told: the invariants (invariants/), each in a file with its
// neighbours.
import type { AttemptId, JobId } from "../../src/base/ids.ts";
import type { ClusterView } from "../../src/protocol/view.ts";
import type { Observer } from "../../src/sim/scene.ts";
import { Acknowledged } from "./invariants/acknowledged.ts";
import { Attempts } from "./invariants/attempts.ts";
import { Bookkeeping } from "./invariants/bookkeeping.ts";
import { Bounds } from "./invariants/bounds.ts";
import { Ends } from "./invariants/ends.ts";
import { Epochs } from "./invariants/epochs.ts";
import { History } from "./invariants/history.ts";
import { Late } from "./invariants/late.ts";
import { Leaks } from "./invariants/leaks.ts";
import { Leaving } from "./invariants/leaving.ts";
import { OneWriter } from "./invariants/one-writer.ts";
import { Output } from "./invariants/output.ts";
import { Seen } from "./invariants/seen.ts";
import { Winners } from "./invariants/winners.ts";
import type { SimJob } from "./workload.ts";
import type { OracleWorld } from "./world.ts";

/** What can be watched: in any cluster, and in this world beside it. */
export interface Invariant extends Observer {
  /** A reduce could not read the output of this map attempt, which was said to lie on that worker. */
  missed?(map: AttemptId, how: "missing" | "corrupt" | "unreachable", holder: string): void;
  visible?(destination: string, job: JobId, name: string): void;
  /** A client is told that its job is there; how its cancellation went; how things are. */
  submitted?(job: SimJob, id: JobId): void;
  cancelAnswered?(job: SimJob, answer: "cancelled" | "too-late"): void;
  viewed?(job: SimJob, view: ClusterView): void;
  resuming?(job: SimJob): void;
  /** All jobs are over, and all is quiet. */
  atEnd?(): void;
}

/** All of them at once, and what a world asks them. */
export interface Checks extends Required<Invariant> {
  readonly ends: Ends;
  readonly winners: Winners;
}

export function createChecks(world: OracleWorld): Checks {
  const ends = new Ends(world);
  const winners = new Winners(world);
  const all: readonly Invariant[] = [
    ends,
    new Epochs(world),
    new OneWriter(world),
    winners,
    new Output(world),
    new Attempts(world),
    new Bookkeeping(world),
    new Bounds(world),
    new Acknowledged(world),
    new History(world),
    new Late(world),
    new Leaving(world),
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
  "offered",
  "left",
  "died",
  "reported",
  "heardOrders",
  "led",
  "committing",
  "acknowledged",
  "stored",
  "fenced",
  "commitCut",
  "visible",
  "recovered",
  "stepped",
  "told",
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
