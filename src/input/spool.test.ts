import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { spoolStdin } from "./spool.ts";

let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "millrace-spool-"));
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

test("standard input becomes a file of its own, for this user only", async () => {
  const path = join(top, "stdin");
  expect(await spoolStdin(Readable.from([Buffer.from("one\n"), "zwö\n"]), path)).toEqual({ bytes: 9 });
  expect(readFileSync(path, "utf8")).toBe("one\nzwö\n");
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("an empty standard input is an empty file", async () => {
  expect(await spoolStdin(Readable.from([]), join(top, "stdin"))).toEqual({ bytes: 0 });
  expect(statSync(join(top, "stdin")).size).toBe(0);
});

test("a stream that fails, or an abort, leaves no file; a file that is there is not overwritten", async () => {
  const path = join(top, "stdin");
  const failing = new Readable({
    read() {
      this.destroy(new Error("gone"));
    },
  });
  await expect(spoolStdin(failing, path)).rejects.toMatchObject({
    code: "io-error",
    message: expect.stringContaining("gone"),
  });
  expect(existsSync(path)).toBe(false);
  const waiting = new Readable({ read() {} });
  const stop = new AbortController();
  const spooled = spoolStdin(waiting, path, stop.signal);
  stop.abort();
  await expect(spooled).rejects.toMatchObject({ code: "cancelled" });
  expect(existsSync(path)).toBe(false);
  writeFileSync(path, "mine");
  await expect(spoolStdin(Readable.from(["x"]), path)).rejects.toMatchObject({ code: "io-error" });
  expect(readFileSync(path, "utf8")).toBe("mine");
});
