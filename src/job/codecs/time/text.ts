// Buckets as text: what a clock of the zone shows at their first instant, as exactly as the unit needs.
import { dayMs } from "../../../base/units.ts";
import { dateOf, dayOf, dayText, monthText, twoDigits } from "./calendar.ts";
import { type BucketUnit, floorTo, hourMs, isOfClock, minuteMs } from "./unit.ts";

/** What is read, for errors. */
export const textsRead: Readonly<Record<BucketUnit, string>> = {
  minute: "a minute such as 2024-05-31T13:30Z, with its offset where the zone is not UTC",
  hour: "an hour such as 2024-05-31T13:00Z, with its offset where the zone is not UTC",
  day: "a day such as 2024-05-31, without a time",
  week: "the Monday of a week, such as 2024-05-27",
  month: "a month such as 2024-05",
};

export function bucketText(unit: BucketUnit, instant: number, offset: number, isUtc: boolean): string {
  const local = instant + offset;
  const days = Math.floor(floorTo(unit, local) / dayMs);
  if (unit === "month") return monthText(dateOf(days));
  if (!isOfClock(unit)) return dayText(days);
  // Where clocks skipped the beginning of an hour, it begins within.
  const midnight = Math.floor(local / dayMs) * dayMs;
  return `${dayText(midnight / dayMs)}T${clockText(local - midnight)}${isUtc ? "Z" : offsetText(offset)}`;
}

function offsetText(offset: number): string {
  return `${offset < 0 ? "-" : "+"}${clockText(Math.abs(offset))}`;
}

/** `13:00`; with seconds, as offsets of the 19th century have, where there are any. */
function clockText(ms: number): string {
  const text = `${twoDigits(Math.floor(ms / hourMs))}:${twoDigits(Math.floor(ms / minuteMs) % 60)}`;
  const seconds = Math.floor(ms / 1000) % 60;
  return seconds === 0 ? text : `${text}:${twoDigits(seconds)}`;
}

interface ParsedBucket {
  /** The local time at which it begins. */
  readonly local: number;
  /** What the text says of how far the clock is ahead of UTC; undefined for units that need not say it. */
  readonly offset: number | undefined;
}

const datePattern = /^(?<year>[+-]\d{6}|\d{4})-(?<month>\d\d)(?:-(?<day>\d\d))?$/;
const clockPattern =
  /^(?<date>\S{10,13})[T ](?<clock>\d\d:\d\d(?::\d\d)?)(?<offset>Z|(?<sign>[+-])(?<ahead>\d\d:\d\d(?::\d\d)?))?$/;

/** Undefined: no text of such a bucket. */
export function parseBucket(unit: BucketUnit, text: string, isUtc: boolean): ParsedBucket | undefined {
  if (!isOfClock(unit)) {
    const days = parseDays(text, unit === "month");
    const local = days === undefined ? undefined : days * dayMs;
    return local === undefined || floorTo(unit, local) !== local ? undefined : { local, offset: undefined };
  }
  const parts = clockPattern.exec(text)?.groups;
  const days = parts === undefined ? undefined : parseDays(parts["date"]!, false);
  const clock = parts === undefined ? undefined : parseClock(parts["clock"]!);
  if (parts === undefined || days === undefined || clock === undefined) return undefined;
  const local = days * dayMs + clock;
  const { offset, sign, ahead } = parts;
  if (offset === undefined) return isUtc ? { local, offset: 0 } : undefined;
  const ms = ahead === undefined ? 0 : parseClock(ahead);
  return ms === undefined ? undefined : { local, offset: sign === "-" ? -ms : ms };
}

function parseDays(text: string, isMonth: boolean): number | undefined {
  const parts = datePattern.exec(text)?.groups;
  if (parts === undefined || (parts["day"] === undefined) !== isMonth) return undefined;
  return dayOf(parts["year"]!, parts["month"]!, parts["day"] ?? "01");
}

function parseClock(text: string): number | undefined {
  const [hours = 0, minutes = 0, seconds = 0] = text.split(":").map(Number);
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
  return ((hours * 60 + minutes) * 60 + seconds) * 1000;
}
