import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chunksOf } from "../../../test/conformance/format.ts";
import { MillraceError } from "../../base/error.ts";
import { throughProgram } from "./program.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-program-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const content = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `line ${(i * 7919) % 100_003}\n`).join(""));

async function read(words: readonly string[], bytes: Uint8Array, silentMs?: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  const program = { words, directory, ...(silentMs !== undefined && { silentMs }) };
  for await (const part of throughProgram(program, chunksOf(bytes, 65_536))) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

async function failure(words: readonly string[], bytes: Uint8Array = content, silentMs?: number) {
  const error: unknown = await read(words, bytes, silentMs).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MillraceError);
  return error as MillraceError;
}

test("what a program writes is the content, in its directory", async () => {
  expect((await read(["gzip", "-dc"], gzipSync(content))).equals(content)).toBe(true);
  expect((await read(["cat"], content)).equals(content)).toBe(true);
  expect((await read(["sh", "-c", "cat > /dev/null; pwd"], content)).toString().trim()).toBe(
    execFileSync("pwd", { cwd: directory, encoding: "utf8" }).trim(),
  );
  expect(await read(["gzip", "-dc"], gzipSync(""))).toHaveLength(0);
});

test.each([
  [
    "that fails",
    ["sh", "-c", "cat; echo one >&2; echo two >&2; exit 3"],
    /exit code 3\. Its standard error ends:\none\ntwo$/,
  ],
  ["that is killed", ["sh", "-c", "cat > /dev/null; kill -9 $$"], /was killed by SIGKILL/],
  ["that ends early", ["sh", "-c", "head -c 10"], /before it had read the whole file/],
  ["that complains", ["sh", "-c", "cat; echo hm >&2"], /exit code 0, but has complained.*\nhm$/],
])("a program %s is an error with its exit code and its last words", async (_, words, message) => {
  expect(await failure(words)).toMatchObject({ code: "bad-input", message: expect.stringMatching(message) });
});

test("a program of which there is none is named", async () => {
  expect(await failure(["no-such-program-here", "-dc"])).toMatchObject({
    code: "wrong-usage",
    message: expect.stringMatching(/no-such-program-here -dc, can't be started: there is no such program/),
  });
});

test("a program that hangs is ended and named, as is one that has closed its output and hangs", async () => {
  for (const script of [
    "exec sleep 1000",
    "cat > /dev/null; exec sleep 1000",
    "cat > /dev/null; exec sleep 1000 >&-",
  ]) {
    const error = await failure(["sh", "-c", script], Buffer.from("x"), 300);
    expect(error.message, script).toMatch(/has neither read nor written for/);
  }
});

test("a program is ended when its reader stops, and when the file can't be read", async () => {
  const pidFile = join(directory, "pid");
  const words = ["sh", "-c", `echo $$ > ${pidFile}; exec cat`];
  for await (const part of throughProgram({ words, directory }, chunksOf(content, 65_536))) {
    expect(part.length).toBeGreaterThan(0);
    break;
  }
  const isRunning = () => {
    try {
      process.kill(Number(readFileSync(pidFile, "utf8")), 0);
      return true;
    } catch {
      return false;
    }
  };
  await expect.poll(isRunning, { timeout: 20_000 }).toBe(false);
  writeFileSync(pidFile, "");
  const thrown = new MillraceError("input-changed", "it changed");
  const broken = async function* () {
    yield content.subarray(0, 1000);
    throw thrown;
  };
  const reading = async () => {
    for await (const _ of throughProgram({ words, directory }, broken()));
  };
  await expect(reading()).rejects.toBe(thrown);
});
