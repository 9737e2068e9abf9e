// Names that have been seen, the declared ones first. Each remembers which one followed it, as most lines have one
// layout, or one of a few that differ in whether some fields are there.
import { FIRST, HEADS, NAMES, NAMES_MAX } from "./memory";
import { BACKSLASH, CONTROL_END, QUOTE } from "./text";

/**
 * Layout: u32 bytes of the name in its quotes, i32 field (-1: not declared), u32 the name that followed it last (0:
 * none yet), u32 the next one with the same hash, u32 a bit for each of its first 16 bytes, u16 bytes of its last
 * number (0: different from the number before), u16 bytes of its last number in any case, then the quoted name.
 */
const STRIDE: usize = 128;
const FIELD: usize = 4;
export const FOLLOWER: usize = 8;
const NEXT: usize = 12;
const BITS: usize = 16;
export const WIDTH: usize = 20;
export const LAST_WIDTH: usize = 22;
const TEXT: usize = 24;
/** Longer names are neither remembered nor declared. */
const BYTES_MAX: u32 = 104;

let count: u32 = 0;
/** Stands for every name that can't be remembered. */
let nobody: u32 = 0;
/** The index behind the name that `nameAt` found. */
export let behindName: usize = 0;

/** Forgets all names. */
export function reset(): void {
  store<u32>(FIRST, 0);
  memory.fill(HEADS, 0, 1024);
  count = 0;
  nobody = add(0, 0, -1);
}

/** Declares that the quoted name of `length` bytes, UTF-8, at `at` is this field's. */
export function declare(at: usize, length: u32, field: i32): void {
  link(add(at, length, field), at, length);
}

function add(at: usize, length: u32, field: i32): u32 {
  const entry = NAMES + <usize>count * STRIDE;
  count++;
  memory.fill(entry, 0, STRIDE);
  store<u32>(entry, length);
  store<i32>(entry, field, FIELD);
  store<u32>(entry, length < 16 ? (<u32>1 << length) - 1 : 0xffff, BITS);
  memory.copy(entry + TEXT, at, length);
  return <u32>entry;
}

function link(entry: u32, at: usize, length: u32): void {
  const head = headOf(at, length);
  store<u32>(entry, load<u32>(head), NEXT);
  store<u32>(head, entry);
}

function headOf(at: usize, length: u32): usize {
  const first = length < 8 ? load<u64>(at) & ((<u64>1 << <u64>(length << 3)) - 1) : load<u64>(at);
  const last = length < 8 ? 0 : load<u64>(at + length - 8);
  const hash = (first ^ (last * 0x9e3779b97f4a7c15) ^ length) * 0xff51afd7ed558ccd;
  return HEADS + <usize>((hash >> 56) << 2);
}

/** The field of the name that `nameAt` found; -1: it is not declared. */
// @ts-ignore
@inline
export function fieldOf(name: u32): i32 {
  return load<i32>(name, FIELD);
}

/** Whether the quoted name is at `at`. */
// @ts-ignore
@inline
function isAt(at: usize, name: u32): bool {
  const bits = load<u32>(name, BITS);
  const equal = <u32>i8x16.bitmask(i8x16.eq(v128.load(at), v128.load(name, TEXT)));
  return (equal & bits) == bits && (bits != 0xffff || restIsAt(at, name));
}

function restIsAt(at: usize, name: u32): bool {
  const length = load<u32>(name);
  for (let i: u32 = 16; i < length; i++) if (load<u8>(at + i) != load<u8>(name + i, TEXT)) return false;
  return true;
}

/** Whether this name is at `at`; if so, `behindName` is the index behind it. */
// @ts-ignore
@inline
export function isNameAt(at: usize, name: u32): bool {
  if (!isAt(at, name)) return false;
  behindName = at + load<u32>(name);
  return true;
}

/** Whether this is the name that stands for those that can't be remembered. */
export function isNobody(name: u32): bool {
  return name == nobody;
}

/** The name at `at`, where the one after `follower` is tried first; 0: there is no name, or one with escapes. */
// @ts-ignore
@inline
export function nameAt(at: usize, follower: usize): u32 {
  const expected = load<u32>(follower);
  if (expected != 0 && isAt(at, expected)) {
    behindName = at + load<u32>(expected);
    return expected;
  }
  return unexpected(at, follower);
}

function unexpected(at: usize, follower: usize): u32 {
  if (load<u8>(at) != QUOTE) return 0;
  let end = at + 1;
  for (let byte = load<u8>(end); byte != QUOTE; byte = load<u8>(++end)) {
    if (byte < CONTROL_END || byte == BACKSLASH) return 0;
  }
  behindName = end + 1;
  const length = <u32>(behindName - at);
  if (length > BYTES_MAX) return nobody;
  for (let name = load<u32>(headOf(at, length)); name != 0; name = load<u32>(name, NEXT)) {
    if (load<u32>(name) == length && isAt(at, name)) {
      store<u32>(follower, name);
      return name;
    }
  }
  if (count == NAMES_MAX) return nobody;
  const name = add(at, length, -1);
  link(name, at, length);
  store<u32>(follower, name);
  return name;
}
