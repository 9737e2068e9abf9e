import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { blobsConformance } from "../../test/conformance/blobs.ts";
import { MiB } from "../base/limits.ts";
import type { Clock } from "../base/system/clock.ts";
import { systemClock } from "../base/system/clock.ts";
import { type DiskBlobs, openBlobs } from "./blobs.ts";

let directory: string;
let blobs: DiskBlobs;
/** The wall clock, as the files' times are. */
let hours = 0;
const clock: Clock = { ...systemClock, date: () => new Date(Date.UTC(2026, 0, 1, hours)) };

beforeEach(async () => {
  hours = 0;
  directory = join(mkdtempSync(join(tmpdir(), "millrace-blobs-")), "blobs");
  blobs = await openBlobs(directory, clock);
});
afterEach(() => rmSync(join(directory, ".."), { recursive: true, force: true }));

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function* pieces(bytes: Uint8Array, size = 1000): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(sha256: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await blobs.get(sha256)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

blobsConformance("a master's disk", async () => ({ blobs: await openBlobs(directory, clock) }));

describe("blobs on disk", () => {
  test("give back what was put, also after a restart, whoever put it first", async () => {
    const bytes = randomBytes(1_000_000);
    const sha256 = digest(bytes);
    expect(await blobs.has(sha256)).toBe(false);
    await Promise.all([1, 2, 3].map(() => blobs.put(sha256, pieces(bytes), MiB)));
    await blobs.put(sha256, pieces(bytes), MiB);
    blobs = await openBlobs(directory, clock);
    expect(await blobs.has(sha256)).toBe(true);
    expect((await read(sha256)).equals(bytes)).toBe(true);
    expect(readdirSync(directory)).toEqual([sha256]);
  });

  test("take nothing that is too long, of another content, or cut off, and leave nothing of it", async () => {
    const bytes = randomBytes(5000);
    const sha256 = digest(bytes);
    await expect(blobs.put(sha256, pieces(bytes), 4999)).rejects.toMatchObject({ code: "over-limit" });
    await expect(blobs.put(digest(randomBytes(1)), pieces(bytes), MiB)).rejects.toMatchObject({ code: "corrupt-run" });
    async function* breaking() {
      yield bytes.subarray(0, 10);
      throw new Error("the client is gone");
    }
    await expect(blobs.put(sha256, breaking(), MiB)).rejects.toThrow("the client is gone");
    expect(readdirSync(directory)).toEqual([]);
    await expect(blobs.get(sha256)).rejects.toMatchObject({ code: "bad-input" });
  });

  test("S8: are found by their digest and by nothing else", async () => {
    writeFileSync(join(directory, "../secret"), "secret");
    for (const name of ["../secret", "..%2fsecret", "", "A".repeat(64), `${"a".repeat(64)}/..`, ".new-1"]) {
      await expect(blobs.get(name), name).rejects.toMatchObject({ code: "wrong-usage" });
      await expect(blobs.put(name, pieces(Buffer.from("x")), MiB), name).rejects.toMatchObject({ code: "wrong-usage" });
    }
  });

  test("that have rotted are not served to the end, and can be put again", async () => {
    const bytes = randomBytes(3000);
    const sha256 = digest(bytes);
    await blobs.put(sha256, pieces(bytes), MiB);
    const rotten = Buffer.from(bytes);
    rotten[1500]! ^= 1;
    rmSync(join(directory, sha256));
    writeFileSync(join(directory, sha256), rotten);
    await expect(read(sha256)).rejects.toMatchObject({ code: "corrupt-run" });
    await blobs.put(sha256, pieces(bytes), MiB);
    expect((await read(sha256)).equals(bytes)).toBe(true);
  });

  test("go when nobody needs them and nobody has asked for an hour", async () => {
    const [used, unused, fresh] = [1, 2, 3].map((n) => Buffer.from(`blob ${n}`)) as [Buffer, Buffer, Buffer];
    for (const bytes of [used, unused]) await blobs.put(digest(bytes), pieces(bytes), MiB);
    hours = 2;
    await blobs.put(digest(fresh), pieces(fresh), MiB);
    expect(await blobs.sweep((sha256) => sha256 === digest(used))).toEqual([digest(unused)]);
    hours = 4;
    expect(await blobs.has(digest(fresh))).toBe(true); // somebody is about to submit
    expect(await blobs.sweep(() => false)).toEqual([digest(used)]);
    expect(readFileSync(join(directory, digest(fresh)))).toEqual(fresh);
  });

  test("fault 66: half a blob that a killed master left is cleared away by the next", async () => {
    writeFileSync(join(directory, ".new-0123"), "half");
    await openBlobs(directory, clock);
    expect(readdirSync(directory)).toEqual([]);
  });

  test("where a predecessor may still be receiving, what it has of a blob stays for an hour", async () => {
    writeFileSync(join(directory, ".new-0123"), "half");
    const { mtimeMs } = statSync(join(directory, ".new-0123"));
    hours = Math.floor((mtimeMs - Date.UTC(2026, 0, 1)) / 3_600_000);
    await openBlobs(directory, clock, true);
    expect(readdirSync(directory)).toEqual([".new-0123"]);
    hours += 2;
    await openBlobs(directory, clock, true);
    expect(readdirSync(directory)).toEqual([]);
  });
});
