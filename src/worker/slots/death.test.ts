import { describe, expect, test } from "vitest";
import { MiB } from "../../base/limits.ts";
import { type Death, deathText } from "./death.ts";

const ended: Death = {
  code: null,
  signal: null,
  killedFor: undefined,
  stderrTail: "",
  heapMiB: 128,
  rssBytesMax: 512 * MiB,
};

function message(death: Partial<Death>): string {
  return deathText({ ...ended, ...death }).message;
}

describe("how a slot's end is told", () => {
  test("fault 14: V8's abort for want of heap names the heap's limit", () => {
    const stderrTail =
      "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n----- Native stack trace -----\n";
    for (const end of [{ signal: "SIGABRT" as const }, { code: 134 }]) {
      expect(message({ ...end, stderrTail })).toMatch(/^out of memory: .*heap of 128 MiB.*--memory/);
    }
  });

  test("fault 15: the watchdog's kill names both sizes, not the signal", () => {
    const death = message({ signal: "SIGKILL", killedFor: { kind: "memory", bytes: 600 * MiB } });
    expect(death).toMatch(/^out of memory: .*600 MiB.*512 MiB/);
  });

  test("fault 16: an abort, a crash and a kill are told apart", () => {
    expect(message({ signal: "SIGABRT", stderrTail: "boom\n" })).toMatch(/aborted.*boom$/);
    expect(message({ signal: "SIGSEGV" })).toMatch(/crashed \(SIGSEGV\).*addon/);
    expect(message({ signal: "SIGKILL" })).toMatch(/killed \(SIGKILL\)/);
    expect(message({ signal: "SIGTERM" })).toMatch(/signal SIGTERM/);
  });

  test("fault 18: process.exit is named with its code", () => {
    expect(message({ code: 0 })).toContain("process.exit(0)");
    expect(message({ code: 3, stderrTail: "first\nbad config\n" })).toMatch(/process\.exit\(3\).*bad config$/);
  });
});
