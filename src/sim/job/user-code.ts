// The job's code in this process: while it runs, its clock and its chance are the simulation's, and its working
// directory is an empty one.

import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { type ClockAndChance, type Used, watchClockAndChance } from "./clock-and-chance.ts";
import type { UserSources } from "./scene.ts";

export interface UserCodeOptions {
  /** Milliseconds since 1970: virtual time begins then. */
  readonly startedAt: number;
  /** Made here; no one else uses it. */
  readonly directory: string;
}

export class UserCode {
  readonly #options: UserCodeOptions;
  readonly #watched: ClockAndChance;
  #now: (() => number) | undefined;
  #random: (() => number) | undefined;
  #used: Used = { readClock: false, drewChance: false };
  #leave = () => {};

  /** `remove` puts everything back as it was. */
  constructor(options: UserCodeOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true });
    this.#watched = watchClockAndChance(() => ({ now: (real) => this.#now?.() ?? real, random: this.#random }));
  }

  async within<T>(sources: UserSources, work: () => Promise<T>): Promise<T> {
    const { startedAt, directory } = this.#options;
    const before = process.cwd();
    const { exit } = process;
    this.#leave = () => {
      process.exit = exit;
      process.chdir(before);
      this.#now = undefined;
      this.#random = undefined;
      this.#leave = () => {};
    };
    let reads = 0;
    this.#watched.takeUsed();
    // Each look at the clock is later than the one before, or who waits for it to go on would wait for ever.
    this.#now = () => Math.floor(startedAt + sources.now()) + reads++;
    this.#random = sources.random;
    process.chdir(directory);
    process.exit = (code) => {
      throw new MillraceError("user-error", `the job's code ends its process: process.exit(${code ?? ""})`);
    };
    try {
      return await work();
    } finally {
      this.#leave();
      const { readClock, drewChance } = this.#watched.takeUsed();
      this.#used = {
        readClock: this.#used.readClock || readClock,
        drewChance: this.#used.drewChance || drewChance,
      };
      // As an attempt's directory is the attempt's alone.
      for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true, force: true });
    }
  }

  /** What the job's code used since this was last called. */
  takeUsed(): Used {
    const used = this.#used;
    this.#used = { readClock: false, drewChance: false };
    return used;
  }

  /** Also while the job's code waits for what can't happen any more. */
  remove(): void {
    this.#leave();
    this.#watched.remove();
  }
}
