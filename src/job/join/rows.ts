// The rows of one key, from its records side by side. The left ones are kept until all right ones have come: in memory
// up to `limits.joinKeptBytes`, beyond that in a file, which is read again for each right record.
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { limits } from "../../base/limits.ts";
import type { KeptList, Room } from "../definition.ts";
import { type Sided, sidedCodec } from "./sided.ts";
import { recordsNeeded } from "./sides.ts";
import type { How } from "./types.ts";

/** Makes a row of a record of each side; null: none. */
export type MakeRow = (left: unknown, right: unknown) => unknown;

/** The rows of a key's records; `isNull`: its key equals nothing. */
export function rowsOf(
  how: How,
  records: Iterable<unknown>,
  isNull: boolean,
  room: Room,
  row: MakeRow,
): Iterable<unknown> {
  const values = (records as Iterable<Sided>)[Symbol.iterator]();
  if (how === "semi" || how === "anti") return matchRows(values, how === "semi", row);
  const needs = recordsNeeded(how);
  if (isNull) return lonelyRows(values, row);
  return pairRows(values, { left: needs.left.unmatched, right: needs.right.unmatched }, room, row);
}

/** Left records by whether there are right ones, which come first. */
function* matchRows(values: Iterator<Sided>, wanted: boolean, row: MakeRow): Generator<unknown> {
  let isMatched = false;
  for (let next = values.next(); next.done !== true; next = values.next()) {
    const { side, record } = next.value;
    if (side === "right") isMatched = true;
    else if (isMatched === wanted) yield row(record, null);
    else return; // and so for all others of this key
  }
}

/** Each record on its own. */
function* lonelyRows(values: Iterator<Sided>, row: MakeRow): Generator<unknown> {
  for (let next = values.next(); next.done !== true; next = values.next()) {
    const { side, record } = next.value;
    yield side === "left" ? row(record, null) : row(null, record);
  }
}

/** Each right record with each left one. */
function* pairRows(
  values: Iterator<Sided>,
  unmatched: { readonly left: boolean; readonly right: boolean },
  room: Room,
  row: MakeRow,
): Generator<unknown> {
  const lefts = new LeftRecords(room);
  let next = values.next();
  for (; next.done !== true && next.value.side === "left"; next = values.next()) lefts.add(next.value);
  if (next.done === true) {
    if (unmatched.left) for (const left of lefts) yield row(left, null);
    return;
  }
  if (lefts.isEmpty && !unmatched.right) return;
  for (; next.done !== true; next = values.next()) {
    const { record } = next.value;
    if (lefts.isEmpty) yield row(null, record);
    else for (const left of lefts) yield row(left, record);
  }
}

/** A key's left records, which can be read again and again. */
class LeftRecords implements Iterable<unknown> {
  readonly #room: Room;
  #held: Sided[] = [];
  #heldBytes = 0;
  #kept: KeptList | undefined;
  readonly #scratch = new ByteBuffer(0);
  isEmpty = true;

  constructor(room: Room) {
    this.#room = room;
  }

  add(left: Sided): void {
    this.isEmpty = false;
    this.#heldBytes += left.bytes + recordBytes;
    if (this.#kept === undefined && this.#heldBytes <= limits.joinKeptBytes) {
      this.#held.push(left);
      return;
    }
    this.#kept ??= this.#spill();
    this.#write(this.#kept, left);
  }

  *[Symbol.iterator](): Generator<unknown> {
    if (this.#kept === undefined) for (const { record } of this.#held) yield record;
    else for (const bytes of this.#kept.read()) yield sidedCodec.read(bytes).record;
  }

  #spill(): KeptList {
    const kept = this.#room.keep();
    for (const left of this.#held) this.#write(kept, left);
    this.#held = [];
    return kept;
  }

  #write(kept: KeptList, left: Sided): void {
    this.#scratch.reset();
    sidedCodec.write(left, this.#scratch);
    kept.add(this.#scratch.view());
  }
}

/** What a record takes in memory beside its bytes, at least. */
const recordBytes = 64;
