// `millrace token new`, as a user types it.
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { millrace } from "../support/cli.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-token-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const scopes = ["admin", "submit", "worker", "read"];

test("S19: token new makes one token of each scope, for its owner alone, and never writes over one", async () => {
  const directory = join(folder, "deep/tokens");
  const made = await millrace(["token", "new", directory, "--json"]);
  expect(JSON.parse(made.stdout.toString())).toEqual({ event: "tokens", directory, files: scopes });
  const read = () => scopes.map((scope) => readFileSync(join(directory, scope), "utf8"));
  const tokens = read();
  for (const token of tokens) expect(token).toMatch(/^[\w-]{43}\n$/);
  expect(new Set(tokens).size).toBe(4);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  for (const scope of scopes) expect(statSync(join(directory, scope)).mode & 0o777).toBe(0o600);
  expect(made.stdout.toString() + made.stderr).not.toContain(tokens[0]!.trim());

  const again = await millrace(["token", "new", directory]);
  expect([again.code, again.stdout.toString()]).toEqual([2, ""]);
  expect(again.stderr).toMatch(/has tokens already \(admin\)/);
  expect(read()).toEqual(tokens);
  expect((await millrace(["token", "old", directory])).code).toBe(2);
});
