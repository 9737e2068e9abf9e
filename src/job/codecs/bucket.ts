// Times by minute, hour, day, week or month of a time zone. A bucket is its first instant, as a Date, and its codec's
// text is what a clock of the zone shows then.
import { didYouMean } from "../../base/closest.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { wrong } from "../check.ts";
import type { ColumnCodec } from "../codec.ts";
import { millisecondsOf } from "./date.ts";
import { readDouble, writeDouble } from "./f64.ts";
import { builtIn, wrongText } from "./facts.ts";
import { bucketText, parseBucket, textsRead } from "./time/text.ts";
import { type BucketUnit, bucketUnits, floorTo, isOfClock } from "./time/unit.ts";
import { zoneOf } from "./time/zone.ts";

/** Divides time, and is the codec of what it is divided into: a key, a column, a field. */
export interface Bucket extends ColumnCodec<Date> {
  /**
   * The first instant of the day, hour, … that the time is in.
   * @throws `wrong-value` for an invalid Date.
   * @example emit([perDay.of(order.paidAt), order.city], order.cents)
   */
  of(time: Date): Date;
}

/** By unit, then by zone. Zones of data are asked for again and again. */
const buckets = new Map<string, Bucket>();
const bucketsMax = 1_000;

/**
 * Divides time into the minutes, hours, days, weeks (from Monday) or months of a time zone, UTC by default. Days are as
 * long as they are there: 23 hours or 25 where clocks change. An hour that a clock shows twice is two.
 *
 * It is a codec too: Dates in the order of time, 8 bytes, and only those that `of` gives; others are refused with
 * `wrong-value`. As text the zone's own: a day `2024-05-31`, a week its Monday, a month `2024-05`, an hour
 * `2024-05-31T13:00+02:00`.
 * @throws `wrong-job` for a unit that there is none of, and a zone that Node does not know.
 * @example const perDay = bucket("day", "Europe/Berlin");
 */
export function bucket(unit: BucketUnit, zone = "UTC"): Bucket {
  if (!bucketUnits.includes(unit)) {
    const hint = typeof unit === "string" ? didYouMean(unit, bucketUnits) : "";
    const listed = bucketUnits.map((one) => JSON.stringify(one)).join(", ");
    throw wrong(`bucket takes one of ${listed}, not ${excerptOf(unit)}${hint}`);
  }
  if (typeof zone !== "string") throw wrong(`bucket takes the name of a time zone, not ${excerptOf(zone)}`);
  const key = `${unit} ${zone}`;
  const known = buckets.get(key);
  if (known !== undefined) return known;
  const made = bucketOf(`bucket("${unit}"${zone === "UTC" ? "" : `, ${excerptOf(zone)}`})`, unit, zone);
  if (buckets.size >= bucketsMax) buckets.clear();
  buckets.set(key, made);
  return made;
}

/**
 * Dates without times, `2024-05-31`: midnight in UTC. Text with a time is refused, and so are other Dates, with
 * `wrong-value`; `day.of(date)` is the day that one is on. For the days of another zone: `bucket("day", zone)`.
 * @example columns: { paid: nullable(day) }
 */
export const day: Bucket = bucketOf("day", "day", "UTC");

function bucketOf(name: string, unit: BucketUnit, zoneName: string): Bucket {
  const zone = zoneOf(zoneName, name);
  const ofClock = isOfClock(unit);
  const aUnit = `${unit === "hour" ? "an" : "a"} ${unit}`;
  let lastLocal = Number.NaN;
  let lastOffset = Number.NaN;
  let lastStart = Number.NaN;

  /** Records that follow each other are mostly in the same bucket. */
  const startOf = (instant: number): number => {
    const offset = zone.offsetAt(instant);
    const local = floorTo(unit, instant + offset);
    if (local === lastLocal && (offset === lastOffset || !ofClock)) return lastStart;
    const before = local - offset;
    // Where a clock was set back, its hour before that is another one.
    lastStart = ofClock && zone.offsetAt(before) === offset ? before : zone.firstInstant(local);
    lastLocal = local;
    lastOffset = offset;
    return lastStart;
  };

  /** The instant of a bucket; throws for other Dates. */
  const checked = (value: unknown): number => {
    const instant = millisecondsOf(value, name);
    if (startOf(instant) === instant) return instant;
    const takes = `${name} takes the beginning of ${aUnit} in ${zoneName}, not ${excerptOf(value)}`;
    throw new MillraceError("wrong-value", `${takes}: its \`of\` gives the ${unit} that a time is in`);
  };

  const codec: Bucket = {
    ordered: true,
    of(time) {
      const start = new Date(startOf(millisecondsOf(time, name)));
      if (!Number.isNaN(start.getTime())) return start;
      throw new MillraceError("wrong-value", `${name}: the ${unit} of ${excerptOf(time)} begins before the first Date`);
    },
    write: (value, out) => writeDouble(checked(value), out),
    read: (bytes) => new Date(readDouble(bytes)),
    format(value) {
      const instant = checked(value);
      return bucketText(unit, instant, zone.offsetAt(instant), zoneName === "UTC");
    },
    parse(text) {
      const parsed = parseBucket(unit, text, zoneName === "UTC");
      if (parsed === undefined) throw wrongText(name, textsRead[unit], text);
      const instant = parsed.offset === undefined ? zone.firstInstant(parsed.local) : parsed.local - parsed.offset;
      const isDate = !Number.isNaN(new Date(instant).getTime());
      // The zone may have skipped the day, or the instant may be in the middle of an hour.
      const isWhole =
        isDate &&
        startOf(instant) === instant &&
        (parsed.offset !== undefined || floorTo(unit, instant + zone.offsetAt(instant)) === parsed.local);
      if (!isWhole) throw wrongText(name, `the beginning of ${aUnit} that there is in ${zoneName}`, text);
      return new Date(instant);
    },
  };
  return builtIn(codec, { name, width: 8, gives: "date", hasOwnText: true });
}
