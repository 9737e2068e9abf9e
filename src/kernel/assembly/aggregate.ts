// Folding sorted sources in the table of keys instead of merging them: source by source, block by block, as if all of
// their pairs were emitted. A key that most sources have is found in the table in less time than it takes to find out,
// pair by pair, which of many sources has the least key; and only the table's content is sorted. Equal keys are folded
// in the order of the sources, as in a merge.
import { readVarint, varintEnd } from "./bytes";
import { addBatch, giveUp } from "./collect";
import { SOURCE_DIGEST, SOURCE_PAIRS, MALFORMED } from "./state";
import { xxh64, xxh64Short, xxh64Word } from "./xxh64";

/** Begins a source: its pairs and their digest are counted from here on. */
export function beginSource(): void {
  store<u64>(SOURCE_DIGEST, 0);
  store<f64>(SOURCE_PAIRS, 0);
}

/** Takes a block of pairs. Results are those of `addBatch`. */
export function aggregate(at: usize, end: usize): i32 {
  let digest = load<u64>(SOURCE_DIGEST);
  let pairs: f64 = load<f64>(SOURCE_PAIRS);
  let pair = at;
  while (pair < end) {
    let keyBytes: u32 = load<u8>(pair);
    let key = pair + 2;
    if (load<u8>(pair, 1) != 8 || keyBytes > 0x7f) {
      keyBytes = readVarint(pair, end);
      if (varintEnd == 0 || readVarint(varintEnd, end) != 8 || varintEnd == 0) return MALFORMED;
      key = varintEnd;
    }
    const value = key + keyBytes;
    if (<u64>key + <u64>keyBytes + 8 > <u64>end) return MALFORMED;
    const hash = keyBytes < 32 ? xxh64Short(key, keyBytes, 0) : xxh64(key, keyBytes, 0);
    digest += xxh64Word(load<u64>(value), hash);
    pairs += 1;
    pair = value + 8;
  }
  store<u64>(SOURCE_DIGEST, digest);
  store<f64>(SOURCE_PAIRS, pairs);
  return addBatch(at, end);
}

/** Stops folding because keys hardly repeat: later pairs are only kept, and sorted with the rest. */
export function stopFolding(): void {
  giveUp();
}
