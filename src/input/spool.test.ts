import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isReadOnce, isSpoolName, isStandardInput, openFifo, spoolName, spoolStream } from "./spool.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "millrace-spool-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

test("standard input becomes a file of its own, for this user only", async () => {
  const path = join(top, "stdin");
  expect(await spoolStream(Readable.from([Buffer.from("one\n"), "zwö\n"]), "Standard input", path)).toEqual({
    bytes: 9,
  });
  expect(readFileSync(path, "utf8")).toBe("one\nzwö\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("an empty standard input is an empty file", async () => {
  expect(await spoolStream(Readable.from([]), "Standard input", join(top, "stdin"))).toEqual({ bytes: 0 });
  expect(statSync(join(top, "stdin")).size).toBe(0);
});

test("a stream that fails, or an abort, leaves no file; a file that is there is not overwritten", async () => {
  const path = join(top, "stdin");
  const failing = new Readable({
    read() {
      this.destroy(new Error("gone"));
    },
  });
  await expect(spoolStream(failing, "Standard input", path)).rejects.toMatchObject({
    code: "io-error",
    message: expect.stringContaining("gone"),
  });
  expect(existsSync(path)).toBe(false);
  const waiting = new Readable({ read() {} });
  const stop = new AbortController();
  const spooled = spoolStream(waiting, "Standard input", path, stop.signal);
  stop.abort();
  await expect(spooled).rejects.toMatchObject({ code: "cancelled" });
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, "mine");
  await expect(spoolStream(Readable.from(["x"]), "Standard input", path)).rejects.toMatchObject({ code: "io-error" });
  expect(readFileSync(path, "utf8")).toBe("mine");
});

test("a FIFO is waited for, and becomes a file; an abort ends the wait", async () => {
  const fifo = join(top, "fifo");
  execFileSync("mkfifo", [fifo]);
  expect([fifo, join(top, "none"), top, "s3://b/k", "/dev/fd/0", "-"].map(isReadOnce)).toEqual([
    true,
    false,
    false,
    false,
    true,
    true,
  ]);
  const stop = new AbortController();
  const waiting = spoolStream(openFifo(fifo), fifo, join(top, "waiting"), stop.signal);
  stop.abort();
  await expect(waiting).rejects.toMatchObject({ code: "cancelled", message: expect.stringContaining(fifo) });
  expect(existsSync(join(top, "waiting"))).toBe(false);
  const path = join(top, "spooled");
  const spooled = spoolStream(openFifo(fifo), fifo, path);
  const content = Buffer.alloc(3_000_000, "0123456789\n");
  const writer = spawn("sh", ["-c", `cat > ${fifo}`], { stdio: ["pipe", "ignore", "inherit"] });
  writer.stdin.end(content);
  expect(await spooled).toEqual({ bytes: content.length });
  expect(readFileSync(path).equals(content)).toBe(true);
});

test("standard input is known by each of its names", () => {
  expect(["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].every(isStandardInput)).toBe(true);
  expect(["./-", "/dev/fd/3", "stdin", "/dev/stdin2"].some(isStandardInput)).toBe(false);
});

test("each FIFO has a file of its own, by its path; standard input has one, by whatever name", () => {
  expect(spoolName("-")).toBe("standard-input");
  expect(spoolName("/dev/stdin")).toBe("standard-input");
  expect(spoolName("./a.fifo")).toBe(spoolName("a.fifo"));
  expect(spoolName("a.fifo")).not.toBe(spoolName("b.fifo"));
  for (const path of ["-", "a.fifo", "/dev/fd/63"]) expect(isSpoolName(spoolName(path))).toBe(true);
  // What was not read to its end is not taken for the whole.
  for (const name of [`${spoolName("a.fifo")}.part`, "standard-input.part", "state"])
    expect(isSpoolName(name)).toBe(false);
});
