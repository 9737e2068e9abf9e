// The transactions of one leadership, one after the other. Each compares two things, and has no effect if one differs:
//
//   the create revision of the leader's key   no later leadership exists
//   the sequence                              every transaction before this one is applied, and this one is not
//
// The second is for answers that do not come. Such a transaction may have been applied, or will be, after any time; so
// it is sent again as it is until an answer comes. It is applied once, and a copy that arrives later finds another
// sequence.
import { notLeader } from "../memory.ts";
import type { Won } from "./election.ts";
import type { Layout } from "./layout.ts";
import type { Lease } from "./lease.ts";
import type { Members } from "./members.ts";
import { createdAt, get, hasValue, type Operation, put } from "./requests.ts";

export class Writer {
  readonly epoch: number;
  readonly #members: Members;
  readonly #layout: Layout;
  readonly #lease: Lease;
  readonly #fence: bigint;
  #sequence: string;
  #count = 0;
  #revision = 0n;

  constructor(members: Members, layout: Layout, { epoch, lease, fence, sequence }: Won) {
    this.epoch = epoch;
    this.#members = members;
    this.#layout = layout;
    this.#lease = lease;
    this.#fence = fence;
    this.#sequence = sequence;
  }

  /** etcd's revision after the newest transaction. */
  get revision(): bigint {
    return this.#revision;
  }

  /**
   * Applies operations of different keys at once. Rejects with `not-leader` when the lease is over before it is sent or
   * before its answer is seen: after that, somebody else may lead. After any error this leadership is over.
   */
  async write(operations: readonly Operation[]): Promise<void> {
    const { sequence } = this.#layout;
    const [before, after] = [this.#sequence, `${this.epoch}/${++this.#count}`].map((text) => Buffer.from(text));
    this.check();
    try {
      const answer = await this.#members.call(
        ({ kv }, options) => {
          this.check();
          return kv.txn(
            {
              compare: [createdAt(this.#layout.leader, this.#fence), hasValue(sequence, before as Buffer)],
              success: [put(sequence, after as Buffer), ...operations],
              failure: [get(this.#layout.leader), get(sequence)],
            },
            options,
          );
        },
        { signal: this.#lease.lost },
      );
      this.check(); // a process that was stopped may see an answer of long ago
      if (!answer.succeeded) {
        const [leader, stored] = answer.responses.map(({ response }) =>
          response.case === "responseRange" ? response.value.kvs[0] : undefined,
        );
        // An earlier try was applied, and its answer was lost.
        const isApplied = leader?.createRevision === this.#fence && stored !== undefined && after?.equals(stored.value);
        if (isApplied !== true) throw notLeader(this.epoch);
      }
      this.#sequence = String(after);
      this.#revision = answer.header?.revision ?? this.#revision;
    } catch (error) {
      this.#lease.lose("a transaction of this master has failed: what became of it is not known", error);
      throw error;
    }
  }

  /** Throws `not-leader` when the lease is over, or may be. */
  check(): void {
    if (this.#lease.isOver) throw this.#lease.lost.reason;
  }
}
