// Elections: looking for a leader, waiting until there is none, and standing for election.
//
//   look ─► someone leads ─► watch from the revision seen ─► look
//     └───► no one ─► grant a lease ─► compete: one transaction that makes the leader's key ─► lead, or look
//
// The lease is granted last, as it runs from then on: one that is granted before the wait would run out in it.
import { MillraceError } from "../../base/error.ts";
import type { Clock } from "../../base/system/clock.ts";
import type { Leader } from "../store.ts";
import { corrupt, decodeLeader, encodeLeader, type Layout, layoutVersion } from "./layout.ts";
import { Lease } from "./lease.ts";
import { type CallBounds, EtcdError, type Members } from "./members.ts";
import { createdAt, get, hasValue, put } from "./requests.ts";

export interface ElectionParts {
  readonly members: Members;
  readonly layout: Layout;
  readonly clock: Clock;
  readonly leaseMs: number;
}

/** What was seen at one revision. */
export interface Look {
  readonly leader: Leader | undefined;
  readonly epoch: Uint8Array | undefined;
  readonly version: Uint8Array | undefined;
  readonly revision: bigint;
}

/** An election that was won. */
export interface Won {
  readonly epoch: number;
  readonly lease: Lease;
  /** The create revision of the leader's key: no other leadership has it. */
  readonly fence: bigint;
  /** The value of the sequence. */
  readonly sequence: string;
}

/** Linearizable. Throws `not-supported` for a store of another version. */
export async function look({ members, layout }: ElectionParts, bounds: CallBounds): Promise<Look> {
  const keys = [layout.leader, layout.epoch, layout.version];
  const { responses, header } = await members.call(
    ({ kv }, options) => kv.txn({ success: keys.map((key) => get(key)) }, options),
    bounds,
  );
  const [leader, epoch, version] = responses.map(({ response }) =>
    response.case === "responseRange" ? response.value.kvs[0]?.value : undefined,
  );
  const found = version === undefined ? layoutVersion : Buffer.from(version).toString("utf8");
  if (found !== layoutVersion) {
    throw new MillraceError(
      "not-supported",
      `the state in etcd has version ${JSON.stringify(found.slice(0, 20))}, and this release of millrace reads version ${layoutVersion}: use the release that wrote it, or give --state another prefix`,
    );
  }
  return {
    leader: leader === undefined ? undefined : decodeLeader(leader),
    epoch,
    version,
    revision: header?.revision ?? 0n,
  };
}

/** Waits until no one leads, and wins the election or waits again. */
export async function win(parts: ElectionParts, owner: string, signal: AbortSignal): Promise<Won> {
  for (;;) {
    const seen = await look(parts, { signal });
    if (seen.leader !== undefined) await changed(parts, seen.revision, signal);
    else {
      const won = await compete(parts, owner, seen, signal);
      if (won !== undefined) return won;
    }
  }
}

async function compete(
  { members, layout, clock, leaseMs }: ElectionParts,
  owner: string,
  seen: Look,
  signal: AbortSignal,
): Promise<Won | undefined> {
  const epoch = nextEpoch(seen.epoch);
  const lease = await Lease.grant(members, leaseMs, clock, signal);
  const sequence = `${epoch}/0`;
  try {
    const leader = encodeLeader({ owner, epoch, since: clock.date().getTime() });
    const answer = await members.call(
      ({ kv }, options) =>
        kv.txn(
          {
            compare: [
              createdAt(layout.leader, 0n),
              seen.epoch === undefined ? createdAt(layout.epoch, 0n) : hasValue(layout.epoch, seen.epoch),
              seen.version === undefined ? createdAt(layout.version, 0n) : hasValue(layout.version, seen.version),
            ],
            success: [
              put(layout.leader, leader, lease.id),
              put(layout.epoch, Buffer.from(String(epoch))),
              put(layout.version, Buffer.from(layoutVersion)),
              put(layout.sequence, Buffer.from(sequence)),
              get(layout.leader),
            ],
            failure: [get(layout.leader)],
          },
          options,
        ),
      { signal },
    );
    // Where it failed, an earlier try whose answer was lost may have won.
    const range = answer.responses.at(-1)?.response;
    const mine = range?.case === "responseRange" ? range.value.kvs.find((kv) => kv.lease === lease.id) : undefined;
    if (mine !== undefined && !lease.isOver) {
      lease.keep();
      return { epoch, lease, fence: mine.createRevision, sequence };
    }
    await lease.revoke();
    return undefined;
  } catch (error) {
    await lease.revoke();
    const isOver = error instanceof EtcdError && error.kind === "no-lease";
    if (!isOver || signal.aborted) throw error;
    return undefined;
  }
}

function nextEpoch(stored: Uint8Array | undefined): number {
  const text = stored === undefined ? "0" : Buffer.from(stored).toString("latin1");
  if (!/^\d{1,10}$/.test(text)) throw corrupt("its epoch is no number");
  return Number(text) + 1;
}

/**
 * Resolves when the leader's key has changed after `revision`, or may have: whoever waits looks again. A watch may
 * break off, find its revision compacted, or be silent because its member stands still; so one looks again after a
 * lease in any case.
 */
export async function changed(
  { members, layout, clock, leaseMs }: ElectionParts,
  revision: bigint,
  signal: AbortSignal,
): Promise<void> {
  const ending = new AbortController();
  const any = AbortSignal.any([signal, ending.signal]);
  const member = members.current;
  async function* create() {
    const value = { key: layout.leader, startRevision: revision + 1n };
    yield { requestUnion: { case: "createRequest" as const, value } };
    await clock.sleep(2 * leaseMs, any); // the stream is over when its requests are
  }
  const watch = async () => {
    try {
      for await (const { events, canceled } of member.watch.watch(create(), { signal: any })) {
        if (canceled || events.length > 0) return;
      }
    } catch {
      // The look that follows meets the same trouble, and says so.
      if (any.aborted) return;
      members.leave(member);
      await clock.sleep(100, any);
    }
  };
  try {
    await Promise.race([watch(), clock.sleep(leaseMs, any)]);
  } finally {
    ending.abort();
  }
  signal.throwIfAborted();
}
