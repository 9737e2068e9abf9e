// I3 fence: the store's epoch never decreases and it takes no write of an older one; each epoch has one leader; no
// worker takes a task for a lower epoch than it has seen. (What it took may have to wait for a slot, and begin in a
// later epoch: like what runs then, it goes on unless it is told to stop. Found by seeds 2060 and 2966.)
import type { Assignment } from "../../../src/protocol/messages.ts";
import type { WorkerLife } from "../../../src/sim/scene.ts";
import type { Change } from "../../../src/state/store.ts";
import type { Invariant } from "../checks.ts";
import type { OracleWorld } from "../world.ts";

export class Epochs implements Invariant {
  readonly #world: OracleWorld;
  #epoch = 0;

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  led(epoch: number): void {
    if (epoch <= this.#epoch) this.#world.violate("I3", `epoch ${epoch} begins after epoch ${this.#epoch}`);
    this.#epoch = epoch;
  }

  stored(_change: Change, _before: Uint8Array | undefined, epoch: number): void {
    if (epoch !== this.#epoch) this.#world.violate("I3", `a write of epoch ${epoch} is taken in epoch ${this.#epoch}`);
  }

  taken(worker: WorkerLife, { attempt: { epoch } }: Assignment): void {
    if (epoch < worker.epochSeen)
      this.#world.violate("I3", `${worker.id} takes a task of epoch ${epoch}, having seen ${worker.epochSeen}`);
  }
}
