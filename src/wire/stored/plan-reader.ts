// Reads a chunk of a stored plan. Its splits are read by hand, as there are a million when a master takes over a large
// job, and the library reads the rest. convert.test.ts compares both with what the library makes of the whole.
import type { Plan, Split } from "../../input/plan.ts";
import { unreadable } from "../codec.ts";
import { WireReader } from "../protobuf/reader.ts";

const reader = new WireReader();
/** `splits` of Plan, `pieces` of Split (plan.proto). */
const splitsField = 2;
const piecesField = 1;

/**
 * Reads a chunk. Throws `corrupt-state` for bytes that are no such message. `decodeRest` reads a plan without splits.
 */
export function decodePlanChunk(bytes: Uint8Array, decodeRest: (bytes: Uint8Array) => Plan): Plan {
  const splits: Split[] = [];
  const rest: Uint8Array[] = [];
  try {
    reader.open(bytes);
    for (let from = 0; reader.next(); from = reader.at) {
      if (reader.field === splitsField) splits.push(readSplit());
      else {
        reader.skip();
        rest.push(bytes.subarray(from, reader.at));
      }
    }
  } catch (error) {
    throw unreadable(bytes, "Plan", "corrupt-state", error);
  }
  const { buffer, byteOffset, length } = Buffer.concat(rest);
  return { ...decodeRest(new Uint8Array(buffer, byteOffset, length)), splits };
}

function readSplit(): Split {
  const outer = reader.enter();
  const pieces: Split[number][] = [];
  while (reader.next()) {
    if (reader.field === piecesField) pieces.push(readPiece());
    else reader.skip();
  }
  reader.leave(outer);
  return pieces;
}

function readPiece(): Split[number] {
  const outer = reader.enter();
  let file = 0;
  let start = 0;
  let end = 0;
  while (reader.next()) {
    if (reader.field === 1) file = reader.uint();
    else if (reader.field === 2) start = reader.uint();
    else if (reader.field === 3) end = reader.uint();
    else reader.skip();
  }
  reader.leave(outer);
  return { file, start, end };
}
