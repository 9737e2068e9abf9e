import { describe, expect, it } from "vitest";
import {
  durationWord,
  formatBytes,
  formatCount,
  formatCounted,
  formatDuration,
  parseDuration,
  parseSize,
  sizeWord,
} from "./units.ts";

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

  it("writes the values of options as a person would, and as they are read", () => {
    const durations = [1, 2000, 1500, 90_000, 600_000, 5_400_000, 7_200_000, 172_800_000];
    expect(durations.map(durationWord)).toEqual(["1ms", "2s", "1500ms", "90s", "10m", "90m", "2h", "2d"]);
    const sizes = [1, 1000, 1024, 268_435_456, 2 * 1024 ** 3, 1.5 * 1024 ** 4];
    expect(sizes.map(sizeWord)).toEqual(["1", "1000", "1KB", "256MB", "2GB", "1536GB"]);
    for (const ms of durations) expect(parseDuration(durationWord(ms), "--task-timeout")).toBe(ms);
    for (const bytes of sizes) expect(parseSize(sizeWord(bytes), "--memory")).toBe(bytes);
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
