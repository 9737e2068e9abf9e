// Sort records (`sort.ts`), and sorting them by their prefixes: a radix sort that begins with the most significant
// digit, keeps the order of equals, and leaves small buckets to insertion.

export const INSERTION_MAX: u32 = 16;
const DIGIT_BITS_MAX: u32 = 10;

/** Where the histogram is: a u32 per digit. */
export let histogram: usize = 0;

export function setHistogram(at: usize): void {
  histogram = at;
}

// @ts-ignore
@inline
export function prefixAt(record: usize): u64 {
  return load<u64>(record);
}

// @ts-ignore
@inline
export function pairAt(record: usize): usize {
  return load<u32>(record, 8);
}

// @ts-ignore
@inline
export function keyAt(record: usize): usize {
  return load<u32>(record, 8) + (load<u32>(record, 12) & 15);
}

// @ts-ignore
@inline
export function keyBytesAt(record: usize): u32 {
  return load<u32>(record, 12) >> 4;
}

// @ts-ignore
@inline
export function move(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
}

/** The bits in which the records' prefixes differ. */
export function differenceOf(records: usize, count: u32): u64 {
  const first = prefixAt(records);
  let difference: u64 = 0;
  const end = records + (<usize>count << 4);
  for (let at = records + 16; at < end; at += 16) difference |= prefixAt(at) ^ first;
  return difference;
}

/**
 * Sorts `count` records at `from` by their prefixes, which differ in these bits. The result is there, or in `other`.
 */
export function radix(from: usize, other: usize, count: u32, difference: u64, staysHere: bool): void {
  if (count <= INSERTION_MAX || difference == 0) {
    if (count == 1) {
      if (!staysHere) move(other, from);
    } else if (difference == 0) {
      if (!staysHere) memory.copy(other, from, <usize>count << 4);
    } else if (staysHere) insertHere(from, count);
    else insertInto(other, from, count);
    return;
  }
  const highest = 64 - <u32>clz<u64>(difference);
  const bits = min(highest, min(DIGIT_BITS_MAX, 31 - <u32>clz<u32>(count)));
  const shift = <u64>(highest - bits);
  const digitMask = (<u64>1 << <u64>bits) - 1;
  memory.fill(histogram, 0, <usize>4 << bits);
  const end = from + (<usize>count << 4);
  for (let at = from; at < end; at += 16) {
    const slot = histogram + (<usize>((prefixAt(at) >> shift) & digitMask) << 2);
    store<u32>(slot, load<u32>(slot) + 16);
  }
  let sum = <u32>other;
  const slots = histogram + (<usize>4 << bits);
  for (let slot = histogram; slot < slots; slot += 4) {
    const bytes = load<u32>(slot);
    store<u32>(slot, sum);
    sum += bytes;
  }
  for (let at = from; at < end; at += 16) {
    const slot = histogram + (<usize>((prefixAt(at) >> shift) & digitMask) << 2);
    const to = load<u32>(slot);
    store<u32>(slot, to + 16);
    move(to, at);
  }
  // The histogram is free for the next level: buckets are found again by their digit.
  const otherEnd = other + (<usize>count << 4);
  let at = other;
  while (at < otherEnd) {
    const first = prefixAt(at);
    let next = at + 16;
    let inside: u64 = 0;
    while (next < otherEnd) {
      const change = prefixAt(next) ^ first;
      if (change >> shift != 0) break;
      inside |= change;
      next += 16;
    }
    radix(at, from + (at - other), <u32>((next - at) >> 4), inside, !staysHere);
    at = next;
  }
}

function insertHere(records: usize, count: u32): void {
  const end = records + (<usize>count << 4);
  for (let at = records + 16; at < end; at += 16) {
    const prefix = prefixAt(at);
    if (prefixAt(at - 16) <= prefix) continue;
    const record = v128.load(at);
    let to = at;
    do {
      move(to, to - 16);
      to -= 16;
    } while (to > records && prefixAt(to - 16) > prefix);
    v128.store(to, record);
  }
}

function insertInto(to: usize, from: usize, count: u32): void {
  move(to, from);
  for (let i: u32 = 1; i < count; i++) {
    const source = from + (<usize>i << 4);
    const prefix = prefixAt(source);
    let at = to + (<usize>i << 4);
    while (at > to && prefixAt(at - 16) > prefix) {
      move(at, at - 16);
      at -= 16;
    }
    move(at, source);
  }
}
