// What only real file systems do: full ones and mount points. Needs the right to mount; skipped without it.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { someAttempt, someJob, stagedDecision } from "../../../test/conformance/storage.ts";
import { stagingDirectoryOf } from "./hidden.ts";
import { createLocalStorage } from "./local.ts";

const storage = createLocalStorage();
let top: string;
let mounted: string[] = [];

function mountTmpfs(path: string, size: string): boolean {
  mkdirSync(path, { recursive: true });
  const done = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path]).status === 0;
  if (done) mounted.push(path);
  return done;
}

function unmountAll(): void {
  for (const path of mounted.reverse()) execFileSync("umount", [path]);
  mounted = [];
}

function canMount(): boolean {
  const probe = mkdtempSync(join(tmpdir(), "millrace-mount-"));
  try {
    return mountTmpfs(join(probe, "m"), "64k");
  } finally {
    unmountAll();
    rmSync(probe, { recursive: true, force: true });
  }
}

describe.skipIf(!canMount())("on real mounts (needs the right to mount)", () => {
  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), "millrace-mount-"));
  });
  afterEach(() => {
    unmountAll();
    rmSync(top, { recursive: true, force: true });
  });

  test("fault 60: a full disk is an error that names the file, never a short file that counts", async () => {
    mountTmpfs(join(top, "small"), "1m");
    const destination = join(top, "small/out");
    const job = someJob();
    const writer = storage.stage(destination, someAttempt(job), "part-00000.tsv");
    const write = () => {
      for (let i = 0; i < 300; i++) writer.write(Buffer.alloc(10_007, "x"));
    };
    expect(write).toThrow(
      expect.objectContaining({ code: "no-space", message: expect.stringContaining("part-00000.tsv") }),
    );
    writer.abort();
    expect(readdirSync(join(stagingDirectoryOf(destination, job), "files"))).toEqual([]);
    await storage.discard(destination, job);
    expect(readdirSync(join(top, "small"))).toEqual([]);
    // There is room again.
    const decision = await stagedDecision(storage, destination, { "part-00000.tsv": "x" });
    await storage.publish(decision);
    expect(readFileSync(join(destination, "part-00000.tsv"), "utf8")).toBe("x");
  });

  test("fault 63: an empty mount point is published into, another file system or not, and again", async () => {
    const destination = join(top, "out");
    mountTmpfs(destination, "1m");
    expect(await storage.prepare(destination, false)).toEqual({ replaces: undefined });
    const decision = await stagedDecision(storage, destination, { "part-00000.tsv": "x", "side/part-00000.txt": "y" });
    for (let i = 0; i < 2; i++) {
      await storage.publish(decision);
      expect(readdirSync(destination).sort()).toEqual(["_SUCCESS", "part-00000.tsv", "side"]);
      expect(readFileSync(join(destination, "side/part-00000.txt"), "utf8")).toBe("y");
    }
    await storage.discard(destination, decision.job);
    expect(readdirSync(top)).toEqual(["out"]);
    await expect(storage.prepare(destination, false)).rejects.toMatchObject({ code: "output-exists" });
    await expect(storage.prepare(destination, true)).rejects.toMatchObject({
      code: "output-exists",
      message: expect.stringContaining("mount point"),
    });
  });

  test("fault 60: a mount point that is too small gets no _SUCCESS; with more room, publishing goes on", async () => {
    const destination = join(top, "out");
    mountTmpfs(destination, "64k");
    const decision = await stagedDecision(storage, destination, {
      "part-00000.tsv": "x".repeat(40_000),
      "part-00001.tsv": "y".repeat(40_000),
    });
    await expect(storage.publish(decision)).rejects.toMatchObject({ code: "no-space" });
    expect(readdirSync(destination)).not.toContain("_SUCCESS");
    execFileSync("mount", ["-o", "remount,size=1m", destination]);
    await storage.publish(decision);
    expect(readdirSync(destination).sort()).toEqual(["_SUCCESS", "part-00000.tsv", "part-00001.tsv"]);
  });

  test("fault 61: a read-only file system is said before the work, and while it is done", async () => {
    mountTmpfs(join(top, "m"), "1m");
    writeFileSync(join(top, "m/input"), "x");
    execFileSync("mount", ["-o", "remount,ro", join(top, "m")]);
    await expect(storage.prepare(join(top, "m/out"), false)).rejects.toMatchObject({
      code: "wrong-usage",
      message: expect.stringContaining("may not write"),
    });
    expect(() => storage.stage(join(top, "m/out"), someAttempt(someJob()), "part-00000.tsv")).toThrow(
      expect.objectContaining({ code: "io-error", message: expect.stringContaining("-o") }),
    );
  });
});
