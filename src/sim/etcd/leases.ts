// etcd's leases: keys that go when no one has kept them alive for their time.
import type { Process } from "../process.ts";
import type { Planned } from "../timeline.ts";

interface Lease {
  readonly ttl: bigint;
  expires: Planned;
}

export class Leases {
  readonly #process: Process;
  readonly #onEnd: (id: bigint) => void;
  readonly #leases = new Map<bigint, Lease>();
  #next = 1n;

  /** `onEnd`: the lease is gone, by its time; what hangs on it is to go too. */
  constructor(process: Process, onEnd: (id: bigint) => void) {
    this.#process = process;
    this.#onEnd = onEnd;
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  grant(wish: bigint, ttl: bigint): bigint {
    const id = wish === 0n ? this.#next++ : wish;
    this.#leases.set(id, { ttl, expires: this.#expiry(id, ttl) });
    return id;
  }

  /** Its time to live, in seconds; 0: there is none of that name any more. */
  keep(id: bigint): bigint {
    const lease = this.#leases.get(id);
    if (lease === undefined) return 0n;
    lease.expires.run = undefined;
    lease.expires = this.#expiry(id, lease.ttl);
    return lease.ttl;
  }

  revoke(id: bigint): boolean {
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    lease.expires.run = undefined;
    return this.#leases.delete(id);
  }

  /** A new leader of the store can't know when each was last kept: all begin again. */
  renewAll(): void {
    for (const id of this.#leases.keys()) this.keep(id);
  }

  #expiry(id: bigint, ttl: bigint): Planned {
    return this.#process.after(Number(ttl) * 1000, () => {
      this.#leases.delete(id);
      this.#onEnd(id);
    });
  }
}
