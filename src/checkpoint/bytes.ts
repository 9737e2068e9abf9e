// The bytes of a checkpoint's file (docs/checkpoints.md): "MILLCKP1", the message Checkpoint (checkpoint.proto), and
// the SHA-256 of all before. A file of another version begins differently, and counts as none.
import { createHash } from "node:crypto";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { SavedPart } from "../output/part-writer.ts";
import { big, duration, num, required } from "../wire/codec.ts";
import { fromCounters, fromPosition, fromRunRef, toCounters, toPosition, toRunRef } from "../wire/convert-common.ts";
import {
  type Checkpoint_MapDone,
  type Checkpoint_ReduceDone,
  type Checkpoint_SavedPart,
  type Checkpoint as CheckpointMessage,
  CheckpointSchema,
} from "../wire/gen/millrace/v1/checkpoint_pb.ts";
import type { Checkpoint, MapCheckpoint, ReduceCheckpoint } from "./checkpoint.ts";

const magic = Buffer.from("MILLCKP1");
const checksumBytes = 32;

/** `work`: a digest of what the attempt was given to do. */
export function checkpointBytes(work: Uint8Array, checkpoint: Checkpoint): Buffer {
  const message = toBinary(CheckpointSchema, create(CheckpointSchema, { work, done: doneOf(checkpoint) }));
  const content = Buffer.concat([magic, message]);
  return Buffer.concat([content, checksumOf(content)]);
}

/** Undefined: the bytes are damaged, of another version, or about other work. */
export function checkpointOf(work: Uint8Array, bytes: Buffer): Checkpoint | undefined {
  const end = bytes.length - checksumBytes;
  if (end < magic.length || !bytes.subarray(0, magic.length).equals(magic)) return undefined;
  if (!checksumOf(bytes.subarray(0, end)).equals(bytes.subarray(end))) return undefined;
  try {
    const message = fromBinary(CheckpointSchema, bytes.subarray(magic.length, end));
    return Buffer.from(message.work).equals(work) ? fromDone(message.done) : undefined;
  } catch {
    return undefined; // a version that says something else by the same fields
  }
}

function checksumOf(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function doneOf(checkpoint: Checkpoint): MessageInitShape<typeof CheckpointSchema>["done"] {
  switch (checkpoint.kind) {
    case "map":
      return { case: "map", value: toMapDone(checkpoint) };
    case "reduce":
      return { case: "reduce", value: toReduceDone(checkpoint) };
  }
}

function fromDone(done: CheckpointMessage["done"]): Checkpoint | undefined {
  switch (done.case) {
    case "map":
      return fromMapDone(done.value);
    case "reduce":
      return fromReduceDone(done.value);
    case undefined:
      return undefined;
  }
}

function toMapDone(checkpoint: MapCheckpoint) {
  return {
    position: toPosition(checkpoint.position),
    runs: checkpoint.runs.map(toRunRef),
    outputs: checkpoint.outputs.map(toSavedPart),
    emissions: big(checkpoint.emissions),
    emissionDigest: checkpoint.emissionDigest,
    counters: toCounters(checkpoint.counters),
    records: big(checkpoint.records),
    bytes: big(checkpoint.bytes),
    spills: big(checkpoint.spills),
    memoryRunBytes: big(checkpoint.memoryRunBytes),
    diskRunBytes: big(checkpoint.diskRunBytes),
    valuesReturned: checkpoint.valuesReturned,
    spentMs: duration(checkpoint.spentMs),
  };
}

function fromMapDone(done: Checkpoint_MapDone): MapCheckpoint {
  return {
    kind: "map",
    position: fromPosition(required(done.position, "a position")),
    runs: done.runs.map(fromRunRef),
    outputs: done.outputs.map(fromSavedPart),
    emissions: num(done.emissions),
    emissionDigest: done.emissionDigest,
    counters: fromCounters(done.counters),
    records: num(done.records),
    bytes: num(done.bytes),
    spills: num(done.spills),
    memoryRunBytes: num(done.memoryRunBytes),
    diskRunBytes: num(done.diskRunBytes),
    valuesReturned: done.valuesReturned,
    spentMs: duration(done.spentMs),
  };
}

function toReduceDone(checkpoint: ReduceCheckpoint) {
  return {
    inputs: checkpoint.inputs,
    groups: big(checkpoint.groups),
    pairs: big(checkpoint.pairs),
    key: checkpoint.key,
    outputs: checkpoint.outputs.map(toSavedPart),
    counters: toCounters(checkpoint.counters),
    valuesReturned: checkpoint.valuesReturned,
    spentMs: duration(checkpoint.spentMs),
  };
}

function fromReduceDone(done: Checkpoint_ReduceDone): ReduceCheckpoint {
  return {
    kind: "reduce",
    inputs: done.inputs,
    groups: num(done.groups),
    pairs: num(done.pairs),
    key: done.key,
    outputs: done.outputs.map(fromSavedPart),
    counters: fromCounters(done.counters),
    valuesReturned: done.valuesReturned,
    spentMs: duration(done.spentMs),
  };
}

function toSavedPart({ output, records, members, staged, pending }: SavedPart) {
  return {
    output,
    records: big(records),
    members: big(members),
    ...staged,
    bytes: big(staged.bytes),
    pending,
  };
}

function fromSavedPart(part: Checkpoint_SavedPart): SavedPart {
  const { output, records, members, bytes, sha256, token, file, pending } = part;
  const staged = { bytes: num(bytes), sha256, token, file };
  return { output, records: num(records), members: num(members), staged, pending };
}
