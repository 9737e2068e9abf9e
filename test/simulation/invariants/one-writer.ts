// I19 one leader's writes at a time: what the store holds is always the result of the acknowledged commits of all
// leaders in their order, and of at most a beginning of the one that is not acknowledged. So: each write is a change
// of the commit that the leader of that epoch is at, and none comes twice or behind a later one of its key; what is
// acknowledged is there, whole, also when another leads meanwhile. A leader whose time has run out acts on no answer,
// also not on one that came before.
import type { Change } from "../../../src/state/store.ts";
import type { Invariant } from "../checks.ts";
import type { OracleWorld } from "../world.ts";

/** A commit that its leader has no answer to. */
interface Commit {
  readonly epoch: number;
  readonly changes: readonly Change[];
  /** By key: its change that is stored, as an index. */
  readonly stored: Map<string, number>;
  /** All of it was there when the next leader came. */
  isWhole: boolean | undefined;
}

type Records = Map<string, Uint8Array>;

export class OneWriter implements Invariant {
  readonly #world: OracleWorld;
  /** By the acknowledged commits. */
  #expected: Records = new Map();
  /** By epoch; also of those who lead no more. */
  readonly #commits = new Map<number, Commit>();

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  committing(epoch: number, changes: readonly Change[]): void {
    const isWhole = epoch < this.#world.server.epoch ? false : undefined;
    this.#commits.set(epoch, { epoch, changes, stored: new Map(), isWhole });
  }

  stored(change: Change, _before: Uint8Array | undefined, epoch: number): void {
    const key = keyOf(change);
    const commit = this.#commits.get(epoch);
    if (commit === undefined) {
      this.#wrong(`${key} is written in epoch ${epoch}, whose leader commits nothing`);
      return;
    }
    const from = (commit.stored.get(key) ?? -1) + 1;
    const at = commit.changes.findIndex((one, i) => i >= from && keyOf(one) === key && sameChange(one, change));
    if (at < 0) this.#wrong(`${key} is written in epoch ${epoch}, and not by the commit that its leader is at`);
    commit.stored.set(key, at);
  }

  acknowledged(epoch: number, changes: readonly Change[]): void {
    const { server } = this.#world;
    const commit = this.#commits.get(epoch);
    this.#commits.delete(epoch);
    if (epoch < server.epoch) {
      if (commit?.isWhole !== true)
        this.#wrong(`a commit of epoch ${epoch} is acknowledged, and the next leader had not all of it`);
      if (server.hasExpired(epoch)) this.#wrong(`the leader of epoch ${epoch} acts on an answer after its lease`);
      return;
    }
    apply(this.#expected, changes);
    const wrong = firstDifference(this.#expected, server.records, changes.map(keyOf));
    if (wrong !== undefined) this.#wrong(`a commit of epoch ${epoch} is acknowledged, and ${wrong}`);
  }

  led(epoch: number): void {
    const { records } = this.#world.server;
    const commit = this.#commits.get(epoch - 1);
    if (commit === undefined) {
      const wrong = firstDifference(this.#expected, records, records.keys());
      if (wrong !== undefined) this.#wrong(`epoch ${epoch} begins, and ${wrong}`);
    } else {
      this.#takeOver(commit);
    }
    this.#expected = new Map(records);
  }

  atEnd(): void {
    const { epoch, records } = this.#world.server;
    if (this.#commits.has(epoch)) return;
    const wrong = firstDifference(this.#expected, records, records.keys());
    if (wrong !== undefined) this.#wrong(`in the end ${wrong}`);
  }

  /** Some beginning of it is there, and nothing else. */
  #takeOver(commit: Commit): void {
    const { records } = this.#world.server;
    const { changes, epoch } = commit;
    const touched = new Set(changes.map(keyOf));
    const state: Records = new Map(this.#expected);
    for (let length = 0; ; length++) {
      if (firstDifference(state, records, touched) === undefined) commit.isWhole = length === changes.length;
      if (length === changes.length) break;
      apply(state, changes.slice(length, length + 1));
    }
    if (commit.isWhole === undefined)
      this.#wrong(`what is left of the last commit of epoch ${epoch} is no beginning of it`);
  }

  #wrong(message: string): void {
    this.#world.violate("I19", message);
  }
}

function keyOf(change: Change): string {
  return "put" in change ? change.put.key : change.delete;
}

function sameChange(a: Change, b: Change): boolean {
  return "put" in a ? "put" in b && Buffer.compare(a.put.value, b.put.value) === 0 : !("put" in b);
}

function apply(records: Records, changes: readonly Change[]): void {
  for (const change of changes) {
    if ("put" in change) records.set(change.put.key, change.put.value);
    else records.delete(change.delete);
  }
}

/** Among some keys, and of how many there are. */
function firstDifference(expected: Records, records: Records, keys: Iterable<string>): string | undefined {
  for (const key of keys) {
    const [must, is] = [expected.get(key), records.get(key)];
    if (must === undefined ? is !== undefined : is === undefined || Buffer.compare(must, is) !== 0)
      return `${key} is not what was committed last`;
  }
  return undefined;
}
