// Time zones by name, by what Intl knows of them: how far a zone's clocks are ahead of UTC at an instant, and when they
// first show a time. To ask Intl takes microseconds, so answers are kept for whole hours.
import { didYouMean } from "../../../base/closest.ts";
import { excerptOf } from "../../../base/excerpt.ts";
import { dayMs } from "../../../base/units.ts";
import { wrong } from "../../check.ts";
import { daysOf } from "./calendar.ts";
import { hourMs } from "./unit.ts";

interface Zone {
  /** How many milliseconds its clocks are ahead of UTC at this instant: whole seconds. */
  offsetAt(instant: number): number;
  /**
   * The first instant at which its clocks show `local`, a whole second; where they skip it, the one at which they do.
   */
  firstInstant(local: number): number;
}

const utc: Zone = { offsetAt: () => 0, firstInstant: (local) => local };

/**
 * By their names in lower case. Intl knows some 600, and takes each in any case of its letters, which are ASCII. What
 * it makes for one takes 15 KB that no garbage collection knows of, so all spellings have to share it.
 */
const zones = new Map<string, Zone>();

/** Throws `wrong-job` for a name that Node does not know; `what` is what was to be made of it. */
export function zoneOf(name: string, what: string): Zone {
  if (name === "UTC") return utc;
  const key = name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
  const known = zones.get(key);
  if (known !== undefined) return known;
  const zone = new NamedZone(formatOf(name, what));
  zones.set(key, zone);
  return zone;
}

function formatOf(name: string, what: string): Intl.DateTimeFormat {
  // Some versions of Node take "+01:00" for a zone. A job must not depend on which one runs it.
  if (/^[+-]/.test(name)) {
    throw wrong(`${what} takes the name of a time zone, such as "Etc/GMT-1", and not the offset ${excerptOf(name)}`);
  }
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    const hint = didYouMean(name, Intl.supportedValuesOf("timeZone"));
    throw wrong(`${what}: Node ${process.versions.node} knows no time zone ${excerptOf(name)}${hint}`);
  }
}

/** Answers for whole hours, a page for each six weeks of a zone that were asked about. */
const pages = new Map<number, Int32Array>();
const pageHours = 1_024;
/** 16 MiB, over all zones: five centuries of one, five years of each of a hundred. */
const pagesMax = 4_096;
/** In place of offsets, which are not as large: the hour was not asked about; the offset changes within it. */
const unasked = -0x7fff_ffff;
const changing = 0x7fff_ffff;
/** A zone has one or two a year. */
const changesMax = 512;
/** The last instant that a Date can hold; the first is as far before 1970. */
const instantMax = 8.64e15;

/** An instant, and the offsets before and from then on. */
interface Change {
  readonly at: number;
  readonly before: number;
  readonly after: number;
}

let zonesMade = 0;

class NamedZone implements Zone {
  readonly #format: Intl.DateTimeFormat;
  /** Its pages have numbers of their own among those of all zones: no Date is 2^23 pages from 1970. */
  readonly #pageZero = 2 ** 23 + 2 ** 24 * zonesMade++;
  /** The last page, as most instants are near the one before. */
  #page: Int32Array = new Int32Array(0);
  #pageNumber = Number.NaN;
  readonly #changes = new Map<number, Change>();

  constructor(format: Intl.DateTimeFormat) {
    this.#format = format;
  }

  offsetAt(instant: number): number {
    const hour = Math.floor(instant / hourMs);
    const number = Math.floor(hour / pageHours);
    if (number !== this.#pageNumber) this.#turnTo(number);
    const place = hour - number * pageHours;
    let offset = this.#page[place]!;
    if (offset === unasked) {
      offset = this.#offsetIn(hour);
      this.#page[place] = offset;
    }
    if (offset !== changing) return offset;
    const change = this.#changes.get(hour) ?? this.#changeIn(hour);
    return instant < change.at ? change.before : change.after;
  }

  firstInstant(local: number): number {
    let first = Number.POSITIVE_INFINITY;
    let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    // No offset is as large as a day, so these two are the offsets before and after any change that matters; where
    // there are two changes within two days, one of the offsets between them is that of the instant they lead to.
    for (const near of [this.offsetAt(local - dayMs), this.offsetAt(local + dayMs)]) {
      for (const offset of [near, this.offsetAt(local - near)]) {
        const instant = local - offset;
        if (this.offsetAt(instant) === offset) first = Math.min(first, instant);
        from = Math.min(from, instant);
        to = Math.max(to, instant);
      }
    }
    if (first !== Number.POSITIVE_INFINITY) return first;
    return firstWhere((instant) => instant + this.offsetAt(instant) >= local, from, to);
  }

  #turnTo(number: number): void {
    const key = this.#pageZero + number;
    let page = pages.get(key);
    if (page === undefined) {
      page = new Int32Array(pageHours).fill(unasked);
      if (pages.size >= pagesMax) pages.clear();
      pages.set(key, page);
    }
    this.#page = page;
    this.#pageNumber = number;
  }

  /** The offset in all of the hour, or `changing`. Never does a clock change twice within one. */
  #offsetIn(hour: number): number {
    const offset = this.#ask(hour * hourMs);
    return offset === this.#ask((hour + 1) * hourMs - 1000) ? offset : changing;
  }

  #changeIn(hour: number): Change {
    const [from, to] = [hour * hourMs, (hour + 1) * hourMs - 1000];
    const [before, after] = [this.#ask(from), this.#ask(to)];
    const at = firstWhere((instant) => this.#ask(instant) !== before, from, to);
    if (this.#changes.size >= changesMax) this.#changes.clear();
    const change = { at, before, after };
    this.#changes.set(hour, change);
    return change;
  }

  /** `instant` is a whole second. */
  #ask(instant: number): number {
    const asked = Math.min(Math.max(instant, -instantMax), instantMax);
    let isBeforeChrist = false;
    let [year, month, day, hour, minute, second] = [0, 0, 0, 0, 0, 0];
    for (const { type, value } of this.#format.formatToParts(asked)) {
      if (type === "era") isBeforeChrist = value.startsWith("B");
      else if (type === "year") year = Number(value);
      else if (type === "month") month = Number(value);
      else if (type === "day") day = Number(value);
      else if (type === "hour") hour = Number(value);
      else if (type === "minute") minute = Number(value);
      else if (type === "second") second = Number(value);
    }
    const days = daysOf(isBeforeChrist ? 1 - year : year, month, day);
    return days * dayMs + ((hour * 60 + minute) * 60 + second) * 1000 - asked;
  }
}

/** The first whole second behind `from`, up to `to`, of which `is` is true; it is so of `to` and all that follow it. */
function firstWhere(is: (instant: number) => boolean, from: number, to: number): number {
  let [before, first] = [from, to];
  while (first - before > 1000) {
    const middle = before + Math.floor((first - before) / 2000) * 1000;
    if (is(middle)) first = middle;
    else before = middle;
  }
  return first;
}
