// What etcd holds: keys with their revisions, as far back as it was not compacted.
export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  readonly lease: bigint;
}

/** One change of one key, in the order of revisions. */
export interface Changed {
  readonly revision: bigint;
  readonly name: string;
  readonly before: KeyValue | undefined;
  readonly after: KeyValue | undefined;
}

export class Tree {
  revision = 1n;
  compacted = 0n;
  readonly #now = new Map<string, KeyValue>();
  #log: Changed[] = [];

  get(name: string): KeyValue | undefined {
    return this.#now.get(name);
  }

  /** Part of the transaction that makes that revision. */
  put(key: Uint8Array, value: Uint8Array, lease: bigint, revision: bigint): Changed {
    const name = nameOf(key);
    const before = this.#now.get(name);
    const after: KeyValue = {
      key: key.slice(),
      value: value.slice(),
      createRevision: before?.createRevision ?? revision,
      modRevision: revision,
      lease,
    };
    return this.#changed({ revision, name, before, after });
  }

  /** Undefined: there was none. */
  delete(name: string, revision: bigint): Changed | undefined {
    const before = this.#now.get(name);
    return before === undefined ? undefined : this.#changed({ revision, name, before, after: undefined });
  }

  /** Names in a range as requests give it: one key, or `key` to before `rangeEnd`; a zero byte: to the end. */
  names(key: Uint8Array, rangeEnd: Uint8Array): string[] {
    const name = nameOf(key);
    if (rangeEnd.length === 0) return this.#now.has(name) ? [name] : [];
    return [...this.#now.keys()].filter(within(key, rangeEnd)).sort();
  }

  /** As it was at that revision, in the order of keys. */
  range(key: Uint8Array, rangeEnd: Uint8Array, revision: bigint): KeyValue[] {
    const isIn = within(key, rangeEnd);
    const found = new Map<string, KeyValue>();
    for (const [name, kv] of this.#now) if (isIn(name)) found.set(name, kv);
    for (let i = this.#log.length - 1; i >= 0 && this.#log[i]!.revision > revision; i--) {
      const { name, before } = this.#log[i]!;
      if (!isIn(name)) continue;
      if (before === undefined) found.delete(name);
      else found.set(name, before);
    }
    return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, kv]) => kv);
  }

  /** Changes of a range from a revision on. */
  since(key: Uint8Array, rangeEnd: Uint8Array, revision: bigint): Changed[] {
    const isIn = within(key, rangeEnd);
    return this.#log.filter((changed) => changed.revision >= revision && isIn(changed.name));
  }

  compact(revision: bigint): void {
    this.compacted = revision;
    this.#log = this.#log.filter((changed) => changed.revision > revision);
  }

  #changed(changed: Changed): Changed {
    if (changed.after === undefined) this.#now.delete(changed.name);
    else this.#now.set(changed.name, changed.after);
    this.#log.push(changed);
    return changed;
  }
}

/** One character per byte: orders as bytes do. */
export function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

export function within(key: Uint8Array, rangeEnd: Uint8Array): (name: string) => boolean {
  const from = nameOf(key);
  if (rangeEnd.length === 0) return (name) => name === from;
  const to = nameOf(rangeEnd);
  return to === "\0" ? (name) => name >= from : (name) => name >= from && name < to;
}
