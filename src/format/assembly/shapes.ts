// Lines to rows of whatever fields they have, where no fields are declared. A row's shape is the names of its fields in their order:
// a node of a tree that each name leads one step down.
//
//   node = u32 name, u32 parent, u32 first child, u32 next sibling, u32 the child that was taken last, u32 its depth
//
// Left to the caller is what is not quite plain, as in lines.ts, and: a name that occurs twice, and what the tree has no room for.
import { FLOAT, NUMBER } from "./kinds";
import { behindBlanks, behindField, BRACE_CLOSE, BRACE_OPEN, COLON, COMMA, nextLineFeed } from "./lines";
import {
  CONSUMED,
  FIRST,
  KINDS,
  NARROW,
  NARROW_LENGTH,
  NODES,
  NODES_MAX,
  ROWS_MAX,
  SHAPES,
  SLOTS,
  STARTS,
  WIDE,
  WIDE_LENGTH,
} from "./memory";
import { behindName, isNameAt, isNobody, nameAt } from "./names";
import { clearText, LINE_FEED, narrowAt, wideAt } from "./text";

const STRIDE: usize = 24;
const PARENT: usize = 4;
const CHILD: usize = 8;
const SIBLING: usize = 12;
const LAST: usize = 16;
const DEPTH: usize = 20;

const MINUS: u8 = 0x2d;
/** In the place of a shape: the row has none. */
const LEFT: u32 = <u32>-1;

let nodes: u32 = 0;

/** Forgets all shapes but that of no fields, which is 0. */
export function resetShapes(): void {
  memory.fill(NODES, 0, STRIDE);
  nodes = 1;
}

/**
 * Reads lines of [at, end), which is followed by a line feed, into rows, as many as there is room for; the first byte is at
 * `offset` in the file. Returns how many; CONSUMED is behind the last one. Kinds and slots are one behind the other, of each
 * row as many as its shape has fields.
 */
export function scanShapes(start: usize, end: usize, offset: f64): u32 {
  let rows: u32 = 0;
  let cells: usize = 0;
  let at = start;
  clearText();
  while (at < end && rows < ROWS_MAX) {
    const open = behindBlanks(at);
    if (load<u8>(open) == LINE_FEED) {
      at = open + 1;
      continue;
    }
    const row = <usize>rows;
    store<f64>(STARTS + (row << 3), offset + <f64>(at - start));
    const read = lineEnd(open, KINDS + cells, SLOTS + (cells << 3));
    if (read == 0) {
      store<u32>(SHAPES + (row << 2), LEFT);
      at = nextLineFeed(open) + 1;
    } else {
      store<u32>(SHAPES + (row << 2), (<u32>(shape - NODES)) / <u32>STRIDE);
      cells += load<u32>(shape, DEPTH);
      at = read + 1;
    }
    rows++;
  }
  store<u32>(CONSUMED, <u32>(min(at, end) - start));
  store<u32>(NARROW_LENGTH, <u32>(narrowAt - NARROW));
  store<u32>(WIDE_LENGTH, <u32>((wideAt - WIDE) >> 1));
  return rows;
}

/** Of the line that `lineEnd` passed. */
let shape: usize = 0;

/** Index of the line feed behind the object at `open`; 0: it is left to the caller. */
// @ts-ignore
@inline
function lineEnd(open: usize, kinds: usize, slots: usize): usize {
  if (load<u8>(open) != BRACE_OPEN) return 0;
  let node: usize = NODES;
  let kind = kinds;
  let slot = slots;
  let at = behindBlanks(open + 1);
  if (load<u8>(at) != BRACE_CLOSE) {
    while (true) {
      node = childAt(node, at);
      if (node == 0) return 0;
      at = behindName;
      if (load<u8>(at) != COLON) {
        at = behindBlanks(at);
        if (load<u8>(at) != COLON) return 0;
      }
      at = behindBlanks(at + 1);
      const first = load<u8>(at);
      at = behindField(at, FLOAT, kind, slot);
      if (at == 0) return 0;
      // JSON has it, and JavaScript too.
      if (first == MINUS && load<u8>(kind) == NUMBER && load<f64>(slot) == 0) store<f64>(slot, -0.0);
      kind++;
      slot += 8;
      at = behindBlanks(at);
      const byte = load<u8>(at);
      if (byte != COMMA) {
        if (byte != BRACE_CLOSE) return 0;
        break;
      }
      at = behindBlanks(at + 1);
    }
  }
  shape = node;
  at = behindBlanks(at + 1);
  return load<u8>(at) == LINE_FEED ? at : 0;
}

/** The node that the name at `at` leads to; 0: none. */
// @ts-ignore
@inline
function childAt(node: usize, at: usize): usize {
  const last = load<u32>(node, LAST);
  return last != 0 && isNameAt(at, load<u32>(last)) ? last : otherChild(node, at);
}

function otherChild(node: usize, at: usize): usize {
  const name = nameAt(at, FIRST);
  if (name == 0 || isNobody(name)) return 0;
  for (let child = load<u32>(node, CHILD); child != 0; child = load<u32>(child, SIBLING)) {
    if (load<u32>(child) != name) continue;
    store<u32>(node, child, LAST);
    return child;
  }
  for (let before = node; before != NODES; before = load<u32>(before, PARENT)) {
    if (load<u32>(before) == name) return 0;
  }
  if (nodes == NODES_MAX) return 0;
  const child = NODES + <usize>nodes * STRIDE;
  nodes++;
  memory.fill(child, 0, STRIDE);
  store<u32>(child, name);
  store<u32>(child, <u32>node, PARENT);
  store<u32>(child, load<u32>(node, CHILD), SIBLING);
  store<u32>(child, load<u32>(node, DEPTH) + 1, DEPTH);
  store<u32>(node, <u32>child, CHILD);
  store<u32>(node, <u32>child, LAST);
  return child;
}
