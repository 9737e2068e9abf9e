import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { codecSuite } from "../../../test/conformance/codec.ts";
import { type Bucket, bucket, day } from "./bucket.ts";
import { date } from "./date.ts";
import { nullable } from "./nullable.ts";
import { type BucketUnit, bucketUnits } from "./time/unit.ts";

const hour = 3_600_000;
const compareDates = (a: Date, b: Date) => a.getTime() - b.getTime();

/** Zones with an oddity each: see the table of known buckets below. */
const zones = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "America/Sao_Paulo",
  "America/St_Johns",
  "America/Havana",
  "Africa/Cairo",
  "Africa/Monrovia",
  "Asia/Kathmandu",
  "Asia/Kolkata",
  "Asia/Manila",
  "Antarctica/Troll",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "Pacific/Kiritimati",
] as const;

/** What a zone's clock shows, by Intl alone: another calendar, locale and path than `zone.ts` goes. */
class Clock {
  readonly #format: Intl.DateTimeFormat;

  constructor(zone: string) {
    this.#format = new Intl.DateTimeFormat("en-u-ca-iso8601-nu-latn", {
      timeZone: zone,
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      weekday: "short",
      hourCycle: "h23",
    });
  }

  /** Years from 100 on. */
  at(instant: number) {
    // Intl would cut off milliseconds towards 1970.
    const parts = this.#format.formatToParts(Math.floor(instant / 1000) * 1000);
    const part = Object.fromEntries(parts.map(({ type, value }) => [type, value]));
    const { year, month, day: dayOfMonth, hour: hours, minute, second, weekday } = part;
    const date = `${year!.padStart(4, "0")}-${month}-${dayOfMonth}`;
    const shown = Date.parse(`${date}T${hours}:${minute}:${second}Z`);
    return { date, hours, minute, weekday: weekday!, offset: shown - Math.floor(instant / 1000) * 1000 };
  }

  /** Two times are in one bucket exactly where this is the same. */
  label(unit: BucketUnit, instant: number): string {
    const { date, hours, minute, weekday } = this.at(instant);
    switch (unit) {
      case "minute":
        return `${date} ${hours}:${minute}`;
      case "hour":
        return `${date} ${hours}`;
      case "day":
        return date;
      case "week": {
        const since = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].indexOf(weekday);
        return new Date(Date.parse(`${date}T00:00:00Z`) - since * 24 * hour).toISOString().slice(0, 10);
      }
      case "month":
        return date.slice(0, 7);
    }
  }
}

const clocks = new Map(zones.map((zone) => [zone, new Clock(zone)]));

/** Instants at which the zone's offset changes, in some years: to the second. */
function changes(zone: (typeof zones)[number]): readonly number[] {
  const clock = clocks.get(zone)!;
  const found: number[] = [];
  for (const year of [1844, 1891, 1893, 1972, 1987, 1994, 1995, 2011, 2018, 2023, 2024]) {
    for (let from = Date.UTC(year, 0, 1); from < Date.UTC(year + 1, 0, 1); from += 24 * hour) {
      const [before, after] = [clock.at(from).offset, clock.at(from + 24 * hour).offset];
      if (before === after) continue;
      let [low, high] = [from, from + 24 * hour];
      while (high - low > 1000) {
        const middle = low + Math.floor((high - low) / 2000) * 1000;
        if (clock.at(middle).offset === before) low = middle;
        else high = middle;
      }
      found.push(high);
    }
  }
  return found;
}

/** Times of the zone, half of them within two days of a change of its clocks. */
function times(zone: (typeof zones)[number]): fc.Arbitrary<number> {
  const anywhere = fc.integer({ min: Date.UTC(1800, 0, 1), max: Date.UTC(2200, 0, 1) });
  const found = changes(zone);
  if (found.length === 0) return anywhere;
  const near = fc.tuple(
    fc.constantFrom(...found),
    fc.oneof(fc.integer({ min: -5_000, max: 5_000 }), fc.integer({ min: -48 * hour, max: 48 * hour })),
  );
  return fc.oneof(
    anywhere,
    near.map(([change, away]) => change + away),
  );
}

describe.each(zones)("buckets in %s", (zone) => {
  const clock = clocks.get(zone)!;
  const ofZone = times(zone);

  it.each(bucketUnits)("property: a %s begins at the first instant at which Intl shows it", (unit) => {
    const made = bucket(unit, zone);
    fc.assert(
      fc.property(ofZone, fc.integer({ min: -3 * hour, max: 3 * hour }), (time, away) => {
        const start = made.of(new Date(time)).getTime();
        expect(start).toBeLessThanOrEqual(time);
        expect(clock.label(unit, start)).toBe(clock.label(unit, time));
        expect(made.of(new Date(start)).getTime()).toBe(start);
        const isNew =
          clock.label(unit, start - 1) !== clock.label(unit, start) ||
          // The hour before is another one with the same name.
          (unit !== "day" && clock.at(start - 1).offset !== clock.at(start).offset);
        expect(isNew).toBe(true);
        // Two times that are called the same, by the same offset, are in one bucket, and others never.
        const other = made.of(new Date(time + away)).getTime();
        const [one, two] = [clock.label(unit, time), clock.label(unit, time + away)];
        const isOfClock = unit === "hour" || unit === "minute";
        if (one !== two) expect(other).not.toBe(start);
        else if (!isOfClock || clock.at(time).offset === clock.at(time + away).offset) expect(other).toBe(start);
      }),
    );
  });

  it.each(bucketUnits)("property: the text of a %s is what Intl shows, and is read back", (unit) => {
    const made = bucket(unit, zone);
    fc.assert(
      fc.property(ofZone, (time) => {
        const start = made.of(new Date(time));
        const text = made.format(start);
        const { date: shown, hours, minute } = clock.at(start.getTime());
        if (unit === "minute" || unit === "hour") expect(text.startsWith(`${shown}T${hours}:${minute}`)).toBe(true);
        else expect(text).toBe(clock.label(unit, time));
        expect(made.parse(text)).toEqual(start);
      }),
    );
  });
});

describe("buckets that are known from elsewhere", () => {
  it.each<[string, BucketUnit, string, string, string, string]>([
    ["a summer's day", "day", "Europe/Berlin", "2024-07-01T12:00Z", "2024-06-30T22:00Z", "2024-07-01"],
    ["a day of 23 hours", "day", "Europe/Berlin", "2024-03-31T21:59:59.999Z", "2024-03-30T23:00Z", "2024-03-31"],
    ["a day of 25 hours", "day", "Europe/Berlin", "2024-10-27T22:59:59.999Z", "2024-10-26T22:00Z", "2024-10-27"],
    [
      "the first of two hours",
      "hour",
      "Europe/Berlin",
      "2024-10-27T00:30Z",
      "2024-10-27T00:00Z",
      "2024-10-27T02:00+02:00",
    ],
    [
      "the second of two hours",
      "hour",
      "Europe/Berlin",
      "2024-10-27T01:30Z",
      "2024-10-27T01:00Z",
      "2024-10-27T02:00+01:00",
    ],
    [
      "the hour behind a skipped one",
      "hour",
      "America/New_York",
      "2024-03-10T07:30Z",
      "2024-03-10T07:00Z",
      "2024-03-10T03:00-04:00",
    ],
    ["a midnight that was skipped", "day", "America/Sao_Paulo", "2018-11-04T15:00Z", "2018-11-04T03:00Z", "2018-11-04"],
    ["a midnight that was skipped", "day", "Africa/Cairo", "2023-04-28T12:00Z", "2023-04-27T22:00Z", "2023-04-28"],
    ["a midnight that came twice", "day", "America/Havana", "2024-11-03T12:00Z", "2024-11-03T04:00Z", "2024-11-03"],
    [
      "an hour before midnight that came twice",
      "day",
      "America/Sao_Paulo",
      "2018-02-18T02:30Z",
      "2018-02-17T02:00Z",
      "2018-02-17",
    ],
    [
      "a clock set back over midnight",
      "day",
      "America/St_Johns",
      "1987-10-25T03:00Z",
      "1987-10-24T02:30Z",
      "1987-10-24",
    ],
    [
      "the day that it had begun before",
      "day",
      "America/St_Johns",
      "1987-10-25T12:00Z",
      "1987-10-25T02:30Z",
      "1987-10-25",
    ],
    [
      "half an hour from UTC",
      "hour",
      "Asia/Kolkata",
      "2024-01-01T00:00Z",
      "2023-12-31T23:30Z",
      "2024-01-01T05:00+05:30",
    ],
    [
      "a quarter of an hour from UTC",
      "hour",
      "Asia/Kathmandu",
      "2024-01-01T00:00Z",
      "2023-12-31T23:15Z",
      "2024-01-01T05:00+05:45",
    ],
    [
      "an hour set back by half of it",
      "hour",
      "Australia/Lord_Howe",
      "2024-04-06T15:10Z",
      "2024-04-06T14:00Z",
      "2024-04-07T01:00+11:00",
    ],
    [
      "an hour of which half was skipped",
      "hour",
      "Australia/Lord_Howe",
      "2024-10-05T15:40Z",
      "2024-10-05T15:30Z",
      "2024-10-06T02:30+11:00",
    ],
    ["an offset with seconds", "day", "Europe/Berlin", "1893-03-31T12:00Z", "1893-03-30T23:06:32Z", "1893-03-31"],
    [
      "an offset with seconds",
      "hour",
      "Europe/Berlin",
      "1880-01-01T12:00Z",
      "1880-01-01T11:06:32Z",
      "1880-01-01T12:00+00:53:28",
    ],
    [
      "an offset with seconds until 1972",
      "minute",
      "Africa/Monrovia",
      "1971-06-01T12:00:00Z",
      "1971-06-01T11:59:30Z",
      "1971-06-01T11:15-00:44:30",
    ],
    [
      "the day behind one that there was not",
      "day",
      "Pacific/Apia",
      "2011-12-30T12:00Z",
      "2011-12-30T10:00Z",
      "2011-12-31",
    ],
    [
      "a week in which a day is lacking",
      "week",
      "Pacific/Apia",
      "2011-12-31T12:00Z",
      "2011-12-26T10:00Z",
      "2011-12-26",
    ],
    ["a week over two years", "week", "UTC", "2025-01-01T00:00Z", "2024-12-30T00:00Z", "2024-12-30"],
    ["a Sunday", "week", "UTC", "2024-06-02T23:59:59.999Z", "2024-05-27T00:00Z", "2024-05-27"],
    ["a Monday before 1970", "week", "UTC", "1969-12-29T00:00Z", "1969-12-29T00:00Z", "1969-12-29"],
    ["a leap year's February", "month", "Europe/Berlin", "2024-02-29T22:59Z", "2024-01-31T23:00Z", "2024-02"],
    ["a year below 100", "day", "UTC", "0099-03-01T05:00Z", "0099-03-01T00:00Z", "0099-03-01"],
    ["a year below 100, elsewhere", "month", "Europe/Berlin", "0044-03-15T12:00Z", "0044-02-29T23:06:32Z", "0044-03"],
    ["the year before the first", "day", "UTC", "0000-02-29T05:00Z", "0000-02-29T00:00Z", "0000-02-29"],
    ["a year before that", "day", "Asia/Kolkata", "-000043-03-15T12:00Z", "-000043-03-14T18:06:32Z", "-000043-03-15"],
    ["a year of five digits", "month", "UTC", "+012024-05-31T12:00Z", "+012024-05-01T00:00Z", "+012024-05"],
    [
      "the last Date",
      "minute",
      "Europe/Berlin",
      "+275760-09-13T00:00Z",
      "+275760-09-13T00:00Z",
      "+275760-09-13T02:00+02:00",
    ],
  ])("%s: the %s in %s of %s", (_, unit, zone, time, start, text) => {
    const made = bucket(unit, zone);
    const found = made.of(date.parse(time));
    expect(found.toISOString()).toBe(new Date(start).toISOString());
    expect(made.format(found)).toBe(text);
    expect(made.parse(text)).toEqual(found);
  });

  it("does not depend on what was asked for before", () => {
    const step = 17 * 60_000 + 13_000;
    const shuffled = [...Array(4_000).keys()].map((i) => ((i * 1_597) % 4_000) * step + Date.UTC(2024, 2, 30));
    for (const zone of zones) {
      const alone = (time: number) => bucket("hour", zone.toLowerCase()).of(new Date(time)).getTime();
      const inOrder = shuffled.toSorted((a, b) => a - b).map((time) => [time, alone(time)]);
      const found = new Map(inOrder as [number, number][]);
      const made = bucket("hour", zone);
      for (const time of shuffled) expect(made.of(new Date(time)).getTime()).toBe(found.get(time));
    }
  });

  it("does not depend on what was forgotten, so that memory does not grow with the years in data", () => {
    const made = bucket("hour", "Australia/Lord_Howe");
    const [change, pageHours, pagesMax] = [Date.UTC(2024, 9, 5, 15, 40), 1_024, 4_096];
    const found = () => made.of(new Date(change)).toISOString();
    expect(found()).toBe("2024-10-05T15:30:00.000Z");
    for (let page = 1; page < pagesMax + 100; page++) {
      const time = change + page * pageHours * hour;
      expect(time - made.of(new Date(time)).getTime()).toBeLessThan(2 * hour);
    }
    expect(found()).toBe("2024-10-05T15:30:00.000Z");
  });
});

const instants = fc.date({ noInvalidDate: true, min: new Date(-8.6e15) });
const startsOf = (made: Bucket) => instants.map((time) => made.of(time));
for (const [name, made] of [
  ["day", day],
  ['bucket("hour", "Europe/Berlin")', bucket("hour", "Europe/Berlin")],
  ['bucket("week", "America/Sao_Paulo")', bucket("week", "America/Sao_Paulo")],
] as const) {
  codecSuite(name, { codec: made, values: startsOf(made), compare: compareDates });
}

describe("buckets refuse", () => {
  it("zones that Node does not know, by name", () => {
    const refused = (zone: unknown) => () => bucket("day", zone as string);
    expect(refused("Europe/Berln")).toThrow(/no time zone "Europe\/Berln" \(did you mean "Europe\/Berlin"\?\)/);
    for (const zone of ["", "Mars/Base", "CEST", " UTC", "UTC\0", "+01:00", "-0330", null, 1, {}, ["UTC"]]) {
      expect(refused(zone)).toThrow(expect.objectContaining({ code: "wrong-job" }));
      expect(refused(zone)).toThrow(/^bucket.*zone/);
    }
  });

  it("units that there are none of", () => {
    const refused = (unit: unknown) => () => bucket(unit as BucketUnit);
    expect(refused("weeks")).toThrow(/"minute", "hour", "day", "week", "month", not "weeks" \(did you mean "week"\?\)/);
    for (const unit of ["", "constructor", undefined, null, 1, Symbol("day")]) {
      expect(refused(unit)).toThrow(expect.objectContaining({ code: "wrong-job" }));
    }
  });

  it("what is no time", () => {
    for (const value of [undefined, null, 0, "2024-01-01", new Date(Number.NaN), {}]) {
      for (const method of ["of", "format"] as const) {
        expect(() => day[method](value as Date)).toThrow(expect.objectContaining({ code: "wrong-value" }));
        expect(() => day[method](value as Date)).toThrow(/^day takes a/);
      }
    }
    expect(() => bucket("week").of(new Date(-8.64e15))).toThrow(/the week of .* begins before the first Date/);
  });

  it("a time in the middle of a bucket, rather than to change it", () => {
    const perDay = bucket("day", "Europe/Berlin");
    expect(() => perDay.format(new Date("2024-05-31"))).toThrow(
      /^bucket\("day", "Europe\/Berlin"\) takes the beginning of a day in Europe\/Berlin, not 2024-05-31T00:00:00.000Z: its `of`/,
    );
    expect(() => bucket("hour").format(new Date(1))).toThrow(/the beginning of an hour in UTC/);
  });

  it.each<[string, Bucket, readonly string[]]>([
    [
      "day",
      day,
      [
        ...["", "2024", "2024-05", "2024-02-30", "2023-02-29", "2024-00-01", "2024-13-01", "2024-1-1", "20240101"],
        ...["2024-05-31T00:00", "2024-05-31T00:00:00.000Z", " 2024-05-31", "2024-05-31 ", "-000000-01-01"],
        ...["+275760-09-14", "-271821-04-19", "٢٠٢٤-٠١-٠١", "2024-05-31\n"],
      ],
    ],
    ['bucket("day", "Pacific/Apia")', bucket("day", "Pacific/Apia"), ["2011-12-30", "2011-12-31T00:00"]],
    ['bucket("week")', bucket("week"), ["2024-05-28", "2024-W22", "2024-05"]],
    ['bucket("month")', bucket("month"), ["2024-05-01", "2024", "2024-13", "2024-00"]],
    [
      'bucket("hour")',
      bucket("hour"),
      ["2024-05-31", "2024-05-31T24:00Z", "2024-05-31T13:30Z", "2024-05-31T13Z", "2024-05-31T13:00:00.5Z"],
    ],
    [
      'bucket("hour", "Asia/Kolkata")',
      bucket("hour", "Asia/Kolkata"),
      ["2024-05-31T13:00", "2024-05-31T13:00Z", "2024-05-31T13:00+5:30", "2024-05-31T13:00+24:30"],
    ],
  ])("%s refuses texts that it would have to guess at", (name, made, texts) => {
    for (const text of texts) {
      expect(() => made.parse(text), text).toThrow(expect.objectContaining({ code: "wrong-value" }));
      expect(() => made.parse(text)).toThrow(name);
    }
  });
});

it("an hour is read with any offset, and in UTC without one", () => {
  const berlin = bucket("hour", "Europe/Berlin");
  for (const text of [
    "2024-05-31T11:00Z",
    "2024-05-31 13:00+02:00",
    "2024-05-31T13:00:00+02:00",
    "2024-05-31T06:00-05:00",
  ])
    expect(berlin.format(berlin.parse(text))).toBe("2024-05-31T13:00+02:00");
  expect(bucket("hour").parse("2024-05-31 13:00:00").toISOString()).toBe("2024-05-31T13:00:00.000Z");
});

it("an empty cell is no day, and null where it may be", () => {
  expect(nullable(day).parse("")).toBeNull();
  expect(nullable(day).format(null)).toBe("");
});

it("the same zone and unit are the same codec, also of names that are data", () => {
  expect(bucket("day", "Europe/Berlin")).toBe(bucket("day", "Europe/Berlin"));
});

describe("a time zone", () => {
  it("is made once, however its name is spelled", () => {
    const { DateTimeFormat } = Intl;
    let made = 0;
    class Counted extends DateTimeFormat {
      constructor(...given: ConstructorParameters<typeof DateTimeFormat>) {
        super(...given);
        made++;
      }
    }
    Object.assign(Intl, { DateTimeFormat: Counted });
    onTestFinished(() => void Object.assign(Intl, { DateTimeFormat }));
    // Each bit of a number is the case of a letter.
    const letters = "america/argentina/buenos_aires".split("");
    const spelled = (n: number) => letters.map((one, i) => ((n >> i) & 1 ? one.toUpperCase() : one)).join("");
    const time = new Date("2020-07-01T12:34:56Z");
    for (let n = 0; n < 3_000; n++)
      expect(bucket("day", spelled(n)).of(time)).toEqual(new Date("2020-07-01T03:00:00Z"));
    expect(made).toBe(1);
    // A letter that only Unicode takes for the same one makes another name, whether the zone is known or not.
    bucket("day", "Asia/Karachi");
    expect(() => bucket("day", "Asia/\u212aarachi")).toThrow(/knows no time zone/);
  });
});
