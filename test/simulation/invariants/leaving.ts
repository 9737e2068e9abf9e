// I18 in part, of workers that leave: none is told that it may while a reduce that its master counts on reads from it.
// What lay on a disk that was lost is read by no one.
import type { AttemptId } from "../../../src/base/ids.ts";
import type { WorkerOrders, WorkerReport } from "../../../src/protocol/messages.ts";
import type { Fact } from "../../../src/schedule/facts.ts";
import { attemptKey } from "../../../src/schedule/state/task.ts";
import type { Disk } from "../../../src/sim/disk.ts";
import type { MasterLife, WorkerLife } from "../../../src/sim/scene.ts";
import type { RunAttempt } from "../../../src/slot/messages.ts";
import type { Invariant } from "../checks.ts";
import type { OracleWorld } from "../world.ts";

export class Leaving implements Invariant {
  readonly #world: OracleWorld;
  /** The workers that reduces were given to read from, and their disks then, by reader and attempt. */
  readonly #reading = new Map<string, ReadonlyMap<string, Disk | undefined>>();

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  started({ id }: WorkerLife, { assignment, remote }: RunAttempt): void {
    const { attempt } = assignment;
    if (attempt.phase !== "reduce") return;
    this.#reading.set(
      `${id} ${attemptKey(attempt)}`,
      new Map(remote.map(({ worker }) => [worker, this.#diskOf(worker)])),
    );
  }

  ended({ id }: WorkerLife, attempt: AttemptId): void {
    this.#reading.delete(`${id} ${attemptKey(attempt)}`);
  }

  told(facts: readonly Fact[]): void {
    for (const { kind } of facts) if (kind === "map-output-moved") this.#world.sightings.saw("map output moved");
  }

  answered({ cluster }: MasterLife, { worker }: WorkerReport, orders: WorkerOrders): void {
    if (orders.mayLeave !== true || cluster === undefined) return;
    this.#world.sightings.saw("worker released");
    for (const { id, attempts } of cluster.workers.values()) {
      for (const [key, { state }] of attempts) {
        const disk = this.#reading.get(`${id} ${key}`)?.get(worker);
        if (state === "running" && disk !== undefined && disk === this.#diskOf(worker))
          this.#world.violate("I18", `${worker} may leave, and ${key} on ${id} reads from it`);
      }
    }
  }
  #diskOf(worker: string): Disk | undefined {
    return this.#world.workers.find(({ id }) => id === worker)?.disk;
  }
}
