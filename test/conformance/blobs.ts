// Whoever keeps blobs (protocol/services.ts `Blobs`): the master on its disk, a client over HTTP in front of one, tests
// on the heap.
//
// It must know a blob by its SHA-256 and by nothing else, and take nothing under a name that is not the content's.
// `has`, `put` and `get` may be repeated, at the same time too, in any order. A `put` that resolves has the blob,
// whoever else put it; one that rejects, for whatever reason, leaves what was there before, and may be made again.
// `get` gives all the bytes, in order, or throws.
import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MiB } from "../../src/base/limits.ts";
import type { Blobs } from "../../src/protocol/services.ts";

const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function* pieces(bytes: Uint8Array, size = 10_000): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function whole(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(Buffer.from(part));
  return Buffer.concat(all);
}

/** What every `Blobs` promises. `open` gives an empty one. */
export function blobsConformance(
  name: string,
  open: () => Promise<{ readonly blobs: Blobs; readonly close?: () => Promise<void> | void }>,
): void {
  describe(`${name}: blobs`, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    let blobs: Blobs;
    const bytes = randomBytes(300_000);
    const sha256 = sha256Of(bytes);
    beforeEach(async () => {
      opened = await open();
      blobs = opened.blobs;
    });
    afterEach(() => opened.close?.());

    const expectNone = async () => {
      expect(await blobs.has(sha256)).toBe(false);
      await expect((async () => await whole(await blobs.get(sha256)))()).rejects.toMatchObject({ code: "bad-input" });
    };

    it("what was put comes back as it was, as often as it is asked for", async () => {
      expect(await blobs.has(sha256)).toBe(false);
      await blobs.put(sha256, pieces(bytes), bytes.length);
      expect(await blobs.has(sha256)).toBe(true);
      for (const read of await Promise.all([blobs.get(sha256), blobs.get(sha256)]))
        expect((await whole(read)).equals(bytes)).toBe(true);
    });

    it("putting what is there, again or at the same time, changes nothing", async () => {
      await Promise.all([1, 7777, 300_000].map((size) => blobs.put(sha256, pieces(bytes, size * 1000), MiB)));
      await blobs.put(sha256, pieces(bytes), MiB);
      expect((await whole(await blobs.get(sha256))).equals(bytes)).toBe(true);
    });

    it("no bytes at all are a blob too", async () => {
      const empty = sha256Of(Buffer.alloc(0));
      await blobs.put(empty, pieces(Buffer.alloc(0)), 0);
      expect(await blobs.has(empty)).toBe(true);
      expect(await whole(await blobs.get(empty))).toHaveLength(0);
    });

    it("one that nobody put is not there, and is bad input for those who want it", expectNone);

    it("content of another digest is refused as corrupt, and the right one may come after it", async () => {
      const other = Buffer.from(bytes);
      other[1000]! ^= 1;
      await expect(blobs.put(sha256, pieces(other), MiB)).rejects.toMatchObject({ code: "corrupt-run" });
      await expect(blobs.put(sha256, pieces(bytes.subarray(1)), MiB)).rejects.toMatchObject({ code: "corrupt-run" });
      await expectNone();
      await blobs.put(sha256, pieces(bytes), MiB);
      expect((await whole(await blobs.get(sha256))).equals(bytes)).toBe(true);
    });

    it("content that is longer than its caller allows is refused, and leaves nothing", async () => {
      await expect(blobs.put(sha256, pieces(bytes), bytes.length - 1)).rejects.toMatchObject({ code: "over-limit" });
      await expectNone();
    });

    it("content that fails while it is read fails the put with its own error, and leaves nothing", async () => {
      async function* breaking() {
        yield bytes.subarray(0, 10);
        throw new Error("the file is gone");
      }
      await expect(blobs.put(sha256, breaking(), MiB)).rejects.toThrow("the file is gone");
      await expectNone();
    });

    it("a put that its caller gives up rejects with the reason, and leaves nothing", async () => {
      const stop = new AbortController();
      async function* stopping() {
        yield bytes.subarray(0, 10);
        stop.abort(new Error("enough"));
        yield bytes.subarray(10);
      }
      await expect(blobs.put(sha256, stopping(), MiB, stop.signal)).rejects.toThrow("enough");
      await expectNone();
    });

    it("S8: a name that is no SHA-256 in small hexadecimal digits is refused, whatever is wanted of it", async () => {
      const names = [
        "",
        "abc",
        "../secret",
        "..%2f..%2fetc%2fpasswd",
        "A".repeat(64),
        `${"a".repeat(64)}/..`,
        ".new-1",
      ];
      for (const bad of names) {
        await expect(blobs.has(bad), bad).rejects.toMatchObject({ code: "wrong-usage" });
        await expect(blobs.put(bad, pieces(bytes), MiB), bad).rejects.toMatchObject({ code: "wrong-usage" });
        await expect((async () => await whole(await blobs.get(bad)))(), bad).rejects.toMatchObject({
          code: "wrong-usage",
        });
      }
    });
  });
}
