// The clock and chance as the job's code sees them in this process: watched, and not the real ones, so that a result
// that depends on them shows at once and not at midnight.
import nodeCrypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { dayMs } from "../../base/units.ts";

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

export interface Sources {
  /** Milliseconds since 1970, given the real ones. */
  readonly now: (real: number) => number;
  /** 0 <= x < 1; undefined: the real ones. */
  readonly random: (() => number) | undefined;
}

const anotherDay: Sources = { now: (real) => real + shiftMs, random: undefined };

/**
 * Must be removed. Code that took hold of `Date` or `Math.random` earlier is not seen. `sources` is asked at every
 * call.
 */
export function watchClockAndChance(sources: () => Sources = () => anotherDay): ClockAndChance {
  const RealDate = Date;
  const realRandom = Math.random;
  let readClock = false;
  let drewChance = false;
  const now = (): number => {
    readClock = true;
    return sources().now(RealDate.now());
  };
  /** The watched chance; undefined where the real one is wanted. */
  const chance = (): (() => number) | undefined => {
    drewChance = true;
    return sources().random;
  };
  globalThis.Date = new Proxy(RealDate, {
    get: (target, name, receiver) => (name === "now" ? now : Reflect.get(target, name, receiver)),
    apply: () => new RealDate(now()).toString(),
    construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  });
  Math.random = () => (chance() ?? realRandom)();
  const restoreCrypto = watchCrypto(chance);
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
      restoreCrypto();
    },
  };
}

/** Random identifiers and bytes, by either name of the module. */
function watchCrypto(chance: () => (() => number) | undefined): () => void {
  const { randomUUID, randomBytes } = nodeCrypto;
  const web = globalThis.crypto;
  const realValues = web.getRandomValues.bind(web);
  const uuid = (random: () => number) => {
    const hex = bytesOf(random, 16).toString("hex");
    const variant = "89ab"[Number.parseInt(hex[16]!, 16) & 3]!;
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
  };
  const watchedUuid = () => {
    const random = chance();
    return (random === undefined ? randomUUID() : uuid(random)) as ReturnType<typeof randomUUID>;
  };
  const getRandomValues = (array: Uint8Array) => {
    const random = chance();
    if (random === undefined) return realValues(array);
    bytesOf(random, array.byteLength).copy(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return array;
  };
  const watchedBytes = (size: number, done?: (error: Error | null, bytes: Buffer) => void) => {
    const random = chance();
    if (random === undefined) return done === undefined ? randomBytes(size) : randomBytes(size, done);
    const bytes = bytesOf(random, size);
    if (done === undefined) return bytes;
    queueMicrotask(() => done(null, bytes));
    return undefined;
  };
  Object.assign(nodeCrypto, { randomUUID: watchedUuid, randomBytes: watchedBytes });
  for (const [name, value] of Object.entries({ randomUUID: watchedUuid, getRandomValues })) {
    Object.defineProperty(web, name, { value, configurable: true, writable: true });
  }
  syncBuiltinESMExports();
  return () => {
    Object.assign(nodeCrypto, { randomUUID, randomBytes });
    for (const name of ["randomUUID", "getRandomValues"]) Reflect.deleteProperty(web, name);
    syncBuiltinESMExports();
  };
}

function bytesOf(random: () => number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at++) bytes[at] = random() * 256;
  return bytes;
}

/** What to do about it; undefined when neither was used. */
export function clockAdvice({ readClock, drewChance }: Used, what: string): string | undefined {
  const advice = [
    readClock ? `${what} reads the clock (Date.now(), new Date()): use ctx.startedAt` : undefined,
    drewChance ? `${what} calls Math.random() or its like in crypto: use ctx.random()` : undefined,
  ].filter((part) => part !== undefined);
  if (advice.length === 0) return undefined;
  return `${advice.join("; ")}, which ${advice.length === 1 ? "is" : "are"} the same whenever a task runs again.`;
}
