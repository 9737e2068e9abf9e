import { types } from "node:util";
import { MillraceError } from "../../base/error.ts";
import type { ColumnCodec } from "../codec.ts";
import { readDouble, writeDouble } from "./f64.ts";
import { builtIn, wrongText, wrongValue } from "./facts.ts";

/**
 * Dates in the order of time, 8 bytes; as text ISO 8601, written in UTC. An invalid Date is refused with `wrong-value`.
 * Text without a zone is UTC, and text finer than a millisecond is refused.
 */
export const date: ColumnCodec<Date> = builtIn(
  {
    ordered: true,
    write: (value, out) => writeDouble(millisecondsOf(value, "date"), out),
    read: (bytes) => new Date(readDouble(bytes)),
    parse: parseDate,
    format: (value) => new Date(millisecondsOf(value, "date")).toISOString(),
  } satisfies ColumnCodec<Date>,
  { name: "date", width: 8, gives: "date" },
);

/** Throws `wrong-value` for what is no valid Date; `codec` is the name of the one that takes it. */
export function millisecondsOf(value: unknown, codec: string): number {
  if (!types.isDate(value)) throw wrongValue(codec, "a Date", value);
  const ms = Date.prototype.getTime.call(value);
  if (Number.isNaN(ms)) throw new MillraceError("wrong-value", `${codec} takes a valid Date, not an invalid one`);
  return ms;
}

const pattern =
  /^(?<year>[+-]\d{6}|\d{4})-(?<month>\d\d)-(?<day>\d\d)(?:[T ](?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:\.(?<fraction>\d+))?)?(?<zone>Z|[+-]\d\d:\d\d)?)?$/;
const takes = "ISO 8601 such as 2024-05-31 or 2024-05-31T12:00:00.000Z";

/**
 * Date.parse alone would accept much more, and differently from engine to engine: 30 February as 1 March, times without
 * a zone as local ones. Here those times are UTC, and a text that is no date, or finer than a millisecond, is an error.
 */
function parseDate(text: string): Date {
  const parts = pattern.exec(text)?.groups;
  if (parts === undefined) throw wrongText("date", takes, text);
  const { year, month, day, hour = "00", minute = "00", second = "00", fraction = "", zone = "Z" } = parts;
  const midnight = new Date(`${year}-${month}-${day}T00:00:00.000Z`);
  if (Number.isNaN(midnight.getTime()) || midnight.getUTCDate() !== Number(day))
    throw wrongText("date", "a day that exists", text);
  if (/[1-9]/.test(fraction.slice(3))) {
    throw new MillraceError("wrong-value", `date holds milliseconds, and ${text} is finer: read the column as utf8`);
  }
  const ms = Date.parse(
    `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, "0")}${zone}`,
  );
  if (Number.isNaN(ms)) throw wrongText("date", takes, text);
  return new Date(ms);
}
