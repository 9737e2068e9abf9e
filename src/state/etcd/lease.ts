// A lease of etcd, kept alive, and until when its holder may rely on it by its own clock:
//
//   deadline = when the last request was sent that kept it alive + 2/3 of its time
//
// etcd counts from when the request has arrived, so it ends the lease later than that, whatever the network does. A
// process that was stopped sees that the deadline has passed before it does anything else: `isOver` compares, and waits
// for no timer.
import { MillraceError } from "../../base/error.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { EtcdError, Member, Members } from "./members.ts";

/** Requests that keep a lease alive, in its time: several may fail before the deadline. */
const beatsPerLease = 6;
/** For giving a lease back; without it, others wait until it has run out. */
const revokeMs = 1000;

export class Lease {
  readonly id: bigint;
  readonly #lost = new AbortController();
  readonly #members: Members;
  readonly #clock: Clock;
  readonly #ms: number;
  #deadline: number;
  #revoked: Promise<void> | undefined;

  private constructor(id: bigint, ms: number, grantedAt: number, members: Members, clock: Clock) {
    this.id = id;
    this.#ms = ms;
    this.#members = members;
    this.#clock = clock;
    this.#deadline = grantedAt + (ms * 2) / 3;
  }

  static async grant(members: Members, ms: number, clock: Clock, signal: AbortSignal): Promise<Lease> {
    let sentAt = clock.now();
    const { ID: id, TTL: seconds } = await members.call(
      ({ lease }, options) => {
        sentAt = clock.now();
        return lease.leaseGrant({ TTL: BigInt(Math.ceil(ms / 1000)) }, options);
      },
      { signal },
    );
    return new Lease(id, Math.min(ms, Number(seconds) * 1000), sentAt, members, clock);
  }

  /** Aborted, with the reason, the moment that the lease is over or may be. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether the lease is over or may be, by the clock as it is now. */
  get isOver(): boolean {
    if (!this.#lost.signal.aborted && this.#clock.now() >= this.#deadline) {
      this.lose("etcd has not answered this master for two thirds of its lease");
    }
    return this.#lost.signal.aborted;
  }

  /** Begins to keep it alive, until it is lost. */
  keep(): void {
    void this.#beat();
    void this.#watch();
  }

  lose(why: string, cause?: unknown): void {
    if (!this.#lost.signal.aborted) this.#lost.abort(new MillraceError("not-leader", why, { cause }));
  }

  /** Gives it back, so that no one has to wait until it has run out. May be called again, and when it is lost. */
  revoke(): Promise<void> {
    this.lose("this master has given up leadership");
    this.#revoked ??= this.#revoke();
    return this.#revoked;
  }

  async #revoke(): Promise<void> {
    const until = this.#clock.now() + revokeMs;
    // It runs out by itself where this fails.
    await this.#members
      .call(({ lease }, options) => lease.leaseRevoke({ ID: this.id }, options), { until })
      .catch(() => {});
  }

  async #beat(): Promise<void> {
    const signal = this.lost;
    for (;;) {
      await this.#clock.sleep(this.#ms / beatsPerLease, signal);
      if (this.isOver) return;
      try {
        const { sentAt, seconds } = await this.#members.call(
          async (member, options) => {
            const sentAt = this.#clock.now();
            return { sentAt, seconds: await keepAlive(member, this.id, options) };
          },
          { signal },
        );
        if (this.isOver) return;
        if (seconds === 0n) return this.lose("etcd has ended this master's lease");
        this.#deadline = Math.max(this.#deadline, sentAt + (this.#ms * 2) / 3);
      } catch (error) {
        if (signal.aborted) return;
        return this.lose(`etcd refuses to keep this master's lease: ${(error as EtcdError).message}`, error);
      }
    }
  }

  async #watch(): Promise<void> {
    while (!this.isOver) await this.#clock.sleep(this.#deadline - this.#clock.now(), this.lost);
  }
}

/** Seconds that the lease has from now on; 0: it is over. */
async function keepAlive({ lease }: Member, id: bigint, options: Parameters<typeof lease.leaseKeepAlive>[1]) {
  for await (const { TTL } of lease.leaseKeepAlive(once({ ID: id }), options)) return TTL;
  throw new Error("the stream ended without an answer");
}

async function* once<T>(request: T): AsyncGenerator<T> {
  yield request;
}
