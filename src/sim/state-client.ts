// A master's end of the state store: the product's `StateStore` over the simulated network.
import { MillraceError } from "../base/error.ts";
import type { Change, Leader, Leadership, StateStore, StoredRecord } from "../state/store.ts";
import type { Network } from "./network.ts";
import type { Process } from "./process.ts";
import { notLeader, type StateServer, type StoreOptions } from "./state-server.ts";

/** What a master's end of the store has. */
interface ClientEnds {
  readonly process: Process;
  readonly server: StateServer;
  readonly options: StoreOptions;
  readonly call: (kind: string, body: unknown, timeoutMs?: number) => Promise<unknown>;
}

export function stateClient(
  process: Process,
  network: Network,
  server: StateServer,
  options: StoreOptions,
): StateStore {
  const call = (kind: string, body: unknown, timeoutMs = options.leaseMs * 3) =>
    network.call(process, "store", kind, body, { timeoutMs, isSteady: true });

  const ends: ClientEnds = { process, server, options, call };
  const leader = () => call("leader", undefined) as Promise<Leader | undefined>;
  return {
    async lead() {
      for (;;) {
        try {
          const epoch = (await call("lead", undefined, options.leaseMs * 2)) as number;
          return leadershipOf(epoch, process.clock.now(), ends);
        } catch (error) {
          // Whoever leads may lead for long.
          if (!(error instanceof MillraceError) || error.code !== "unreachable") throw error;
        }
      }
    },
    leader,
    async *watchLeader(signal) {
      for (let told: { readonly leader: Leader | undefined } | undefined; !signal.aborted; ) {
        const now = await leader().catch(() => undefined);
        if (signal.aborted) return;
        if (told === undefined || now?.epoch !== told.leader?.epoch) yield now;
        told = { leader: now };
        await process.clock.sleep(server.sessionMs / 3, signal);
      }
    },
    async *scan(prefix) {
      yield* (await call("scan", prefix)) as readonly StoredRecord[];
    },
    async close() {},
  };
}

function leadershipOf(epoch: number, heardAt: number, ends: ClientEnds): Leadership {
  const { call } = ends;
  const lost = new AbortController();
  void keepAlive(epoch, heardAt, lost, ends);
  return {
    epoch,
    lost: lost.signal,
    async commit(changes: readonly Change[]) {
      if (lost.signal.aborted) throw notLeader();
      try {
        await call("commit", { epoch, changes });
      } catch (error) {
        lost.abort();
        // What became of it is not known: whoever leads next reads what is there.
        if (error instanceof MillraceError && error.code === "unreachable")
          throw new MillraceError("io-error", "the store does not answer");
        throw error;
      }
    },
    async resign() {
      lost.abort();
      await call("resign", epoch);
    },
  };
}

/** Signs of life, until the store says that somebody else leads. */
async function keepAlive(epoch: number, heardAt: number, lost: AbortController, ends: ClientEnds): Promise<void> {
  const { process, server, options, call } = ends;
  let newest = heardAt;
  while (!lost.signal.aborted) {
    await process.clock.sleep(server.sessionMs / 3);
    if (lost.signal.aborted) return;
    const sentAt = process.clock.now();
    if (options.stepsDownByClock && sentAt - newest > server.sessionMs) {
      lost.abort();
      return;
    }
    call("keep", epoch, server.sessionMs).then(
      () => {
        newest = Math.max(newest, sentAt);
      },
      (error: unknown) => {
        if (error instanceof MillraceError && error.code === "not-leader") lost.abort();
      },
    );
  }
}
