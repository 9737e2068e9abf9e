import { randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Chance } from "../chance.ts";
import { UserCode } from "./user-code.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "millrace-user-code-")));
const directory = join(folder, "attempt");
const startedAt = Date.parse("2026-01-01T00:00:00.000Z");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function within<T>(work: () => T | Promise<T>, code = new UserCode({ startedAt, directory })) {
  try {
    const random = new Chance(7, 1).random;
    const result = await code.within({ now: () => 5_000, random }, async () => await work());
    return { result, used: code.takeUsed() };
  } finally {
    code.remove();
  }
}

test("its clock is virtual time, and goes on while it is looked at", async () => {
  const { result, used } = await within(() => [Date.now(), new Date().toISOString(), new Date(0).toISOString()]);
  expect(result).toEqual([startedAt + 5_000, "2026-01-01T00:00:05.001Z", "1970-01-01T00:00:00.000Z"]);
  expect(used).toEqual({ readClock: true, drewChance: false });
});

test("its chance is the seed's, by all its names", async () => {
  const draw = () => [
    Math.random(),
    crypto.randomUUID(),
    randomUUID(),
    randomBytes(8).toString("hex"),
    Buffer.from(crypto.getRandomValues(new Uint8Array(8))).toString("hex"),
  ];
  const [a, b] = [await within(draw), await within(draw)];
  expect(b.result).toEqual(a.result);
  expect(new Set(a.result).size).toBe(5);
  expect(a.result[1]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(a.used).toEqual({ readClock: false, drewChance: true });
});

test("outside of it, and afterwards, all is as it was", async () => {
  const before = [Date, Math.random, process.exit, process.cwd(), crypto.randomUUID];
  const code = new UserCode({ startedAt, directory });
  expect(Math.abs(Date.now() - performance.timeOrigin - performance.now())).toBeLessThan(60_000);
  expect(randomUUID()).not.toBe(randomUUID());
  await within(() => Date.now(), code);
  expect([Date, Math.random, process.exit, process.cwd(), crypto.randomUUID]).toEqual(before);
  expect(Object.keys(Object.getOwnPropertyDescriptors(crypto))).toEqual([]);
});

test("its directory is empty each time, and ending the process is an error", async () => {
  const { result } = await within(() => {
    writeFileSync("left-behind", "");
    return process.cwd();
  });
  expect(result).toBe(directory);
  expect(existsSync(join(directory, "left-behind"))).toBe(false);
  await expect(within(() => process.exit(3))).rejects.toThrow("process.exit(3)");
});

test("what never ends leaves nothing either", async () => {
  const [before, { exit }] = [process.cwd(), process];
  const code = new UserCode({ startedAt, directory });
  void code.within({ now: () => 0, random: () => 0 }, () => new Promise(() => {}));
  expect(process.cwd()).toBe(directory);
  code.remove();
  expect([process.cwd(), process.exit]).toEqual([before, exit]);
});
