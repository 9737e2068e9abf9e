// The units that times are divided into, by what a clock on the wall shows: a local time is a number of milliseconds
// that counts from 1970-01-01T00:00 of that clock.
import { dayMs } from "../../../base/units.ts";
import { dateOf, daysOf } from "./calendar.ts";

export const hourMs = dayMs / 24;
export const minuteMs = hourMs / 60;

/** From the shortest to the longest. */
export const bucketUnits = ["minute", "hour", "day", "week", "month"] as const;

/** What `bucket` divides time into. Weeks begin on Monday. */
export type BucketUnit = (typeof bucketUnits)[number];

/** Whether a clock may show the same one twice, where it is set back, as two different ones. */
export function isOfClock(unit: BucketUnit): boolean {
  return unit === "minute" || unit === "hour";
}

/** The local time at which the unit begins that `local` is in. Weeks begin on Monday. */
export function floorTo(unit: BucketUnit, local: number): number {
  switch (unit) {
    case "minute":
      return Math.floor(local / minuteMs) * minuteMs;
    case "hour":
      return Math.floor(local / hourMs) * hourMs;
    case "day":
      return Math.floor(local / dayMs) * dayMs;
    case "week": {
      const days = Math.floor(local / dayMs);
      const sinceMonday = (((days + 3) % 7) + 7) % 7; // 1970-01-01 was a Thursday.
      return (days - sinceMonday) * dayMs;
    }
    case "month": {
      const { year, month } = dateOf(Math.floor(local / dayMs));
      return daysOf(year, month, 1) * dayMs;
    }
  }
}
