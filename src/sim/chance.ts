// Dice. Each concern of a world has its own, so that a change to one does not change all that the others throw.
import { seededRandom } from "../base/system/random.ts";

export class Chance {
  readonly random: () => number;

  constructor(seed: number, stream: number) {
    this.random = seededRandom(seed, stream);
  }

  happens(probability: number): boolean {
    return this.random() < probability;
  }

  /** A whole number, 0 <= n < below. */
  below(below: number): number {
    return Math.floor(this.random() * below);
  }

  between(least: number, most: number): number {
    return least + this.random() * (most - least);
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!;
  }

  /** Most are short, a few are long; the mean is `mean`. */
  waiting(mean: number): number {
    return -Math.log(1 - this.random()) * mean;
  }
}
