// The store of one machine: LevelDB, which survives kill -9 by restarting. One process has it open at a time (LevelDB's lock);
// epochs tell the leaderships of one process and of its successors apart. Every stored value carries a CRC of its key and
// bytes, so that damage which LevelDB does not notice is not served either.
//
//   "e"         the newest epoch, 8 bytes big-endian
//   "r" + key   a record
import { ClassicLevel } from "classic-level";
import { crc32Of } from "../base/checksum.ts";
import { MillraceError, systemCode } from "../base/error.ts";
import { notLeader } from "./memory.ts";
import type { Change, Leadership, StateStore } from "./store.ts";

const epochKey = Buffer.from("e");
const recordPrefix = "r";
const crcBytes = 4;

type Database = ClassicLevel<Buffer, Buffer>;

/** Opens or creates the store in `directory`. Errors: `state-busy`, `corrupt-state`, `io-error`. */
export async function openLevelStore(directory: string): Promise<StateStore> {
  const database: Database = new ClassicLevel<Buffer, Buffer>(directory, {
    keyEncoding: "buffer",
    valueEncoding: "buffer",
  });
  try {
    await database.open();
  } catch (error) {
    throw openError(directory, error);
  }
  let current: AbortController | undefined;

  return {
    async lead() {
      current?.abort();
      const lost = new AbortController();
      current = lost;
      const epoch = (await readEpoch(database, directory)) + 1;
      const value = Buffer.alloc(8);
      value.writeBigUInt64BE(BigInt(epoch));
      await database.put(epochKey, seal(epochKey, value), { sync: true });
      return leadership(database, directory, epoch, lost);
    },

    async *scan(prefix) {
      const from = Buffer.from(recordPrefix + prefix);
      try {
        for await (const [key, sealed] of database.iterator({ gte: from })) {
          if (!key.subarray(0, from.length).equals(from)) return;
          yield { key: key.toString("utf8", 1), value: new Uint8Array(unseal(directory, key, sealed)) };
        }
      } catch (error) {
        throw readError(directory, error);
      }
    },

    async close() {
      current?.abort();
      await database.close();
    },
  };
}

function leadership(database: Database, directory: string, epoch: number, lost: AbortController): Leadership {
  return {
    epoch,
    lost: lost.signal,
    async commit(changes: readonly Change[]) {
      if (lost.signal.aborted) throw notLeader(epoch);
      if (changes.length === 0) return;
      try {
        await database.batch(changes.map(operation), { sync: true });
      } catch (error) {
        // After a failed sync nobody knows what is on the disk: this leadership is over, and a new one reads what is there.
        lost.abort();
        throw new MillraceError(
          "io-error",
          `the state in ${directory} can't be written: ${text(error)}. Check the disk and start again`,
          { cause: error },
        );
      }
    },
    async resign() {
      lost.abort();
    },
  };
}

function operation(change: Change) {
  if ("delete" in change) return { type: "del" as const, key: Buffer.from(recordPrefix + change.delete) };
  const key = Buffer.from(recordPrefix + change.put.key);
  return { type: "put" as const, key, value: seal(key, change.put.value) };
}

async function readEpoch(database: Database, directory: string): Promise<number> {
  let sealed: Buffer | undefined;
  try {
    sealed = await database.get(epochKey);
  } catch (error) {
    throw readError(directory, error);
  }
  return sealed === undefined ? 0 : Number(unseal(directory, epochKey, sealed).readBigUInt64BE());
}

function seal(key: Buffer, value: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(crcBytes + value.length);
  sealed.set(value, crcBytes);
  sealed.writeUInt32LE(crc32Of(value, crc32Of(key)), 0);
  return sealed;
}

function unseal(directory: string, key: Buffer, sealed: Buffer): Buffer {
  const value = sealed.subarray(crcBytes);
  if (sealed.length < crcBytes || sealed.readUInt32LE(0) !== crc32Of(value, crc32Of(key))) {
    throw corrupt(directory, `the record ${JSON.stringify(key.toString("utf8"))} fails its checksum`);
  }
  return value;
}

function openError(directory: string, error: unknown): MillraceError {
  const cause = (error as { cause?: unknown }).cause ?? error;
  const code = systemCode(cause);
  if (code === "LEVEL_LOCKED" || /lock/i.test(text(cause))) {
    return new MillraceError(
      "state-busy",
      `${directory} is in use by another process: wait for it to end, or choose another output or --work-dir`,
      { cause: error },
    );
  }
  if (code === "LEVEL_CORRUPTION" || /corruption|checksum|manifest/i.test(text(cause)))
    return corrupt(directory, text(cause));
  return new MillraceError("io-error", `the state in ${directory} can't be opened: ${text(cause)}`, { cause: error });
}

function readError(directory: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  if (systemCode(error) === "LEVEL_CORRUPTION" || /corruption|checksum/i.test(text(error)))
    return corrupt(directory, text(error));
  return new MillraceError("io-error", `the state in ${directory} can't be read: ${text(error)}`, { cause: error });
}

function corrupt(directory: string, what: string): MillraceError {
  return new MillraceError(
    "corrupt-state",
    `the state in ${directory} is damaged (${what}). Nothing was published from it: remove the folder and run the job again`,
  );
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
