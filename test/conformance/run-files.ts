import { describe, expect, it } from "vitest";
import type { RunFiles } from "../../src/sort/run.ts";

/** What every `RunFiles` does. `make` gives a new, empty one for each test. */
export function runFilesConformance(name: string, make: () => RunFiles): void {
  describe(`${name} keeps run files`, () => {
    const bytes = (length: number) => Buffer.from(Array.from({ length }, (_, i) => (i * 7) & 255));

    it("reads back what was written, in pieces of any size and from any place", () => {
      const files = make();
      const file = files.create("a.run");
      const all = bytes(10_000);
      for (let at = 0; at < all.length; at += 777) file.write(all.subarray(at, at + 777));
      const { path, bytes: size } = file.finish();
      expect(size).toBe(10_000);
      const opened = files.open(path);
      expect(opened.size).toBe(10_000);
      const target = Buffer.alloc(10_010, 9);
      expect(opened.read(target, 5, 10_000, 0)).toBe(10_000);
      expect(target.subarray(5, 10_005).equals(all)).toBe(true);
      expect([...target.subarray(0, 5), ...target.subarray(10_005)]).toEqual(Array(10).fill(9));
      expect(opened.read(target, 0, 100, 9_990)).toBe(10);
      expect(target.subarray(0, 10).equals(all.subarray(9_990))).toBe(true);
      expect(opened.read(target, 0, 100, 10_000)).toBe(0);
      opened.close();
      opened.close();
    });

    it("keeps a piece as it was when it was written, though its buffer is used again", () => {
      const files = make();
      const file = files.create("a.run");
      const buffer = Buffer.from("first");
      file.write(buffer);
      buffer.write("other");
      const opened = files.open(file.finish().path);
      const target = Buffer.alloc(5);
      opened.read(target, 0, 5, 0);
      expect(target.toString()).toBe("first");
      opened.close();
    });

    it("an empty file is a file", () => {
      const files = make();
      const { path, bytes: size } = files.create("a.run").finish();
      expect(size).toBe(0);
      const opened = files.open(path);
      expect(opened.size).toBe(0);
      opened.close();
    });

    it("a removed file is gone, for who opens it as segment-lost, and may be removed again", () => {
      const files = make();
      const { path } = files.create("a.run").finish();
      files.remove(path);
      files.remove(path);
      expect(() => files.open(path)).toThrow(expect.objectContaining({ code: "segment-lost" }));
    });

    it("abort may be repeated, and does nothing to a finished file", () => {
      const files = make();
      const aborted = files.create("a.run");
      aborted.write(bytes(100));
      aborted.abort();
      aborted.abort();
      files.create("never-written.run").abort();
      const finished = files.create("b.run");
      finished.write(bytes(100));
      const { path } = finished.finish();
      finished.abort();
      expect(files.open(path).size).toBe(100);
    });

    it("refuses a name that was used, also by a file that is gone: names belong to one file of one attempt", () => {
      const files = make();
      files.remove(files.create("a.run").finish().path);
      expect(() => files.create("a.run")).toThrow("no other file is named a.run");
    });
  });
}
