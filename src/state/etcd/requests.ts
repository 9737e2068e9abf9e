// Pieces of etcd's transactions.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { CompareSchema, RequestOpSchema } from "../../wire/gen/etcd/rpc_pb.ts";

/** What a comparison looks at, in etcd's numbers. */
const createTarget = 1;
const valueTarget = 3;

export type Operation = MessageInitShape<typeof RequestOpSchema>;
type Comparison = MessageInitShape<typeof CompareSchema>;

export function get(key: Uint8Array): Operation {
  return { request: { case: "requestRange", value: { key } } };
}

/** A lease of 0 is none. */
export function put(key: Uint8Array, value: Uint8Array, lease = 0n): Operation {
  return { request: { case: "requestPut", value: { key, value, lease } } };
}

/** Deletes a key, or all keys from it to before `end`. What is not there is no error. */
export function remove(key: Uint8Array, end: Uint8Array = new Uint8Array()): Operation {
  return { request: { case: "requestDeleteRange", value: { key, rangeEnd: end } } };
}

/** Whether a key was created at this revision. At 0: whether it does not exist. */
export function createdAt(key: Uint8Array, revision: bigint): Comparison {
  return { target: createTarget, key, targetUnion: { case: "createRevision", value: revision } };
}

export function hasValue(key: Uint8Array, value: Uint8Array): Comparison {
  return { target: valueTarget, key, targetUnion: { case: "value", value } };
}
