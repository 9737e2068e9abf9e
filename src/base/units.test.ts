import { describe, expect, it } from "vitest";
import { formatBytes, formatCount, formatCounted, formatDuration, parseDuration, parseSize } from "./units.ts";

describe("units", () => {
  it("reads sizes in powers of 1024, whatever the case", () => {
    expect(parseSize("64", "--memory")).toBe(64);
    expect(parseSize("1.5 KB", "--memory")).toBe(1536);
    expect(parseSize("2GiB", "--memory")).toBe(2 * 1024 ** 3);
    expect(parseSize("512mb", "--memory")).toBe(512 * 1024 ** 2);
  });

  it.each(["", "abc", "-1MB", "0", "1XB", "NaN", "1e400TB", "Infinity"])(
    "refuses %j as a size and names the option",
    (text) => {
      expect(() => parseSize(text, "--memory")).toThrow(/--memory takes a size/);
    },
  );

  it("reads durations", () => {
    expect(parseDuration("10m", "--task-timeout")).toBe(600_000);
    expect(parseDuration("1.5s", "--task-timeout")).toBe(1500);
    expect(parseDuration("20ms", "--task-timeout")).toBe(20);
  });

  it.each(["10", "m", "-1s", "1y", "0s"])("refuses %j as a duration", (text) => {
    expect(() => parseDuration(text, "--task-timeout")).toThrow(/--task-timeout takes a time/);
  });

  it("writes bytes, durations and counts for people", () => {
    expect([0, 999, 1024, 1536, 3.3e6, 5e9].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1.00 KiB",
      "1.50 KiB",
      "3.15 MiB",
      "4.66 GiB",
    ]);
    expect([5, 999, 1500, 61_000, 3_725_000].map(formatDuration)).toEqual([
      "5 ms",
      "999 ms",
      "1.50 s",
      "1 m 01 s",
      "1 h 02 m",
    ]);
    expect([0, 1, 1234].map((n) => formatCounted(n, "record"))).toEqual(["0 records", "1 record", "1,234 records"]);
    expect([0, 999, 1000, 1234567].map(formatCount)).toEqual(["0", "999", "1,000", "1,234,567"]);
  });
});
