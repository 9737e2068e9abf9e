// What lies where in etcd, and its bytes. All keys of a store begin with its root, such as "/millrace/":
//
//   ROOT version                           "1": what this page describes; another version refuses the store
//   ROOT leader                            who leads, as JSON; tied to the leader's lease
//   ROOT epoch                             the newest epoch, in digits
//   ROOT sequence                          "EPOCH/N": transactions of this leadership so far
//   ROOT r/ KEY                            a record: see `sealWhole` and `sealNames`
//   ROOT p/ KEY NUL EPOCH.N NUL INDEX      a part of a record's value, INDEX of six digits
import { crc32Of } from "../../base/bytes/checksum.ts";
import { MillraceError } from "../../base/error.ts";
import type { Leader } from "../store.ts";

/** The version of the layout. A store of another version is refused. */
export const layoutVersion = "1";

/** Values of more bytes are kept in parts of this size. etcd takes 1.5 MiB in a request. */
export const partBytes = 512 * 1024;

export class Layout {
  readonly version: Buffer;
  readonly leader: Buffer;
  readonly epoch: Buffer;
  readonly sequence: Buffer;
  readonly parts: Buffer;
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    this.version = Buffer.from(`${root}version`);
    this.leader = Buffer.from(`${root}leader`);
    this.epoch = Buffer.from(`${root}epoch`);
    this.sequence = Buffer.from(`${root}sequence`);
    this.parts = Buffer.from(`${root}p/`);
  }

  record(key: string): Buffer {
    return Buffer.from(`${this.#root}r/${key}`);
  }

  /** The key of a record, of the bytes that etcd has for it. */
  keyOf(record: Uint8Array): string {
    return Buffer.from(record).toString("utf8", this.#root.length + 2);
  }

  /** What the keys of all parts of one value begin with. */
  partsOf({ key, id }: PartsName): Buffer {
    return Buffer.from(`${this.#root}p/${key}\0${id}\0`);
  }

  part(name: PartsName, index: number): Buffer {
    return Buffer.concat([this.partsOf(name), Buffer.from(String(index).padStart(6, "0"))]);
  }

  /** Whose part a key is. */
  nameOf(part: Uint8Array): PartsName {
    const text = Buffer.from(part).toString("utf8", this.parts.length);
    const end = text.lastIndexOf("\0");
    const middle = text.lastIndexOf("\0", end - 1);
    if (middle < 0) throw corrupt(`${JSON.stringify(text)} is no key of a part`);
    return { key: text.slice(0, middle), id: text.slice(middle + 1, end) };
  }
}

/** The value of a record, and which of its values. */
export interface PartsName {
  readonly key: string;
  readonly id: string;
}

/** The parts that hold a value. */
export interface PartsList extends PartsName {
  readonly count: number;
  readonly bytes: number;
  readonly crc: number;
}

export type Sealed =
  | { readonly kind: "whole"; readonly value: Uint8Array }
  | { readonly kind: "parts"; readonly list: PartsList };

const wholeKind = 0;
const partsKind = 1;
const headerBytes = 5;

/** A record that holds its value: 0, CRC-32 of key and value (little-endian), value. */
export function sealWhole(key: string, value: Uint8Array): Uint8Array {
  return sealed(wholeKind, key, value);
}

/** A record that names the parts of its value: 1, CRC-32 of key and what follows, "ID COUNT BYTES CRC". */
export function sealNames({ key, id, count, bytes, crc }: PartsList): Uint8Array {
  return sealed(partsKind, key, Buffer.from(`${id} ${count} ${bytes} ${crc}`));
}

function sealed(kind: number, key: string, content: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(headerBytes + content.length);
  bytes[0] = kind;
  bytes.writeUInt32LE(crcOf(key, content), 1);
  bytes.set(content, headerBytes);
  return bytes;
}

/** Throws `corrupt-state` for bytes that are no record of this key. */
export function unseal(key: string, bytes: Uint8Array): Sealed {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const content = buffer.subarray(headerBytes);
  if (buffer.length < headerBytes || buffer.readUInt32LE(1) !== crcOf(key, content)) {
    throw corrupt(`the record ${JSON.stringify(key)} fails its checksum`);
  }
  if (buffer[0] === wholeKind) return { kind: "whole", value: new Uint8Array(content) };
  const [, id = "", ...numbers] = /^(\d+\.\d+) (\d+) (\d+) (\d+)$/.exec(content.toString("latin1")) ?? [];
  const [count = 0, length = 0, crc = 0] = numbers.map(Number);
  if (buffer[0] !== partsKind || count < 1) throw corrupt(`the record ${JSON.stringify(key)} has another form`);
  return { kind: "parts", list: { key, id, count, bytes: length, crc } };
}

export function crcOf(key: string, content: Uint8Array): number {
  return crc32Of(content, crc32Of(Buffer.from(key)));
}

export function encodeLeader(leader: Leader): Buffer {
  return Buffer.from(JSON.stringify(leader));
}

export function decodeLeader(bytes: Uint8Array): Leader {
  try {
    const { owner, epoch, since } = JSON.parse(Buffer.from(bytes).toString("utf8")) as Partial<Leader>;
    if (typeof owner === "string" && Number.isSafeInteger(epoch) && Number.isSafeInteger(since)) {
      return { owner, epoch: epoch as number, since: since as number };
    }
  } catch {
    // no JSON
  }
  throw corrupt("the leader's key has another form");
}

/** The first key behind all that begin with `prefix`. */
export function behind(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix);
  const last = end.findLastIndex((byte) => byte < 255);
  end[last] = (end[last] as number) + 1; // a root is ASCII, so there is one
  return end.subarray(0, last + 1);
}

export function corrupt(why: string): MillraceError {
  return new MillraceError(
    "corrupt-state",
    `the state in etcd is damaged: ${why}. Restore etcd from a snapshot, or start masters with another prefix: jobs that were running have to be submitted again`,
  );
}
