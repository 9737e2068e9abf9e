// The status page: what an attempt says about itself while it works. It is 64 bytes in a file of the memory tier, which
// the agent reads at every heartbeat and after the slot's death. The slot writes it by one pwrite (0.65 us) and never
// waits for a reader.
//
//    0  u32  magic "MRP1"
//    4  u32  CRC-32 of bytes 8 to 63: a reader that meets a half-written page sees it and reads again
//    8  u32  epoch, 12 u32 attempt: whose page this is (one file per slot, reused)
//   16  u8   phase, 17 u8 flags (1: `at` is set), 18 u16 reserved
//   20  u32  at.file, 24 f64 at.offset
//   32  f64  records, 40 f64 bytes
//   48  f64  beats: counts the writes, so that a page which says the same again still counts as a sign of life
//   56  8 bytes reserved                                                                     (little-endian throughout)
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import type { AttemptId } from "../base/ids.ts";
import type { StatusPage, TaskStatus } from "../task/environment.ts";

const pageBytes = 64;
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
  readonly #page = Buffer.alloc(pageBytes);
  readonly #body = this.#page.subarray(8);
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
    page[17] = status.at === undefined ? 0 : 1;
    page.writeUInt32LE(status.at?.file ?? 0, 20);
    page.writeDoubleLE(status.at?.offset ?? 0, 24);
    page.writeDoubleLE(status.records, 32);
    page.writeDoubleLE(status.bytes, 40);
    page.writeDoubleLE(++this.#beats, 48);
    page.writeUInt32LE(crc32(this.#body), 4);
    writeSync(this.#fd, page, 0, pageBytes, 0);
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
    const page = Buffer.alloc(pageBytes);
    for (let reads = 0; reads < readsMax; reads++) {
      if (readSync(fd, page, 0, pageBytes, 0) !== pageBytes) return undefined;
      const content = parseStatusPage(page);
      if (content !== undefined) return content;
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** The content of 64 bytes; undefined unless they are one whole page. */
export function parseStatusPage(page: Buffer): PageContent | undefined {
  if (page.length !== pageBytes || page.readUInt32LE(0) !== magic) return undefined;
  if (page.readUInt32LE(4) !== crc32(page.subarray(8))) return undefined;
  const phase = phases[page[16]!];
  const [offset, records, bytes, beats] = [24, 32, 40, 48].map((at) => page.readDoubleLE(at)) as Numbers;
  // The slot runs a job's code, which may write to this file too: a number that can't be ours goes no further.
  if (phase === undefined || ![offset, records, bytes, beats].every(isCount)) return undefined;
  return {
    epoch: page.readUInt32LE(8),
    attempt: page.readUInt32LE(12),
    phase,
    at: page[17] === 1 ? { file: page.readUInt32LE(20), offset } : undefined,
    records,
    bytes,
    beats,
  };
}

type Numbers = [number, number, number, number];

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
