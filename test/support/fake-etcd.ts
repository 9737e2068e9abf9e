// A member of etcd in the process of the test: the calls that the state store uses, with the limits of the real one,
// and faults that a test can ask for. It keeps all that was at each revision, until it is compacted.
import { createServer, type ServerHttp2Session } from "node:http2";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  type Compare,
  KV,
  Lease,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
  type TxnResponse,
  TxnResponseSchema,
  Watch,
} from "../../src/wire/gen/etcd/rpc_pb.ts";

interface Kept {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly createRevision: bigint;
  readonly lease: bigint;
}

type Keys = ReadonlyMap<string, Kept>;

/** What a test puts between a transaction and its effect. */
export type OnTransaction = (apply: () => TxnResponse, request: TxnRequest) => TxnResponse | Promise<TxnResponse>;

export interface FakeEtcd {
  /** "HOST:PORT". */
  readonly client: string;
  /** All transactions that write something, as they were asked for. */
  readonly transactions: readonly TxnRequest[];
  readonly revision: bigint;
  /** Default: applies it and answers. */
  onTransaction: OnTransaction | undefined;
  /** Called before each reading of records, with its revision. */
  onRange: ((request: RangeRequest) => void) | undefined;
  /** Whether leases are kept alive. Default true: they never end by themselves. */
  keepsLeases: boolean;
  keys(): readonly string[];
  put(key: string, value: string): void;
  compact(): void;
  /** Ends a lease, as its time does: the keys that have it go. */
  expire(): void;
  close(): Promise<void>;
}

const operationsMax = 128;
const requestBytesMax = 1.5 * 1024 * 1024;

export async function startFakeEtcd(): Promise<FakeEtcd> {
  const history = new Map<bigint, Keys>([[1n, new Map()]]);
  const transactions: TxnRequest[] = [];
  const watchers = new Set<() => void>();
  let revision = 1n;
  let compacted = 0n;
  let leases = 0n;
  const alive = new Set<bigint>();
  const now = () => history.get(revision)!;

  const write = (change: (keys: Map<string, Kept>, at: bigint) => void) => {
    const keys = new Map(now());
    change(keys, revision + 1n);
    history.set(++revision, keys);
    for (const wake of [...watchers]) wake();
  };
  const range = (request: RangeRequest) => {
    fake.onRange?.(request);
    const at = request.revision === 0n ? revision : request.revision;
    if (at < compacted)
      throw new ConnectError("etcdserver: mvcc: required revision has been compacted", Code.OutOfRange);
    const found = [...history.get(at)!.values()]
      .filter(({ key }) => isWithin(key, request.key, request.rangeEnd))
      .sort((a, b) => Buffer.compare(a.key, b.key));
    const limit = request.limit === 0n ? found.length : Number(request.limit);
    const kvs = found.slice(0, limit).map((kv) => (request.keysOnly ? { ...kv, value: new Uint8Array() } : kv));
    return { header: { revision }, kvs, more: found.length > limit };
  };
  const apply = (request: TxnRequest): TxnResponse => {
    const succeeded = request.compare.every((compare) => holds(compare, now()));
    const operations = succeeded ? request.success : request.failure;
    check(operations);
    for (const { request: operation } of operations) {
      if (operation.case === "requestPut" && operation.value.lease !== 0n && !alive.has(operation.value.lease))
        throw new ConnectError("etcdserver: requested lease not found", Code.NotFound);
    }
    if (operations.some(isWrite))
      write((keys, at) => {
        for (const { request: operation } of operations) {
          if (operation.case === "requestPut") {
            const { key, value, lease } = operation.value;
            const createRevision = keys.get(nameOf(key))?.createRevision ?? at;
            keys.set(nameOf(key), { key, value, lease, createRevision });
          } else if (operation.case === "requestDeleteRange") {
            const { key, rangeEnd } = operation.value;
            for (const [name, kept] of keys) if (isWithin(kept.key, key, rangeEnd)) keys.delete(name);
          }
        }
      });
    const responses: MessageInitShape<typeof TxnResponseSchema>["responses"] = operations.map(
      ({ request: operation }) =>
        operation.case === "requestRange"
          ? { response: { case: "responseRange" as const, value: range(operation.value) } }
          : { response: { case: "responsePut" as const, value: {} } },
    );
    return create(TxnResponseSchema, { header: { revision }, succeeded, responses });
  };
  const end = (lease: bigint) => {
    alive.delete(lease);
    write((keys) => {
      for (const [name, kept] of keys) if (kept.lease === lease) keys.delete(name);
    });
  };

  const server = createServer(
    connectNodeAdapter({
      routes: (router) => {
        router.service(KV, {
          range,
          txn: async (request) => {
            if (!request.success.some(isWrite)) return apply(request);
            transactions.push(request);
            return await (fake.onTransaction ?? ((whole: () => TxnResponse) => whole()))(() => apply(request), request);
          },
          compact: ({ revision: to }) => {
            compacted = to;
            return {};
          },
        });
        router.service(Lease, {
          leaseGrant: ({ TTL }) => {
            alive.add(++leases);
            return { ID: leases, TTL };
          },
          leaseRevoke: ({ ID }) => {
            end(ID);
            return {};
          },
          async *leaseKeepAlive(requests) {
            for await (const { ID } of requests) {
              if (!fake.keepsLeases) await new Promise(() => {});
              yield { TTL: alive.has(ID) ? 5n : 0n };
            }
          },
        });
        router.service(Watch, {
          async *watch(requests, { signal }) {
            for await (const { requestUnion } of requests) {
              const from = requestUnion.value?.startRevision ?? 0n;
              if (from <= compacted) {
                yield { canceled: true, compactRevision: compacted };
                return;
              }
              yield { created: true };
              while (revision < from && !signal.aborted) await woken(watchers, signal);
              yield { events: [{}] };
            }
          },
        });
      },
    }),
  );
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => sessions.add(session));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  const fake: FakeEtcd = {
    client: `127.0.0.1:${port}`,
    transactions,
    get revision() {
      return revision;
    },
    onTransaction: undefined,
    onRange: undefined,
    keepsLeases: true,
    keys: () => [...now().values()].map(({ key }) => Buffer.from(key).toString()).sort(),
    put: (key, value) =>
      write((keys, at) => {
        const bytes = Buffer.from(key);
        keys.set(nameOf(bytes), { key: bytes, value: Buffer.from(value), lease: 0n, createRevision: at });
      }),
    compact: () => {
      compacted = revision;
    },
    expire: () => {
      for (const lease of [...alive]) end(lease);
    },
    close: async () => {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

function woken(watchers: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      watchers.delete(wake);
      resolve();
    };
    watchers.add(wake);
    signal.addEventListener("abort", wake, { once: true });
  });
}

function isWrite({ request }: RequestOp): boolean {
  return request.case === "requestPut" || request.case === "requestDeleteRange";
}

/** What etcd refuses. */
function check(operations: readonly RequestOp[]): void {
  const refuse = (why: string) => {
    throw new ConnectError(`etcdserver: ${why}`, Code.InvalidArgument);
  };
  if (operations.length > operationsMax) refuse("too many operations in txn request");
  const puts = operations.flatMap(({ request }) => (request.case === "requestPut" ? [request.value] : []));
  const removals = operations.flatMap(({ request }) => (request.case === "requestDeleteRange" ? [request.value] : []));
  if (puts.reduce((sum, { key, value }) => sum + key.length + value.length, 0) > requestBytesMax)
    refuse("request is too large");
  const isTwice =
    new Set(puts.map(({ key }) => nameOf(key))).size < puts.length ||
    puts.some(({ key }) => removals.some((removal) => isWithin(key, removal.key, removal.rangeEnd)));
  if (isTwice) refuse("duplicate key given in txn request");
}

function holds({ key, target, targetUnion }: Compare, keys: Keys): boolean {
  const kept = keys.get(nameOf(key));
  if (target === 1) return (kept?.createRevision ?? 0n) === targetUnion.value;
  const { value } = targetUnion;
  return target === 3 && kept !== undefined && value instanceof Uint8Array && Buffer.compare(kept.value, value) === 0;
}

function isWithin(key: Uint8Array, from: Uint8Array, end: Uint8Array): boolean {
  if (end.length === 0) return Buffer.compare(key, from) === 0;
  return Buffer.compare(key, from) >= 0 && Buffer.compare(key, end) < 0;
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}
