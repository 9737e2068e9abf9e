// The store of one machine: LevelDB, which recovers after kill -9. Only one process can have it open (LevelDB's lock),
// and epochs tell the leaderships of one process and of its successors apart. Every stored value carries a CRC of its
// key and bytes, and every batch a tally of everything that is stored. So damage is found that LevelDB does not notice,
// or goes on without: in a record when it is read, in the whole store when a scan of everything ends.
//
//   "d"         the tally (tally.ts), not counted in itself
//   "e"         the newest epoch, 8 bytes big-endian
//   "r" + key   a record
import { existsSync, statfsSync } from "node:fs";
import type { ClassicLevel } from "classic-level";
import { MillraceError } from "../base/error.ts";
import { MiB } from "../base/limits.ts";
import { type Clock, systemClock } from "../base/system/clock.ts";
import { loadLevel } from "../base/system/optional-package.ts";
import { Acknowledged } from "./acknowledged.ts";
import { forgetLogs, keepLogs, keptBatches } from "./kept-logs.ts";
import type { LevelOperation } from "./level-log.ts";
import { checksumOf, seal, Trouble } from "./leveldb-trouble.ts";
import { notLeader } from "./memory.ts";
import { Seat } from "./seat.ts";
import type { Change, Leader, Leadership, StateStore } from "./store.ts";
import { tableDamage } from "./table-check.ts";
import { decodeTally, emptyTally, encodeTally, nextBatch, type Tally, withoutRecord, withRecord } from "./tally.ts";

const tallyKey = Buffer.from("d");
const epochKey = Buffer.from("e");
const recordPrefix = "r";
/**
 * A commit is cut into batches of this size, each synced by itself: a plan of a million tasks is in memory once, not
 * three times.
 */
const batchBytes = 2 * MiB;
/** Records that a scan reads at once. */
const scanRecords = 1000;
const scanBytes = 1 * MiB;
/** Time between two looks at a full disk. */
const spaceCheckMs = 500;

export interface LevelStoreOptions {
  /** Commits wait while the disk has less than this free beside them. Default 0: a full disk ends the leadership. */
  readonly spareBytes?: number;
  /** Advice for a damaged store, as a sentence. Default: the advice for a local run. */
  readonly mend?: string;
  /** What needs the store, for the message where LevelDB is not installed. Default: "the state store". */
  readonly who?: string;
  readonly clock?: Clock;
  /** Returns how many bytes are free on the disk. Default: asks the file system. */
  readonly freeBytes?: () => number;
}

type Database = ClassicLevel<Buffer, Buffer>;
type Operation = { readonly key: Buffer; readonly value: Uint8Array | undefined };

/** Opens or creates the store in `directory`. Errors: `state-busy`, `corrupt-state`, `io-error`, `missing-package`. */
export async function openLevelStore(directory: string, options: LevelStoreOptions = {}): Promise<StateStore> {
  const { ClassicLevel } = await loadLevel(options.who ?? "the state store");
  const trouble = new Trouble(directory, options.mend);
  if (existsSync(directory)) {
    let damage: string | undefined;
    try {
      damage = tableDamage(directory);
      keepLogs(directory);
    } catch (error) {
      throw trouble.ofOpening(error);
    }
    if (damage !== undefined) throw trouble.corrupt(damage);
  }
  // The database begins to open by itself.
  const database: Database = new ClassicLevel<Buffer, Buffer>(directory, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
    compression: false, // records are small and dense; and so tables can be checked (table-check.ts)
  });
  try {
    await database.open();
  } catch (error) {
    throw trouble.ofOpening(error);
  }
  try {
    await writeAgain(directory, database, trouble);
    return new LevelStore({ directory, database, options, trouble });
  } catch (error) {
    await database.close();
    throw trouble.ofReading(error);
  }
}

/** Writes what LevelDB has left out of its logs (kept-logs.ts). */
async function writeAgain(directory: string, database: Database, trouble: Trouble): Promise<void> {
  const tallyIn = (sealed: Buffer | undefined) =>
    sealed === undefined ? undefined : decodeTally(trouble.unseal(tallyKey, sealed));
  const numberOf = (batch: readonly LevelOperation[]) =>
    tallyIn(batch.find(({ key }) => key.equals(tallyKey))?.value)?.batches;
  const last = tallyIn(database.getSync(tallyKey))?.batches ?? 0;
  for (const batch of keptBatches(directory, last, numberOf)) {
    await database.batch(
      batch.map(({ key, value }) => (value === undefined ? { type: "del", key } : { type: "put", key, value })),
      { sync: true },
    );
  }
  forgetLogs(directory);
}

interface Parts {
  readonly directory: string;
  readonly database: Database;
  readonly options: LevelStoreOptions;
  readonly trouble: Trouble;
}

class LevelStore implements StateStore {
  readonly #parts: Parts;
  readonly #acknowledged: Acknowledged;
  readonly #closing = new AbortController();
  readonly #seat = new Seat();
  #tally: Tally;
  #current: AbortController | undefined;
  /** The batch before: each batch waits for it, as it needs its tally. */
  #last: Promise<void> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
    const { directory, trouble } = parts;
    const stored = this.#read(tallyKey);
    const tally = stored === undefined ? emptyTally : decodeTally(stored);
    if (tally === undefined) throw trouble.corrupt("its tally has another form");
    this.#tally = tally;
    this.#acknowledged = new Acknowledged(directory);
    const { atOpen } = this.#acknowledged;
    if (tally.batches < atOpen) {
      this.#acknowledged.close();
      throw trouble.corrupt(`${atOpen - tally.batches} of the ${atOpen} commits that were acknowledged are gone`);
    }
  }

  /** Never waits: no other process can have the store open. */
  async lead(owner: string, signal: AbortSignal): Promise<Leadership> {
    signal.throwIfAborted();
    this.#current?.abort();
    const lost = new AbortController();
    this.#current = lost;
    const epoch = Number(this.#read(epochKey)?.readBigUInt64BE() ?? 0n) + 1;
    const value = Buffer.alloc(8);
    value.writeBigUInt64BE(BigInt(epoch));
    await this.#write([{ key: epochKey, value }]);
    if (this.#current === lost) {
      this.#seat.take({ owner, epoch, since: (this.#parts.options.clock ?? systemClock).date().getTime() });
      lost.signal.addEventListener("abort", () => this.#seat.leave(epoch));
    }
    return {
      epoch,
      lost: lost.signal,
      commit: async (changes) => {
        for (const batch of batchesOf(changes)) {
          if (lost.signal.aborted) throw notLeader(epoch);
          try {
            await this.#write(batch);
          } catch (error) {
            // After a failed sync it is unknown what is on the disk: this leadership is over, and a new one reads what
            // is there.
            lost.abort();
            throw error;
          }
        }
        if (lost.signal.aborted) throw notLeader(epoch);
      },
      resign: async () => lost.abort(),
    };
  }

  async leader(): Promise<Leader | undefined> {
    return this.#seat.leader;
  }

  watchLeader(signal: AbortSignal): AsyncIterable<Leader | undefined> {
    return this.#seat.watch(AbortSignal.any([signal, this.#closing.signal]));
  }

  /** A scan of all records ends with `corrupt-state` if they are not what the tally says. */
  async *scan(prefix: string) {
    const { database, trouble } = this.#parts;
    const from = Buffer.from(recordPrefix + prefix);
    let found: Tally = emptyTally;
    let wanted: Tally = emptyTally;
    const gte = prefix === "" ? tallyKey : from;
    const iterator = database.iterator({ gte, highWaterMarkBytes: scanBytes });
    try {
      // Read in portions: one by one takes several times as long.
      for (let isOver = false; !isOver; ) {
        const portion = await iterator.nextv(scanRecords);
        isOver = portion.length === 0;
        for (const [key, sealed] of portion) {
          const value = trouble.unseal(key, sealed);
          const kind = key[0];
          if (kind === tallyKey[0]) {
            wanted = decodeTally(value) ?? wanted;
            continue;
          }
          found = withRecord(found, checksumOf(sealed));
          if (kind === epochKey[0]) continue;
          isOver = prefix !== "" && !key.subarray(0, from.length).equals(from);
          if (isOver) break;
          yield { key: key.toString("utf8", 1), value: new Uint8Array(value) };
        }
      }
    } catch (error) {
      throw trouble.ofReading(error);
    } finally {
      await iterator.close();
    }
    if (prefix !== "" || (found.records === wanted.records && found.sum === wanted.sum)) return;
    throw trouble.corrupt(
      found.records === wanted.records
        ? "its records are not those that were stored last"
        : `${found.records} records are there, ${wanted.records} were stored`,
    );
  }

  async close(): Promise<void> {
    this.#current?.abort();
    this.#closing.abort();
    await this.#last.catch(() => {}); // its own caller gets the error
    await this.#parts.database.close();
    this.#acknowledged.close();
  }

  /** Writes one batch, which is atomic, and durable when this resolves. */
  #write(operations: readonly Operation[]): Promise<void> {
    const written = this.#last.then(() => this.#writeNext(operations));
    this.#last = written.catch(() => {});
    return written;
  }

  async #writeNext(operations: readonly Operation[]): Promise<void> {
    const { database, trouble } = this.#parts;
    await this.#space(operations);
    if (this.#closing.signal.aborted) throw new MillraceError("not-leader", "the state store was closed");
    let tally = nextBatch(this.#tally);
    /** Checksums of keys that earlier operations of this batch have changed; undefined: deleted. */
    const within = new Map<string, number | undefined>();
    const batch = operations.map(({ key, value }) => {
      const name = key.toString("latin1");
      const before = within.has(name) ? within.get(name) : this.#checksum(key);
      if (before !== undefined) tally = withoutRecord(tally, before);
      if (value === undefined) {
        within.set(name, undefined);
        return { type: "del" as const, key };
      }
      const sealed = seal(key, value);
      tally = withRecord(tally, checksumOf(sealed));
      within.set(name, checksumOf(sealed));
      return { type: "put" as const, key, value: sealed };
    });
    batch.push({ type: "put" as const, key: tallyKey, value: seal(tallyKey, encodeTally(tally)) });
    try {
      await database.batch(batch, { sync: true });
      this.#tally = tally;
      this.#acknowledged.write(tally.batches);
    } catch (error) {
      throw trouble.ofWriting(error);
    }
  }

  /** Waits for space: after one failed write LevelDB would take no more (fault 37). */
  async #space(operations: readonly Operation[]): Promise<void> {
    const { directory, options } = this.#parts;
    if (options.spareBytes === undefined) return;
    const needed = options.spareBytes + operations.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
    while (!this.#closing.signal.aborted) {
      if ((options.freeBytes?.() ?? freeBytesOf(directory)) >= needed) return;
      await (options.clock ?? systemClock).sleep(spaceCheckMs, this.#closing.signal);
    }
  }

  #read(key: Buffer): Buffer | undefined {
    const { database, trouble } = this.#parts;
    try {
      const sealed = database.getSync(key);
      return sealed === undefined ? undefined : trouble.unseal(key, sealed);
    } catch (error) {
      throw trouble.ofReading(error);
    }
  }

  #checksum(key: Buffer): number | undefined {
    const { database, trouble } = this.#parts;
    try {
      const sealed = database.getSync(key);
      return sealed === undefined ? undefined : checksumOf(sealed);
    } catch (error) {
      throw trouble.ofReading(error);
    }
  }
}

function freeBytesOf(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

function* batchesOf(changes: readonly Change[]): Iterable<readonly Operation[]> {
  let batch: Operation[] = [];
  let bytes = 0;
  for (const change of changes) {
    const operation = operationOf(change);
    const size = operation.key.length + (operation.value?.length ?? 0);
    if (bytes + size > batchBytes && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(operation);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

function operationOf(change: Change): Operation {
  if ("delete" in change) return { key: Buffer.from(recordPrefix + change.delete), value: undefined };
  return { key: Buffer.from(recordPrefix + change.put.key), value: change.put.value };
}
