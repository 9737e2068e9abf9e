// The clock and Math.random as the job's code sees them in this process: watched, and set to another day, so that a result that
// depends on them shows at once and not at midnight.
const dayMs = 86_400_000;
/** A year, a month and a bit: no field of a date stays the same. */
const shiftMs = 400 * dayMs + ((7 * 60 + 11) * 60 + 13) * 1000 + 17;

export interface Used {
  readonly readClock: boolean;
  readonly drewChance: boolean;
}

export interface ClockAndChance {
  /** What was used since this was last called, or since the beginning. */
  takeUsed(): Used;
  /** Everything is as before. */
  remove(): void;
}

/** Must be removed. Code that took hold of `Date` or `Math.random` earlier is not seen. */
export function watchClockAndChance(): ClockAndChance {
  const RealDate = Date;
  const realRandom = Math.random;
  let readClock = false;
  let drewChance = false;
  const now = (): number => {
    readClock = true;
    return RealDate.now() + shiftMs;
  };
  globalThis.Date = new Proxy(RealDate, {
    get: (target, name, receiver) => (name === "now" ? now : Reflect.get(target, name, receiver)),
    apply: () => new RealDate(now()).toString(),
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  });
  Math.random = () => {
    drewChance = true;
    return realRandom();
  };
  return {
    takeUsed() {
      const used = { readClock, drewChance };
      readClock = false;
      drewChance = false;
      return used;
    },
    remove() {
      globalThis.Date = RealDate;
      Math.random = realRandom;
    },
  };
}

/** What to do about it; undefined when neither was used. */
export function clockAdvice({ readClock, drewChance }: Used, what: string): string | undefined {
  const advice = [
    readClock ? `${what} reads the clock (Date.now(), new Date()): use ctx.startedAt` : undefined,
    drewChance ? `${what} calls Math.random(): use ctx.random()` : undefined,
  ].filter((part) => part !== undefined);
  if (advice.length === 0) return undefined;
  return `${advice.join("; ")}, which ${advice.length === 1 ? "is" : "are"} the same whenever a task runs again.`;
}
