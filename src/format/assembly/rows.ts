// Makes rows of csv and tsv into rows of a table, with only the cells of declared columns. It stops before a row that
// is not plain: one with a different number of cells, with quotes in a wrong place, or in tsv with a backslash.
import { ASCII_STRING, NUMBER, RAW, RAW_QUOTED, STRING } from "./kinds";
import {
  CELLS_MAX,
  CONSUMED,
  KINDS,
  NARROW,
  NARROW_LENGTH,
  PLACES,
  ROWS_MAX,
  SLOTS,
  STARTS,
  STOPPED,
  WANTS,
} from "./memory";
import { behindValue, isKnown, value } from "./numbers";
import { addAscii, clearText, LINE_FEED, narrowAt, QUOTE, textEnd, textStart } from "./text";

const CARRIAGE_RETURN: u8 = 0x0d;

let delimiter: u8 = 0;
/** The byte that no plain cell contains: a quote or a backslash. */
let strange: u8 = 0;
let quotes: bool = false;
/** Whether quoted cells may hold line ends. */
let multiline: bool = false;
let skipsEmpty: bool = false;
let width: u32 = 0;
let columns: u32 = 0;
/** The index behind the bytes to read; a line feed stands there that does not belong to them. */
let limit: usize = 0;

/** Describes all following rows. By cell, PLACES has the u16 of its column + 1, or 0. */
export function describeRows(delimiterByte: u8, strangeByte: u8, multilines: bool, skips: bool, cells: u32, wanted: u32): void {
  delimiter = delimiterByte;
  strange = strangeByte;
  quotes = strangeByte == QUOTE;
  multiline = multilines;
  skipsEmpty = skips && cells != 1;
  width = cells;
  columns = wanted;
}

/**
 * Reads rows of [start, end), as many as there is room for; the first byte is at `offset` in the file. Returns their
 * number; CONSUMED is behind the last one, and STOPPED says whether the row there is not plain.
 */
export function scanRows(start: usize, end: usize, offset: f64): u32 {
  const rowsMax = min(ROWS_MAX, CELLS_MAX / columns);
  let rows: u32 = 0;
  let kinds = KINDS;
  let slots = SLOTS;
  let at = start;
  let stopped: u32 = 0;
  limit = end;
  clearText();
  while (at < end && rows < rowsMax) {
    const behind = rowEnd(at, kinds, slots);
    if (behind == 0) {
      stopped = 1;
      break;
    }
    if (!isEmpty) {
      store<f64>(STARTS + (<usize>rows << 3), offset + <f64>(at - start));
      kinds += columns;
      slots += <usize>columns << 3;
      rows++;
    }
    at = behind;
  }
  store<u32>(CONSUMED, <u32>(min(at, end) - start));
  store<u32>(NARROW_LENGTH, <u32>(narrowAt - NARROW));
  store<u32>(STOPPED, stopped);
  return rows;
}

/** Whether the row that `rowEnd` passed is an empty line, which makes no row. */
let isEmpty: bool = false;

/** The index behind the row at `row`; 0 where it is not plain. */
function rowEnd(row: usize, kinds: usize, slots: usize): usize {
  let at = row;
  const last = width - 1;
  for (let cell: u32 = 0; cell < width; cell++) {
    let start = at;
    let end: usize;
    let isDoubled = false;
    if (quotes && load<u8>(at) == QUOTE && at < limit) {
      start = at + 1;
      end = closingQuote(start);
      if (end == 0) return 0;
      isDoubled = doubled;
      at = end + 1;
      // A carriage return is part of a line's end only where there is a line feed.
      if (load<u8>(at) == CARRIAGE_RETURN && load<u8>(at + 1) == LINE_FEED && at + 1 < limit) at++;
    } else {
      end = cellEnd(at);
      at = end;
      const byte = load<u8>(at);
      if (byte == strange && at < limit) return 0;
      if (byte == LINE_FEED && at > row && at < limit && load<u8>(at - 1) == CARRIAGE_RETURN) end--;
    }
    const isLast = at >= limit || load<u8>(at) == LINE_FEED;
    isEmpty = skipsEmpty && isLast && cell == 0 && start == row && end == row;
    if (isEmpty) return at + 1;
    const place = <u32>load<u16>(PLACES + (<usize>cell << 1));
    if (place != 0) put(start, end, isDoubled, place - 1, kinds, slots);
    if (isLast) return cell == last ? at + 1 : 0;
    if (cell == last || load<u8>(at) != delimiter) return 0;
    at++;
  }
  return 0;
}

/** Puts a cell into the table. */
// @ts-ignore
@inline
function put(start: usize, end: usize, isDoubled: bool, column: u32, kinds: usize, slots: usize): void {
  const kind = kinds + column;
  const slot = slots + (<usize>column << 3);
  if (load<u8>(WANTS + column) > STRING && behindValue(start, load<u8>(WANTS + column)) == end && isKnown) {
    store<u8>(kind, NUMBER);
    store<f64>(slot, value);
    return;
  }
  if (!isDoubled && addAscii(start, end)) {
    store<u8>(kind, ASCII_STRING);
    store<u32>(slot, textStart);
    store<u32>(slot, textEnd, 4);
    return;
  }
  store<u8>(kind, isDoubled ? RAW_QUOTED : RAW);
  store<u32>(slot, <u32>start);
  store<u32>(slot, <u32>end, 4);
}

/** The index of the delimiter, line feed or strange byte at or behind `at`. */
// @ts-ignore
@inline
function cellEnd(at: usize): usize {
  while (true) {
    const window = v128.load(at);
    const marks = v128.or(i8x16.eq(window, i8x16.splat(<i8>delimiter)), i8x16.eq(window, i8x16.splat(<i8>strange)));
    const stops = <u32>i8x16.bitmask(v128.or(marks, i8x16.eq(window, i8x16.splat(<i8>LINE_FEED))));
    if (stops != 0) return at + ctz<u32>(stops);
    at += 16;
  }
}

/** Whether the quoted cell that was passed has doubled quotes. */
let doubled: bool = false;

/**
 * The index of the quote that closes the cell whose text begins at `from`; 0 where no quote is in a place where it may
 * be.
 */
function closingQuote(from: usize): usize {
  doubled = false;
  let at = from;
  while (at < limit) {
    const window = v128.load(at);
    let marks = i8x16.eq(window, i8x16.splat(<i8>QUOTE));
    if (!multiline) marks = v128.or(marks, i8x16.eq(window, i8x16.splat(<i8>LINE_FEED)));
    const stops = <u32>i8x16.bitmask(marks);
    if (stops == 0) {
      at += 16;
      continue;
    }
    at += ctz<u32>(stops);
    if (at >= limit || load<u8>(at) != QUOTE) return 0;
    if (load<u8>(at + 1) != QUOTE || at + 1 >= limit) return at;
    doubled = true;
    at += 2;
  }
  return 0;
}
