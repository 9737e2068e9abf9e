import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { runFilesConformance } from "../../test/conformance/run-files.ts";
import { createFakeTierFiles, type FakeDisk } from "../../test/support/fake-tier-files.ts";
import { MillraceError } from "../base/error.ts";
import { KiB, limits, MiB } from "../base/limits.ts";
import type { TierOptions } from "./options.ts";
import { createTier } from "./tier.ts";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), "millrace-tier-"));
  directories.push(directory);
  return directory;
}

function realTier(over: Partial<TierOptions> = {}) {
  const memoryDirectory = temporary();
  const diskDirectory = temporary();
  const tier = createTier({ memoryDirectory, memoryBytesMax: 1 * MiB, diskDirectory, ...over });
  return { tier, memoryDirectory, diskDirectory };
}

/** Fakes both tiers. The memory tier has `memory` bytes for us besides those that are left to others. */
function fakeTier(disk: { memory: number; disk: number } & Partial<FakeDisk>, over: Partial<TierOptions> = {}) {
  const fs = createFakeTierFiles({
    ...disk,
    capacity: { "/memory": disk.memory + limits.memoryTierSpareBytes, "/disk": disk.disk },
  });
  const options = { memoryDirectory: "/memory", memoryBytesMax: 1 * MiB, diskDirectory: "/disk", fs, ...over };
  return { fs, tier: createTier(options) };
}

const content = (length: number) => Buffer.from(Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255));

runFilesConformance("a tier with memory", () => realTier().tier);
runFilesConformance("a tier without memory", () => realTier({ memoryDirectory: undefined }).tier);
runFilesConformance("a tier whose memory is full", () => realTier({ memoryBytesMax: 0 }).tier);
runFilesConformance("a tier of small calls", () => fakeTier({ memory: 1 * MiB, disk: 1 * MiB, callBytesMax: 7 }).tier);
runFilesConformance("a tier that overflows", () => fakeTier({ memory: 1_000, disk: 1 * MiB }).tier);

describe("memory tier", () => {
  it("takes files while the budget lasts, and takes more when some are removed", () => {
    const { tier, memoryDirectory, diskDirectory } = realTier({ memoryBytesMax: 1_000 });
    const write = (name: string, bytes: number) => {
      const file = tier.create(name);
      file.write(content(bytes));
      return file.finish();
    };
    const first = write("a", 600);
    const second = write("b", 600);
    const third = write("c", 300);
    expect([first.tier, second.tier, third.tier]).toEqual(["memory", "disk", "memory"]);
    expect(readdirSync(memoryDirectory).toSorted()).toEqual(["a", "c"]);
    expect(readdirSync(diskDirectory)).toEqual(["b"]);
    expect(tier.memoryBytesUsed).toBe(900);
    tier.remove(first.path);
    tier.remove(second.path);
    expect(tier.memoryBytesUsed).toBe(300);
    expect(write("d", 700).tier).toBe("memory");
  });

  it("moves a file to disk that no longer fits while it is being written, whole", () => {
    const { tier, memoryDirectory, diskDirectory } = realTier({ memoryBytesMax: 3 * MiB });
    const all = content(5 * MiB);
    const file = tier.create("a");
    for (let at = 0; at < all.length; at += 512 * KiB) file.write(all.subarray(at, at + 512 * KiB));
    expect(readdirSync(memoryDirectory)).toEqual([]);
    expect(tier.memoryBytesUsed).toBe(0);
    const finished = file.finish();
    expect(finished).toEqual({ path: join(diskDirectory, "a"), bytes: all.length, tier: "disk" });
    expect(readFileSync(finished.path).equals(all)).toBe(true);
  });

  it("nothing sees a file under its name before it is finished", () => {
    const { tier, memoryDirectory } = realTier();
    const file = tier.create("a");
    file.write(content(10));
    expect(readdirSync(memoryDirectory)).toEqual(["a.partial"]);
    file.finish();
    expect(readdirSync(memoryDirectory)).toEqual(["a"]);
  });

  it("counts what an earlier process in its place has left", () => {
    const { tier } = realTier({ memoryBytesMax: 1_000, memoryBytesHeld: 500 });
    const file = tier.create("a");
    file.write(content(600));
    expect(file.finish().tier).toBe("disk");
    expect(tier.memoryBytesUsed).toBe(500);
  });

  it("fault 60: ENOSPC in memory is overflow, never a failure, wherever in a file it comes", () => {
    for (let memory = 0; memory <= 1_100; memory += 50) {
      // statfs says there is more than there is, as when others write at the same time.
      const { tier, fs } = fakeTier({
        memory: memory - limits.memoryTierSpareBytes,
        disk: 10_000,
        overstated: 100 * MiB,
      });
      const file = tier.create("a");
      const all = content(1_000);
      for (let at = 0; at < all.length; at += 130) file.write(all.subarray(at, at + 130));
      const finished = file.finish();
      expect(finished.tier).toBe(memory >= 1_000 ? "memory" : "disk");
      expect(Buffer.compare(fs.bytesOf(finished.path), all)).toBe(0);
      expect(fs.paths).toEqual([finished.path]);
      expect(fs.openCount).toBe(0);
      expect(tier.memoryBytesUsed).toBe(memory >= 1_000 ? 1_000 : 0);
    }
  });

  it("leaves the rest of a small tmpfs to others", () => {
    const { tier } = fakeTier({ memory: 100, disk: 1_000 });
    const file = tier.create("a");
    file.write(content(101));
    expect(file.finish().tier).toBe("disk");
  });
});

describe("disk", () => {
  it("fault 60: a full disk writes short and then refuses: no-space names the directory, and nothing stays", () => {
    for (let disk = 0; disk < 1_000; disk += 37) {
      for (const memory of [0, 400]) {
        const { tier, fs } = fakeTier({ memory, disk });
        const file = tier.create("a");
        let error: unknown;
        try {
          for (let at = 0; at < 1_000; at += 100) file.write(content(100));
        } catch (thrown) {
          error = thrown;
        }
        expect(error).toBeInstanceOf(MillraceError);
        expect(error).toMatchObject({ code: "no-space", retry: "elsewhere" });
        expect((error as Error).message).toMatch(/^\/disk is full \(ENOSPC\).*--work-dir/);
        file.abort();
        expect(fs.paths).toEqual([]);
        expect(fs.openCount).toBe(0);
        expect(tier.memoryBytesUsed).toBe(0);
      }
    }
  });

  it("goes on after short writes that are not the end", () => {
    const { tier, fs } = fakeTier({ memory: 0, disk: 10_000, callBytesMax: 13 });
    const file = tier.create("a");
    file.write(content(1_000));
    expect(Buffer.compare(fs.bytesOf(file.finish().path), content(1_000))).toBe(0);
  });

  it("fault 60: a disk that writes nothing and says nothing is full too, and no loop for ever", () => {
    const full = { memory: 300 - limits.memoryTierSpareBytes, overstated: 100 * MiB, silentWhenFull: true };
    const moved = fakeTier({ ...full, disk: 10_000 }).tier.create("a");
    for (let at = 0; at < 1_000; at += 100) moved.write(content(100));
    expect(moved.finish()).toMatchObject({ bytes: 1_000, tier: "disk" });
    const refused = fakeTier({ ...full, disk: 500 }).tier.create("a");
    const write = () => {
      for (let at = 0; at < 1_000; at += 100) refused.write(content(100));
    };
    expect(write).toThrow(expect.objectContaining({ code: "no-space" }));
  });

  it("fault 61: too many open files, no permission and a missing directory say what to do", () => {
    const failing = (code: string) => {
      const { tier, fs } = fakeTier({ memory: 0, disk: 10_000 });
      fs.failAt(1, code); // after freeBytes
      const file = tier.create("a");
      try {
        file.write(content(10));
      } catch (error) {
        file.abort();
        expect(fs.paths).toEqual([]);
        return error as MillraceError;
      }
      throw new Error("it did not fail");
    };
    expect(failing("EMFILE")).toMatchObject({ code: "io-error", retry: "elsewhere" });
    expect(failing("EMFILE").message).toContain("ulimit -n");
    expect(failing("EACCES").message).toContain("may not write to /disk");
    expect(failing("EROFS").message).toContain("--work-dir");
    expect(failing("ENOENT").message).toContain("/disk is not there");
    expect(failing("EIO").message).toContain("Check the disk");
    expect(failing("EDQUOT").code).toBe("no-space");
  });

  it("fault 61: the real thing: a directory that was removed, and one that may not be written", () => {
    const gone = realTier({ memoryDirectory: undefined });
    rmSync(gone.diskDirectory, { recursive: true });
    expect(() => gone.tier.create("a").finish()).toThrow(/is not there\. Something removed it/);
    const locked = realTier({ memoryDirectory: undefined });
    writeFileSync(join(locked.diskDirectory, "b.partial"), "");
    expect(() => locked.tier.create("b").finish()).toThrow(/a file of this name exists/);
    if (process.getuid?.() !== 0) {
      chmodSync(locked.diskDirectory, 0o500);
      expect(() => locked.tier.create("a").finish()).toThrow(/may not write/);
      chmodSync(locked.diskDirectory, 0o700);
    }
  });

  it("fault 61: a memory directory that was removed says so", () => {
    const { tier, memoryDirectory } = realTier();
    rmSync(memoryDirectory, { recursive: true });
    // nothing was written, so nothing was asked of the memory tier
    expect(() => tier.create("a").finish()).not.toThrow();
    expect(() => tier.create("b").write(content(10))).toThrow(expect.objectContaining({ code: "io-error" }));
    mkdirSync(memoryDirectory);
  });

  it("a file that can't be read any more is a damaged run, one that is gone a lost one", () => {
    const { tier, fs } = fakeTier({ memory: 0, disk: 10_000 });
    const file = tier.create("a");
    file.write(content(10));
    const { path } = file.finish();
    const opened = tier.open(path);
    fs.failAt(fs.calls.length, "EIO");
    expect(() => opened.read(Buffer.alloc(10), 0, 10, 0)).toThrow(expect.objectContaining({ code: "corrupt-run" }));
    opened.close();
    fs.failAt(fs.calls.length, "EMFILE");
    expect(() => tier.open(path)).toThrow(expect.objectContaining({ code: "io-error" }));
    tier.remove(path);
    expect(() => tier.open(path)).toThrow(expect.objectContaining({ code: "segment-lost" }));
    expect(fs.openCount).toBe(0);
  });

  it("leaves no file and no descriptor whichever call fails, and gives the budget back", () => {
    const scenario = (tier: ReturnType<typeof createTier>) => {
      const file = tier.create("a");
      try {
        for (let i = 0; i < 6; i++) file.write(content(100));
        const { path } = file.finish();
        try {
          const opened = tier.open(path);
          try {
            opened.read(Buffer.alloc(600), 0, 600, 0);
          } finally {
            opened.close();
          }
        } finally {
          try {
            tier.remove(path);
          } catch {
            tier.remove(path);
          }
        }
      } catch (error) {
        file.abort();
        throw error;
      }
    };
    for (const memory of [0, 350, 10_000]) {
      const good = fakeTier({ memory, disk: 10_000 });
      scenario(good.tier);
      let failures = 0;
      for (let call = 0; call < good.fs.calls.length; call++) {
        for (const code of ["EIO", "ENOSPC"]) {
          const { tier, fs } = fakeTier({ memory, disk: 10_000 });
          fs.failAt(call, code);
          try {
            scenario(tier);
          } catch (error) {
            expect(error).toBeInstanceOf(MillraceError);
            failures++;
          }
          const where = `${good.fs.calls[call]} (call ${call} of ${good.fs.calls.length}), ${code}, memory ${memory}`;
          expect(fs.paths, where).toEqual([]);
          expect(fs.openCount, where).toBe(0);
          expect(tier.memoryBytesUsed, where).toBe(0);
        }
      }
      expect(failures).toBeGreaterThan(5);
    }
  });
});
