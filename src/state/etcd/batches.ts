// Changes, cut into what one transaction takes. etcd takes 128 operations of different keys in 1.5 MiB, so changes of
// one key are folded: the last one counts, as no one sees what is between.
import { MiB } from "../../base/limits.ts";
import type { Change } from "../store.ts";
import {
  behind,
  crcOf,
  type Layout,
  type PartsList,
  type PartsName,
  partBytes,
  sealNames,
  sealWhole,
} from "./layout.ts";
import { type Operation, put, remove } from "./requests.ts";

/** Two less than etcd's default, 128, beside the sequence. */
const operationsMax = 125;
const batchBytes = 1 * MiB;
/** What an operation has beside key and value. */
const operationBytes = 64;

/** Which values of records lie in parts. The leader knows it, as it alone writes. */
export class LargeValues {
  readonly #ids = new Map<string, string>();
  readonly #layout: Layout;
  readonly #epoch: number;
  #count = 0;

  constructor(layout: Layout, epoch: number) {
    this.#layout = layout;
    this.#epoch = epoch;
  }

  /** A value that is there, or is about to be. */
  note({ key, id }: PartsName): void {
    this.#ids.set(key, id);
  }

  /** A name that no value has had. */
  name(key: string): PartsName {
    return { key, id: `${this.#epoch}.${++this.#count}` };
  }

  /** Forgets the value in parts that the key has, and gives the operation that removes it; undefined: it has none. */
  removal(key: string): Operation | undefined {
    const id = this.#ids.get(key);
    if (id === undefined) return undefined;
    this.#ids.delete(key);
    const prefix = this.#layout.partsOf({ key, id });
    return remove(prefix, behind(prefix));
  }
}

/**
 * The transactions of a commit, in order. The parts of a large value come in transactions of their own before the one
 * with the record that names them; parts that no record names are nothing.
 */
export function* batchesOf(
  changes: readonly Change[],
  layout: Layout,
  large: LargeValues,
): Generator<readonly Operation[]> {
  let puts = new Map<string, { readonly operation: Operation; readonly bytes: number }>();
  let removals: Operation[] = [];
  let bytes = 0;
  const batch = () => {
    const operations = [...[...puts.values()].map(({ operation }) => operation), ...removals];
    [puts, removals, bytes] = [new Map(), [], 0];
    return operations;
  };
  for (const change of changes) {
    const key = "put" in change ? change.put.key : change.delete;
    let parts: PartsList | undefined;
    if ("put" in change && change.put.value.length > partBytes) {
      const { value } = change.put;
      const count = Math.ceil(value.length / partBytes);
      parts = { ...large.name(key), count, bytes: value.length, crc: crcOf(key, value) };
      for (let index = 0; index < count; index++) {
        yield [put(layout.part(parts, index), value.subarray(index * partBytes, (index + 1) * partBytes))];
      }
    }
    const record = layout.record(key);
    const sealed =
      "put" in change ? (parts === undefined ? sealWhole(key, change.put.value) : sealNames(parts)) : undefined;
    const size = record.length + (sealed?.length ?? 0) + operationBytes;
    if (puts.size + removals.length + 2 > operationsMax || bytes + size > batchBytes) {
      if (puts.size > 0) yield batch();
    }
    const removal = large.removal(key);
    if (removal !== undefined) removals.push(removal);
    if (parts !== undefined) large.note(parts);
    bytes += size - (puts.get(key)?.bytes ?? 0);
    puts.set(key, { operation: sealed === undefined ? remove(record) : put(record, sealed), bytes: size });
  }
  if (puts.size > 0) yield batch();
}
