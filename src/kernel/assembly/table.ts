// The table of keys. A node holds a key of up to 16 bytes and its fold, so that a pair of a known key needs nothing
// else:
//
// node = u64 a, u64 b, f64 number, u32 place of the value in its entry, u32 shape
//
// up to 16 key bytes: a and b are the key, zeros behind it; shape = key bytes + 1
//   longer keys:         a is a hash of the key, b its bytes; shape = LONG; the key itself is compared in the entry
//
// With explicit partitions the upper half of shape is the partition, as a key may be in several. Nodes are numbered
// from 1 in the order in which keys came, so frequent ones lie together. They are found by an index with linear
// probing:
//
// slot of the index = 7 bits of the key's hash, 25 bits number of the node; 0 is free
//
//   arena: … ← node node node | index |      the index begins as large as was needed last, and doubles
//
// Keys are looked up in groups: first all of a group are described and their slots touched, so that cache misses
// overlap.
//
// description = u64 a, u64 b, u32 slot, u32 shape, u32 where the key or pair begins, u32 key bytes or where the value
// begins,
//                 u32 bits of the hash

import { same } from "./bytes";
import { TOUCHED } from "./state";

const BITS_MIN: u32 = 10;
const BITS_MAX: u32 = 25;
/** Up to this size of the index at most 5 of 16 slots are taken, beyond it 5 of 8. */
const BITS_SPARSE: u32 = 14;
export const NODE: usize = 32;
const NUMBER: u32 = (1 << 25) - 1;
export const LONG: u32 = 0x8000;
/** Key bytes that a node holds. */
const INLINE: u32 = 16;

/**
 * 16 bytes of ones and 16 of zeros, in the state region. The 16 bytes that begin at `INLINE - n` are a mask of n bytes.
 */
const MASKS: usize = 512;
/** Descriptions of a group, in the state region. */
export const GROUP: usize = 1024;
export const DESCRIPTION: usize = 40;
/** Keys of a group. */
export const GROUP_KEYS: u32 = 64;

/** Where the table begins: its last node. */
export let table: usize = 0;
let index: usize = 0;
let indexEnd: usize = 0;
/** 64 minus the bits of a slot's number. */
let shift: u64 = 0;
/** The number of keys at which the index should grow, and the number at which it is full when it can't. */
let growAt: u32 = 0;
let fullAt: u32 = 0;
/** The size that the last filled table needed, as bits of its slots' number. */
let needed: u32 = BITS_MIN;

/** Clears the table, which ends at `end`. At first the index takes at most a 16th of the space from `start`. */
export function clearTable(start: usize, end: usize): void {
  v128.store(MASKS, i8x16.splat(-1));
  v128.store(MASKS + 16, i8x16.splat(0));
  indexEnd = end;
  let bits = needed;
  while (bits > BITS_MIN && <usize>4 << bits > (end - start) >> 4) bits--;
  openIndex(bits);
  table = index;
}

function openIndex(bits: u32): void {
  index = indexEnd - (<usize>4 << bits);
  shift = 64 - bits;
  growAt = keysOf(bits);
  fullAt = 7 << (bits - 3);
  memory.fill(index, 0, indexEnd - index);
}

/**
 * The keys that an index of this size should hold. A small index stays in the processor's nearest caches when few slots
 * are taken.
 */
function keysOf(bits: u32): u32 {
  return 5 << (bits - (bits <= BITS_SPARSE ? 4 : 3));
}

/**
 * Remembers how many keys were needed: the next index begins large enough for them, but not below half of this one's
 * size.
 */
export function rememberKeys(keys: u32): void {
  needed = max<u32>(BITS_MIN, needed - 1);
  while (needed < BITS_MAX && keysOf(needed) <= keys + GROUP_KEYS) needed++;
}

/** Makes room in the index for another group. Returns false when there is none between `usedEnd` and the nodes. */
export function growFor(usedEnd: usize): bool {
  const keys = <u32>((index - table) / NODE) + GROUP_KEYS;
  return keys < growAt || growIndex(usedEnd) || keys < fullAt;
}

/** Doubles the index; the nodes move down. */
function growIndex(usedEnd: usize): bool {
  const bytes = indexEnd - index;
  const bits = <u32>(65 - shift);
  if (bits > BITS_MAX || usedEnd + bytes > table) return false;
  memory.copy(table - bytes, table, index - table);
  table -= bytes;
  openIndex(bits);
  let number: u32 = 1;
  for (let node = index - NODE; node >= table; node -= NODE) {
    const h = hashOf(load<u64>(node), load<u64>(node, 8), load<u32>(node, 28));
    let slot = index + ((<usize>(h >> shift)) << 2);
    while (load<u32>(slot) != 0) slot = nextSlot(slot);
    store<u32>(slot, (<u32>(h >> 32) << 25) | number);
    number++;
  }
  return true;
}

/** Writes all numbers into their entries, where the sort finds them. */
export function settleTable(): void {
  for (let node = index - NODE; node >= table; node -= NODE) store<f64>(load<u32>(node, 24), load<f64>(node, 16));
}

// @ts-ignore
@inline
export function nextSlot(slot: usize): usize {
  slot += 4;
  return slot == indexEnd ? index : slot;
}

// @ts-ignore
@inline
function nodeOf(content: u32): usize {
  return index - (<usize>(content & NUMBER) << 5);
}

const K1: u64 = 0x9e3779b185ebca87;
const K2: u64 = 0xc2b2ae3d27d4eb4f;

// @ts-ignore
@inline
function hashOf(a: u64, b: u64, shape: u32): u64 {
  const h = (a ^ (b * K2) ^ rotl<u64>(shape, 40)) * K1;
  return (h ^ (h >> 32)) * K2;
}

/** Hashes a key that is longer than a node holds. Reads up to 15 bytes past it. */
function hashLong(key: usize, keyBytes: u32): u64 {
  let h: u64 = <u64>keyBytes * K2;
  while (keyBytes > 16) {
    h = rotl<u64>((h ^ load<u64>(key)) * K1, 29) + load<u64>(key, 8) * K2;
    h ^= h >> 32;
    key += 16;
    keyBytes -= 16;
  }
  const low = load<u64>(key) & load<u64>(MASKS + 16 - keyBytes);
  const high = load<u64>(key, 8) & load<u64>(MASKS + 24 - keyBytes);
  return (rotl<u64>((h ^ low) * K1, 31) ^ high) * K2;
}

/** Describes a key and touches its slot. Reads up to 15 bytes past the key. `high` is the upper half of its shape. */
// @ts-ignore
@inline
export function describe(to: usize, key: usize, keyBytes: u32, high: u32): u32 {
  let a: u64;
  let b: u64;
  let shape: u32;
  if (keyBytes <= INLINE) {
    a = load<u64>(key) & load<u64>(MASKS + 16 - keyBytes);
    b = load<u64>(key, 8) & load<u64>(MASKS + 24 - keyBytes);
    shape = high | (keyBytes + 1);
  } else {
    a = hashLong(key, keyBytes);
    b = keyBytes;
    shape = high | LONG;
  }
  const h = hashOf(a, b, shape);
  const slot = index + ((<usize>(h >> shift)) << 2);
  store<u64>(to, a);
  store<u64>(to, b, 8);
  store<u32>(to, <u32>slot, 16);
  store<u32>(to, shape, 20);
  store<u32>(to, <u32>(h >> 32) & 127, 32);
  return load<u32>(slot);
}

/** Touches the entries of a group's keys. */
export function touchEntries(to: usize): void {
  let touching: u32 = 0;
  for (let one = GROUP; one < to; one += DESCRIPTION) {
    const content = load<u32>(load<u32>(one, 16));
    if (content != 0) touching += load<u8>(load<u32>(nodeOf(content), 24));
  }
  store<u32>(TOUCHED, touching);
}

/** The slot where the search for a key ended, for `addNode`. */
let lastSlot: usize = 0;

/** The node of a key that was described and ends at `keyEnd`; 0: there is none. */
// @ts-ignore
@inline
export function find(one: usize, shape: u32, keyEnd: usize): usize {
  const a = load<u64>(one);
  const b = load<u64>(one, 8);
  const bits = load<u32>(one, 32);
  let slot = <usize>load<u32>(one, 16);
  while (true) {
    const content = load<u32>(slot);
    if (content >> 25 == bits) {
      const node = nodeOf(content);
      const difference = (load<u64>(node) ^ a) | (load<u64>(node, 8) ^ b) | <u64>(load<u32>(node, 28) ^ shape);
      if (content != 0 && difference == 0 && ((shape & LONG) == 0 || sameLong(load<u32>(node, 24), keyEnd, <u32>b))) return node;
    }
    if (content == 0) {
      lastSlot = slot;
      return 0;
    }
    slot = nextSlot(slot);
  }
}

function sameLong(place: usize, keyEnd: usize, keyBytes: u32): bool {
  return same(place - keyBytes, keyEnd - keyBytes, keyBytes);
}

/** Adds a node for a key that was described and not found. */
export function addNode(one: usize, shape: u32, number: f64, place: usize): void {
  table -= NODE;
  v128.store(table, v128.load(one));
  store<f64>(table, number, 16);
  store<u32>(table, <u32>place, 24);
  store<u32>(table, shape, 28);
  store<u32>(lastSlot, (load<u32>(one, 32) << 25) | <u32>((index - table) / NODE));
}
