// The status page: what an attempt says about itself while it works. It is 64 bytes in a file of the memory tier, or
// 128 with a key, which the agent reads at every heartbeat and after the slot's death. The slot writes it by one pwrite
// (0.65 us) and never waits for a reader.
//
//    0  u32  magic "MRP1"
//    4  u32  CRC-32 of byte 8 to the end: a reader that meets a half-written page sees it and reads again
//    8  u32  epoch, 12 u32 attempt: whose page this is (one file per slot, reused)
//   16  u8   phase, 17 u8 flags (1: `at` is set, 2: `key` is set, 4: a checkpoint), 18 u16 reserved
//   20  u32  at.file, 24 f64 at.offset
//   32  f64  records, 40 f64 bytes
//   48  f64  beats: counts the writes, so that a page which says the same again still counts as a sign of life
//   56  u8   bytes of the key, 57 7 bytes reserved                                           (little-endian throughout)
//   64  64 bytes for the key's excerpt, only where it is set: what a longer page has left behind it counts for nothing
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { AttemptId } from "../base/ids.ts";
import { isKeyExcerpt } from "../base/printable.ts";
import type { StatusPage, TaskStatus } from "../task/environment.ts";

const pageBytes = 64;
/** The size of a page with a key. */
const keyedPageBytes = 128;
const flagAt = 1;
const flagKey = 2;
const flagCheckpoint = 4;
const magic = 0x3150524d;
const phases = ["setup", "map", "sort", "reduce", "write", "teardown", "fetch"] as const;
/** A reader that meets a write in progress tries again; a page that stays broken comes from a machine that crashed. */
const readsMax = 8;

/** The content of a page; `beats` grows with every write. */
export interface PageContent extends TaskStatus {
  readonly epoch: number;
  readonly attempt: number;
  readonly beats: number;
}

/** The slot's side: one file for all attempts of the slot. */
export class StatusPageFile implements StatusPage {
  readonly #page = Buffer.alloc(keyedPageBytes);
  readonly #body = this.#page.subarray(8, pageBytes);
  readonly #keyedBody = this.#page.subarray(8);
  readonly #fd: number;
  #beats = 0;

  constructor(path: string) {
    this.#fd = openSync(path, "w", 0o600);
    this.#page.writeUInt32LE(magic, 0);
  }

  /** Makes the page this attempt's. */
  begin(attempt: Pick<AttemptId, "epoch" | "attempt">): void {
    this.#page.writeUInt32LE(attempt.epoch, 8);
    this.#page.writeUInt32LE(attempt.attempt, 12);
    this.write({ phase: "setup", records: 0, bytes: 0, at: undefined });
  }

  write(status: TaskStatus): void {
    const page = this.#page;
    page[16] = phases.indexOf(status.phase);
    const isKeyed = status.key !== undefined;
    page[17] =
      (status.at === undefined ? 0 : flagAt) |
      (isKeyed ? flagKey : 0) |
      (status.hasCheckpoint === true ? flagCheckpoint : 0);
    page[56] = isKeyed ? page.write(status.key, pageBytes, "utf8") : 0;
    page.writeUInt32LE(status.at?.file ?? 0, 20);
    page.writeDoubleLE(status.at?.offset ?? 0, 24);
    page.writeDoubleLE(status.records, 32);
    page.writeDoubleLE(status.bytes, 40);
    page.writeDoubleLE(++this.#beats, 48);
    page.writeUInt32LE(crc32(isKeyed ? this.#keyedBody : this.#body), 4);
    writeSync(this.#fd, page, 0, isKeyed ? keyedPageBytes : pageBytes, 0);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Reads a slot's page. Returns undefined where there is no page, or only a broken one. The agent calls it. */
export function readStatusPage(path: string): PageContent | undefined {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return undefined; // not written yet, or removed with its directory
  }
  try {
    const page = Buffer.alloc(keyedPageBytes);
    for (let reads = 0; reads < readsMax; reads++) {
      const bytes = readSync(fd, page, 0, keyedPageBytes, 0);
      if (bytes < pageBytes) return undefined;
      const content = parseStatusPage(page.subarray(0, bytes));
      if (content !== undefined) return content;
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** The content of a file; undefined unless it begins with one whole page. */
export function parseStatusPage(page: Buffer): PageContent | undefined {
  if (page.length < pageBytes || page.readUInt32LE(0) !== magic) return undefined;
  const flags = page[17]!;
  const bytes = (flags & flagKey) === 0 ? pageBytes : keyedPageBytes;
  if (page.length < bytes || page.readUInt32LE(4) !== crc32(page.subarray(8, bytes))) return undefined;
  const phase = phases[page[16]!];
  const [offset, records, bytesRead, beats] = [24, 32, 40, 48].map((at) => page.readDoubleLE(at)) as Numbers;
  // The slot runs a job's code, which may write to this file too: a number that can't be ours goes no further.
  if (phase === undefined || ![offset, records, bytesRead, beats].every(isCount)) return undefined;
  const key = bytes === pageBytes ? undefined : page.toString("utf8", pageBytes, pageBytes + page[56]!);
  return {
    epoch: page.readUInt32LE(8),
    attempt: page.readUInt32LE(12),
    phase,
    at: (flags & flagAt) === 0 ? undefined : { file: page.readUInt32LE(20), offset },
    records,
    bytes: bytesRead,
    beats,
    ...(key !== undefined && isKeyExcerpt(key) && { key }),
    ...((flags & flagCheckpoint) !== 0 && { hasCheckpoint: true as const }),
  };
}

type Numbers = [number, number, number, number];

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
