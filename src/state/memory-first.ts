// The store of a local run: in memory at first, and on disk from the moment that the run has taken a while. A run that
// is over before never loads LevelDB, and leaves no store.
//
//   memory ──► DIR.new/ is opened ──► all records, synced ──rename──► DIR/        commits wait from the copy on
//      └─────► nowhere, where it can't be kept, or is not to be
//
// A crash finds DIR/ whole or not there. In the second case the run has to begin again: what was acknowledged until
// then is lost with the process, as with the run of a program that stores nothing.
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { MillraceError } from "../base/error.ts";
import type { Clock } from "../base/system/clock.ts";
import { failpoint } from "../base/system/failpoint.ts";
import { createMemoryStore, notLeader } from "./memory.ts";
import { Seat } from "./seat.ts";
import type { Change, Leader, Leadership, StateStore, StoredRecord } from "./store.ts";

export interface MemoryFirstOptions {
  /** Where the store will be. It does not exist yet. */
  readonly directory: string;
  readonly clock: Clock;
  /** When the state moves to disk by itself; undefined: it is for no one after the process, and is not kept at all. */
  readonly afterMs: number | undefined;
  /** Called once, where the state can't be moved to disk: `missing-package`, `io-error`, `no-space`. */
  readonly onLost: (error: MillraceError) => void;
}

type Place =
  | { readonly kind: "memory"; readonly store: StateStore }
  | { readonly kind: "disk"; readonly store: StateStore }
  | { readonly kind: "nowhere" };

/** A leadership as its holder sees it, and the one in the store that has the records now. */
interface Leading {
  readonly epoch: number;
  readonly lost: AbortController;
  inner: Leadership | undefined;
}

export class MemoryFirstStore implements StateStore {
  readonly #options: MemoryFirstOptions;
  readonly #closing = new AbortController();
  readonly #seat = new Seat();
  #place: Place;
  #leading: Leading | undefined;
  #epoch = 0;
  /** The last call: each waits for the one before it, so that none falls between copy and rename. */
  #last: Promise<unknown> = Promise.resolve();
  #keeping: Promise<boolean> | undefined;

  constructor(options: MemoryFirstOptions) {
    this.#options = options;
    const { afterMs, clock } = options;
    this.#place = afterMs === undefined ? { kind: "nowhere" } : { kind: "memory", store: createMemoryStore() };
    if (afterMs === undefined) return;
    void clock.sleep(afterMs, this.#closing.signal).then(() => {
      if (!this.#closing.signal.aborted) void this.keep();
    });
  }

  /** Moves the state to disk if it is not there yet. False where it can't be: then nothing of it stays. */
  keep(): Promise<boolean> {
    this.#keeping ??= this.#keep();
    return this.#keeping;
  }

  /** Whether the state outlives this process. */
  get isKept(): boolean {
    return this.#place.kind === "disk";
  }

  lead(owner: string, signal: AbortSignal): Promise<Leadership> {
    return this.#next(async () => {
      this.#leading?.lost.abort();
      const inner = this.#place.kind === "nowhere" ? undefined : await this.#place.store.lead(owner, signal);
      this.#epoch = inner?.epoch ?? this.#epoch + 1;
      const leading: Leading = { epoch: this.#epoch, lost: new AbortController(), inner: undefined };
      this.#follow(leading, inner);
      this.#leading = leading;
      this.#seat.take({ owner, epoch: leading.epoch, since: this.#options.clock.date().getTime() });
      leading.lost.signal.addEventListener("abort", () => this.#seat.leave(leading.epoch));
      return {
        epoch: leading.epoch,
        lost: leading.lost.signal,
        commit: (changes) => this.#commit(leading, changes),
        resign: async () => leading.lost.abort(),
      };
    });
  }

  async leader(): Promise<Leader | undefined> {
    return this.#seat.leader;
  }

  watchLeader(signal: AbortSignal): AsyncIterable<Leader | undefined> {
    return this.#seat.watch(AbortSignal.any([signal, this.#closing.signal]));
  }

  async *scan(prefix: string): AsyncIterable<StoredRecord> {
    const place = await this.#next(async () => this.#place);
    if (place.kind !== "nowhere") yield* place.store.scan(prefix);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#keeping;
    await this.#last;
    this.#leading?.lost.abort();
    if (this.#place.kind !== "nowhere") await this.#place.store.close();
  }

  #commit(leading: Leading, changes: readonly Change[]): Promise<void> {
    return this.#next(async () => {
      if (leading.lost.signal.aborted) throw notLeader(leading.epoch);
      await leading.inner?.commit(changes);
    });
  }

  async #keep(): Promise<boolean> {
    if (this.#place.kind === "nowhere") return false;
    const { directory, onLost } = this.#options;
    const temporary = `${directory}.new`;
    try {
      const { openLevelStore } = await import("./leveldb.ts");
      rmSync(temporary, { recursive: true, force: true });
      const store = await openLevelStore(temporary, { who: "--resume" });
      failpoint("state.beforeMove");
      await this.#next(async () => {
        await copy(this.#place, store);
        failpoint("state.beforeRename");
        renameSync(temporary, directory);
        syncDirectory(dirname(directory));
        failpoint("state.afterRename");
        await this.#moveInto(await openLevelStore(directory));
      });
      return true;
    } catch (error) {
      await this.#next(() => this.#forget());
      // A store that the run does not go on writing would be taken for its last word.
      for (const path of [temporary, directory]) removeIfPossible(path);
      onLost(asTrouble(error, directory));
      return false;
    }
  }

  async #moveInto(store: StateStore): Promise<void> {
    try {
      // Epochs begin again in a new store, and have to be larger than any that was given out.
      let inner: Leadership;
      do inner = await store.lead("a local run", this.#closing.signal);
      while (inner.epoch <= this.#epoch);
      this.#epoch = inner.epoch;
      if (this.#leading !== undefined) this.#follow(this.#leading, inner);
    } catch (error) {
      await store.close();
      throw error;
    }
    this.#place = { kind: "disk", store };
  }

  #follow(leading: Leading, inner: Leadership | undefined): void {
    leading.inner = inner;
    inner?.lost.addEventListener("abort", () => {
      if (leading.inner === inner) leading.lost.abort();
    });
  }

  #forget(): void {
    this.#place = { kind: "nowhere" };
    if (this.#leading !== undefined) this.#follow(this.#leading, undefined);
  }

  #next<T>(work: () => Promise<T> | T): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {}); // its own caller gets the error
    return done;
  }
}

/** Writes all records of a store to a new one, and closes that. */
async function copy(from: Place, to: StateStore): Promise<void> {
  try {
    const leadership = await to.lead("a copy", new AbortController().signal);
    const changes: Change[] = [];
    if (from.kind === "memory") for await (const put of from.store.scan("")) changes.push({ put });
    await leadership.commit(changes);
  } finally {
    await to.close();
  }
}

function removeIfPossible(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // What keeps it from being removed is what kept it from being written, and the caller is told of that.
  }
}

/** Makes a rename durable. Windows has no such call, and needs none. */
function syncDirectory(path: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function asTrouble(error: unknown, directory: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new MillraceError("io-error", `the state in ${directory} can't be written: ${why}`, { cause: error });
}
