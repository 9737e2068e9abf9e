import { expect, test } from "vitest";
import { failpoint, parseFailpoint } from "./failpoint.ts";

test("a failpoint names a place, what happens there, and at which passing", () => {
  expect(parseFailpoint("master.beforeCommit:kill")).toEqual({ name: "master.beforeCommit", action: "kill", at: 1 });
  expect(parseFailpoint("slot.after.map:error:3")).toEqual({ name: "slot.after.map", action: "error", at: 3 });
  expect(parseFailpoint("worker.beforeStart:SIGHUP")).toEqual({ name: "worker.beforeStart", action: "SIGHUP", at: 1 });
  expect(parseFailpoint(undefined)).toBeUndefined();
  expect(parseFailpoint("")).toBeUndefined();
});

test("a misspelt failpoint is an error, so that no test passes because nothing happened", () => {
  for (const text of ["master.beforeCommit", "a:explode", "a:SIGUSR1", "a:kill:x", ":kill"]) {
    expect(() => parseFailpoint(text)).toThrow(/NAME:kill/);
  }
});

test("without the variable a failpoint does nothing", () => {
  expect(process.env["MILLRACE_FAILPOINT"]).toBeUndefined();
  expect(() => failpoint("anything")).not.toThrow();
});
