// Sizes, durations and counts as people write and read them: parsing of options, and formatting for the screen.
import { MillraceError } from "./error.ts";

export const dayMs = 86_400_000;

const sizeUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1024,
  kb: 1024,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1024 ** 3,
  gib: 1024 ** 3,
  t: 1024 ** 4,
  tb: 1024 ** 4,
  tib: 1024 ** 4,
};
const durationUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: dayMs };

/**
 * Parses a size: "512MB", "1.5 GiB", "65536" → bytes. Units are powers of 1024. `what` names the option in the error.
 */
export function parseSize(text: string, what: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text);
  const unit = match === null ? undefined : sizeUnits[match[2]!.toLowerCase()];
  const bytes = match === null || unit === undefined ? Number.NaN : Math.floor(Number(match[1]) * unit);
  if (!Number.isSafeInteger(bytes) || bytes <= 0) {
    throw new MillraceError("wrong-usage", `${what} takes a size such as 512MB or 2GB, not ${JSON.stringify(text)}`);
  }
  return bytes;
}

/** Parses a duration: "500ms", "30s", "10m", "1.5h" → milliseconds. `what` names the option in the error. */
export function parseDuration(text: string, what: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text);
  const unit = match === null ? undefined : durationUnits[match[2]!.toLowerCase()];
  const ms = match === null || unit === undefined ? Number.NaN : Math.round(Number(match[1]) * unit);
  if (!Number.isSafeInteger(ms) || ms <= 0) {
    throw new MillraceError("wrong-usage", `${what} takes a time such as 30s, 10m or 1h, not ${JSON.stringify(text)}`);
  }
  return ms;
}

/** Parses a duration, or "off", which is 0. */
export function parseInterval(text: string, what: string): number {
  if (text.trim().toLowerCase() === "off") return 0;
  try {
    return parseDuration(text, what);
  } catch {
    throw new MillraceError(
      "wrong-usage",
      `${what} takes a time such as 30s or 10m, or off, not ${JSON.stringify(text)}`,
    );
  }
}

/** 1536 → "1.50 KiB"; three significant digits. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = "B";
  for (const next of ["KiB", "MiB", "GiB", "TiB"]) {
    if (value < 1000) break;
    value /= 1024;
    unit = next;
  }
  return unit === "B" ? `${Math.round(value)} B` : `${threeDigits(value)} ${unit}`;
}

/** 812 → "812 ms", 61_000 → "1 m 01 s". */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${threeDigits(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} m`;
}

/** As options take it, in the largest unit that needs no fraction: 2000 → "2s", 5_400_000 → "90m", 1500 → "1500ms". */
export function durationWord(ms: number): string {
  return inUnits(ms, Object.entries(durationUnits));
}

/** As options take it, in the largest unit that needs no fraction: 268435456 → "256MB", 1000 → "1000". */
export function sizeWord(bytes: number): string {
  return inUnits(bytes, sizeWords);
}
const sizeWords = ["", "kb", "mb", "gb", "tb"].map((unit) => [unit.toUpperCase(), sizeUnits[unit]!] as const);

function inUnits(value: number, units: readonly (readonly [unit: string, size: number])[]): string {
  const [unit, size] = units.findLast(([, each]) => value !== 0 && value % each === 0) ?? units[0]!;
  return `${value / size}${unit}`;
}

/** 1234567 → "1,234,567". */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** 1, "record" → "1 record"; 1234 → "1,234 records". */
export function formatCounted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function threeDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
