// Makes lines into rows of whatever fields they have, where no fields are declared. A row's shape is the names of its
// fields in their order, and which of them hold objects of which shape: a node of a tree, in which each name, and each
// brace inside the record, leads one step down.
//
//   node = u32 name, or OPEN or CLOSE, u32 parent, u32 first child, u32 next sibling, u32 the child taken last,
//          u32 values so far, u32 node behind "{", u32 node behind "}"
//
// Arrays are values. Lines that are not quite plain are left to the caller, as in lines.ts, and also: a name that
// occurs twice, objects nested too deep, and lines for which the tree has no room.
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

const STRIDE: usize = 32;
const PARENT: usize = 4;
const CHILD: usize = 8;
const SIBLING: usize = 12;
const LAST: usize = 16;
const VALUES: usize = 20;
const OPENED: usize = 24;
const CLOSED: usize = 28;

/** Takes the place of a name: the value of the name before is an object, or such an object has ended. */
const OPEN: u32 = 1;
const CLOSE: u32 = 2;
const DEPTH_MAX: u32 = 32;

const MINUS: u8 = 0x2d;
/** Takes the place of a shape: the row has none. */
const LEFT: u32 = <u32>-1;

let nodes: u32 = 0;

/** Forgets all shapes except that of no fields, which is 0. */
export function resetShapes(): void {
  memory.fill(NODES, 0, STRIDE);
  nodes = 1;
}

/**
 * Reads lines of [start, end), which is followed by a line feed, into as many rows as there is room for; the first byte
 * is at `offset` in the file. Returns their number; CONSUMED is behind the last one. Kinds and slots lie one after the
 * other: a row has as many as its shape has values.
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
      cells += load<u32>(shape, VALUES);
      at = read + 1;
    }
    rows++;
  }
  store<u32>(CONSUMED, <u32>(min(at, end) - start));
  store<u32>(NARROW_LENGTH, <u32>(narrowAt - NARROW));
  store<u32>(WIDE_LENGTH, <u32>((wideAt - WIDE) >> 1));
  return rows;
}

/** The shape of the line that `lineEnd` passed. */
let shape: usize = 0;

/** Index of the line feed behind the object at `open`; 0 where it is left to the caller. */
// @ts-ignore
@inline
function lineEnd(open: usize, kinds: usize, slots: usize): usize {
  if (load<u8>(open) != BRACE_OPEN) return 0;
  let node: usize = NODES;
  let kind = kinds;
  let slot = slots;
  let depth: u32 = 0;
  let at = behindBlanks(open + 1);
  let isEmpty = load<u8>(at) == BRACE_CLOSE;
  while (true) {
    if (!isEmpty) {
      node = childAt(node, at);
      if (node == 0) return 0;
      at = behindName;
      if (load<u8>(at) != COLON) {
        at = behindBlanks(at);
        if (load<u8>(at) != COLON) return 0;
      }
      at = behindBlanks(at + 1);
      const first = load<u8>(at);
      if (first == BRACE_OPEN) {
        if (++depth > DEPTH_MAX) return 0;
        node = braceNode(node, OPENED);
        if (node == 0) return 0;
        at = behindBlanks(at + 1);
        isEmpty = load<u8>(at) == BRACE_CLOSE;
        continue;
      }
      at = behindField(at, FLOAT, kind, slot);
      if (at == 0) return 0;
      // JSON has -0, and so has JavaScript.
      if (first == MINUS && load<u8>(kind) == NUMBER && load<f64>(slot) == 0) store<f64>(slot, -0.0);
      kind++;
      slot += 8;
      at = behindBlanks(at);
    }
    isEmpty = false;
    let byte = load<u8>(at);
    while (byte == BRACE_CLOSE && depth > 0) {
      depth--;
      node = braceNode(node, CLOSED);
      if (node == 0) return 0;
      at = behindBlanks(at + 1);
      byte = load<u8>(at);
    }
    if (byte == BRACE_CLOSE) break;
    if (byte != COMMA) return 0;
    at = behindBlanks(at + 1);
  }
  shape = node;
  at = behindBlanks(at + 1);
  return load<u8>(at) == LINE_FEED ? at : 0;
}

/** The node behind a brace; 0 where there is no room. */
// @ts-ignore
@inline
function braceNode(node: usize, side: usize): usize {
  const next = load<u32>(node + side);
  return next != 0 ? next : newBraceNode(node, side);
}

function newBraceNode(node: usize, side: usize): usize {
  // The object that begins takes the place of its name's value.
  const values = load<u32>(node, VALUES);
  const next = side == OPENED ? newNode(OPEN, node, values - 1) : newNode(CLOSE, node, values);
  store<u32>(node + side, <u32>next);
  return next;
}

/** Returns 0 where there is no room. */
function newNode(name: u32, parent: usize, values: u32): usize {
  if (nodes == NODES_MAX) return 0;
  const node = NODES + <usize>nodes * STRIDE;
  nodes++;
  memory.fill(node, 0, STRIDE);
  store<u32>(node, name);
  store<u32>(node, <u32>parent, PARENT);
  store<u32>(node, values, VALUES);
  return node;
}

/** The node that the name at `at` leads to; 0 where there is none. */
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
  if (isTaken(node, name)) return 0;
  const child = newNode(name, node, load<u32>(node, VALUES) + 1);
  if (child == 0) return 0;
  store<u32>(child, load<u32>(node, CHILD), SIBLING);
  store<u32>(node, <u32>child, CHILD);
  store<u32>(node, <u32>child, LAST);
  return child;
}

/** Whether the object that is open at this node has the name already. */
function isTaken(node: usize, name: u32): bool {
  let inner: u32 = 0;
  for (let before = node; before != NODES; before = load<u32>(before, PARENT)) {
    const one = load<u32>(before);
    if (one == CLOSE) inner++;
    else if (one == OPEN) {
      if (inner == 0) return false;
      inner--;
    } else if (one == name && inner == 0) return true;
  }
  return false;
}
