// All records under a prefix, as they were at one revision, in pages. The first page is linearizable: it is answered by
// a member that has seen every commit acknowledged before.
import { MillraceError } from "../../base/error.ts";
import { MiB } from "../../base/limits.ts";
import type { KeyValue } from "../../wire/gen/etcd/rpc_pb.ts";
import type { StoredRecord } from "../store.ts";
import { behind, corrupt, crcOf, type Layout, type PartsList, unseal } from "./layout.ts";
import { EtcdError, type Members } from "./members.ts";
import { get } from "./requests.ts";

/** Records of the first page; each later one may have four times as many as the one before it. */
const firstRecords = 100;
const recordsMax = 5_000;
/** A page has about this many bytes. A far larger one is refused, and asked for again with fewer records. */
const pageBytes = 2 * MiB;
/** Scans that begin again, as others compact etcd faster than pages are read. */
const restartsMax = 10;

/** Where records are read. */
export interface ScanParts {
  readonly members: Members;
  readonly layout: Layout;
  /** Ends scans. */
  readonly signal: AbortSignal;
}

/** What is left of a scan, and how it is read. */
interface Rest {
  readonly from: Uint8Array;
  readonly end: Uint8Array;
  readonly limit: number;
  /** The revision of all pages. 0: the first page says which. */
  readonly revision: bigint;
}

interface Page {
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
  readonly revision: bigint;
  /** The sequence at this revision, which every transaction of a leader raises; undefined: the page did not ask. */
  readonly sequence: string | undefined;
}

export async function* scanRecords(parts: ScanParts, prefix: string): AsyncGenerator<StoredRecord, void> {
  const begin = parts.layout.record(prefix);
  let rest: Rest = { from: begin, end: behind(begin), limit: firstRecords, revision: 0n };
  /** At the revision of what was given out already; undefined: nothing was. */
  let sequence: string | undefined;
  for (let restarts = 0; ; ) {
    let page: Page;
    let records: readonly StoredRecord[];
    try {
      page = await readPage(parts, rest);
      if (sequence !== undefined && page.sequence !== undefined && page.sequence !== sequence) throw compactedAway();
      records = await recordsOf(parts, page);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      if (error.kind === "too-large" && rest.limit > 1) rest = { ...rest, limit: Math.ceil(rest.limit / 8) };
      // From the start again; or from here, if nothing was written since, so that all records are as they were.
      else if (error.kind === "compacted" && restarts++ < restartsMax)
        rest = { ...rest, from: sequence === undefined ? begin : rest.from, revision: 0n };
      else throw error;
      continue;
    }
    sequence ??= page.sequence;
    yield* records;
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return;
    const bytes = page.kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    const fitting = Math.floor((pageBytes * page.kvs.length) / bytes);
    rest = {
      ...rest,
      from: Buffer.concat([last.key, Buffer.of(0)]),
      limit: Math.max(1, Math.min(recordsMax, rest.limit * 4, fitting)),
      revision: page.revision,
    };
  }
}

async function readPage({ members, layout, signal }: ScanParts, { from, end, limit, revision }: Rest): Promise<Page> {
  const range = { key: from, rangeEnd: end, limit: BigInt(limit), revision };
  if (revision !== 0n) {
    const { kvs, more } = await members.call(({ kv }, options) => kv.range(range, options), { signal });
    return { kvs, more, revision, sequence: undefined };
  }
  const { responses, header } = await members.call(
    ({ kv }, options) =>
      kv.txn({ success: [get(layout.sequence), { request: { case: "requestRange", value: range } }] }, options),
    { signal },
  );
  const [first, second] = responses.map(({ response }) =>
    response.case === "responseRange" ? response.value : undefined,
  );
  if (first === undefined || second === undefined || header === undefined) throw corrupt("etcd's answer has no pages");
  const sequence = Buffer.from(first.kvs[0]?.value ?? []).toString("latin1");
  return { kvs: second.kvs, more: second.more, revision: header.revision, sequence };
}

async function recordsOf(parts: ScanParts, { kvs, revision }: Page): Promise<readonly StoredRecord[]> {
  const records: StoredRecord[] = [];
  for (const kv of kvs) {
    const key = parts.layout.keyOf(kv.key);
    const sealed = unseal(key, kv.value);
    const value = sealed.kind === "whole" ? sealed.value : await joined(parts, sealed.list, revision);
    records.push({ key, value });
  }
  return records;
}

/** The value that is kept in parts, one part after the other. */
async function joined({ members, layout, signal }: ScanParts, list: PartsList, revision: bigint): Promise<Uint8Array> {
  const value = new Uint8Array(list.bytes);
  let at = 0;
  for (let index = 0; index < list.count; index++) {
    const key = layout.part(list, index);
    const { kvs } = await members.call(({ kv }, options) => kv.range({ key, revision }, options), { signal });
    const part = kvs[0]?.value;
    if (part === undefined || at + part.length > value.length) {
      throw corrupt(
        `part ${index} of the record ${JSON.stringify(list.key)} is ${part === undefined ? "gone" : "too long"}`,
      );
    }
    value.set(part, at);
    at += part.length;
  }
  if (at === list.bytes && crcOf(list.key, value) === list.crc) return value;
  throw corrupt(`the parts of the record ${JSON.stringify(list.key)} are not its value`);
}

function compactedAway(): MillraceError {
  return new MillraceError(
    "io-error",
    "etcd was compacted while its records were read, and they have changed since: read them again",
    { retry: "same" },
  );
}
