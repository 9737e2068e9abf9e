// What one transaction, and what a request like one, does to a tree: etcd's rules and limits.
import type { Compare, RangeRequest, RequestOp, TxnRequest } from "../../wire/gen/etcd/rpc_pb.ts";
import type { Changed, KeyValue, Tree } from "./tree.ts";
import { nameOf, within } from "./tree.ts";

/** gRPC's status codes, as far as etcd answers them here. */
export const grpc = { invalid: 3, notFound: 5, outOfRange: 11, unavailable: 14 } as const;

/** An error as etcd answers it: a code of gRPC and its text. */
export class EtcdError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(`etcdserver: ${message}`);
    this.code = code;
  }
}

/** etcd's `--max-txn-ops`. */
const operationsMax = 128;

export interface Applied {
  readonly succeeded: boolean;
  readonly responses: readonly object[];
  readonly changes: readonly Changed[];
}

export function applyTxn(tree: Tree, txn: TxnRequest, hasLease: (id: bigint) => boolean): Applied {
  check(txn);
  const succeeded = txn.compare.every((comparison) => holds(tree, comparison));
  const operations = succeeded ? txn.success : txn.failure;
  // Checked before anything is written: a transaction is applied whole or not at all.
  for (const { request } of operations)
    if (request.case === "requestPut" && request.value.lease !== 0n && !hasLease(request.value.lease))
      throw new EtcdError(grpc.notFound, "requested lease not found");
  const revision = tree.revision + 1n;
  const changes: Changed[] = [];
  const responses = operations.map(({ request }: RequestOp) => {
    switch (request.case) {
      case "requestRange":
        return { response: { case: "responseRange", value: readRange(tree, request.value, revision) } };
      case "requestPut": {
        const { key, value, lease } = request.value;
        changes.push(tree.put(key, value, lease, revision));
        return { response: { case: "responsePut", value: {} } };
      }
      case "requestDeleteRange": {
        const { key, rangeEnd } = request.value;
        const gone = tree.names(key, rangeEnd).map((name) => tree.delete(name, revision)!);
        changes.push(...gone);
        return { response: { case: "responseDeleteRange", value: {} } };
      }
      default:
        throw new EtcdError(grpc.invalid, "an operation is none");
    }
  });
  if (changes.length > 0) tree.revision = revision;
  return { succeeded, responses, changes };
}

export function readRange(tree: Tree, request: RangeRequest, writing?: bigint): object {
  const { key, rangeEnd, limit, keysOnly } = request;
  if (request.revision > tree.revision)
    throw new EtcdError(grpc.outOfRange, "mvcc: required revision is a future revision");
  if (request.revision > 0n && request.revision < tree.compacted)
    throw new EtcdError(grpc.outOfRange, "mvcc: required revision has been compacted");
  const all = tree.range(key, rangeEnd, request.revision === 0n ? (writing ?? tree.revision) : request.revision);
  const some = limit > 0n ? all.slice(0, Number(limit)) : all;
  const kvs = keysOnly ? some.map((kv) => ({ ...kv, value: new Uint8Array() })) : some;
  return { kvs, more: some.length < all.length };
}

function check({ compare, success, failure }: TxnRequest): void {
  if (Math.max(compare.length, success.length, failure.length) > operationsMax)
    throw new EtcdError(grpc.invalid, "too many operations in txn request");
  for (const operations of [success, failure]) {
    const puts = new Set<string>();
    for (const { request } of operations) {
      if (request.case !== "requestPut") continue;
      const name = nameOf(request.value.key);
      if (puts.has(name)) throw new EtcdError(grpc.invalid, "duplicate key given in txn request");
      puts.add(name);
    }
    for (const { request } of operations) {
      if (request.case !== "requestDeleteRange") continue;
      const isIn = within(request.value.key, request.value.rangeEnd);
      if ([...puts].some(isIn)) throw new EtcdError(grpc.invalid, "duplicate key given in txn request");
    }
  }
}

/** The product asks for equality alone. */
function holds(tree: Tree, { key, targetUnion }: Compare): boolean {
  const kv: KeyValue | undefined = tree.get(nameOf(key));
  switch (targetUnion.case) {
    case "createRevision":
      return (kv?.createRevision ?? 0n) === targetUnion.value;
    case "value":
      // A key that is not there has no value that could be equal.
      return kv !== undefined && Buffer.compare(kv.value, targetUnion.value) === 0;
    default:
      throw new EtcdError(grpc.invalid, "a comparison is with nothing");
  }
}
