// Dates of the proleptic Gregorian calendar, which ISO 8601 uses, as numbers of days: 0 is 1970-01-01. Date would take
// a year below 100 for one of the 20th century.

interface CalendarDate {
  readonly year: number;
  /** From 1 to 12. */
  readonly month: number;
  readonly day: number;
}

// The arithmetic is Howard Hinnant's ("chrono-Compatible Low-Level Date Algorithms"): years begin in March, so that the
// leap day is a year's last, and 400 years have the same number of days whichever they are.
const daysOf400Years = 146_097;
/** From 0000-03-01 to 1970-01-01. */
const epoch = 719_468;

export function daysOf(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * daysOf400Years + dayOfEra - epoch;
}

export function dateOf(days: number): CalendarDate {
  const shifted = days + epoch;
  const era = Math.floor(shifted / daysOf400Years);
  const dayOfEra = shifted - era * daysOf400Years;
  const leapDays = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
  };
}

/** `2024-05`; years beyond four digits as Date writes them, `+012024-05`. */
export function monthText({ year, month }: CalendarDate): string {
  const digits = String(Math.abs(year));
  const shown =
    year >= 0 && year <= 9999 ? digits.padStart(4, "0") : `${year < 0 ? "-" : "+"}${digits.padStart(6, "0")}`;
  return `${shown}-${twoDigits(month)}`;
}

/** `2024-05-31` */
export function dayText(days: number): string {
  const date = dateOf(days);
  return `${monthText(date)}-${twoDigits(date.day)}`;
}

/** The day of a text's digits; undefined where the calendar has no such day. */
export function dayOf(year: string, month: string, day: string): number | undefined {
  if (year === "-000000") return undefined;
  const days = daysOf(Number(year), Number(month), Number(day));
  const found = dateOf(days);
  const isOne = found.year === Number(year) && found.month === Number(month) && found.day === Number(day);
  return isOne ? days : undefined;
}

export function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}
