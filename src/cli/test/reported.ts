import type { Difference } from "./difference.ts";

export interface DescribedDifference {
  readonly note: string;
  readonly details: readonly string[];
}

/** The differences explained so far. Most variants differ for one reason, which is explained once. */
export class ReportedDifferences {
  /** For each difference, the variant that showed it first. */
  readonly #shown = new Map<string, string>();
  readonly #meanings = new Set<string>();

  describe(variant: string, difference: Difference, meaning: string): DescribedDifference {
    const { where, usual, other } = difference;
    const key = JSON.stringify([where, other]);
    const before = this.#shown.get(key);
    const advice = this.#meanings.has(meaning) ? [] : [meaning];
    this.#meanings.add(meaning);
    if (before !== undefined) return { note: `the result differs as with ${before}`, details: advice };
    this.#shown.set(key, variant);
    return { note: "the result differs", details: [where, `  usually  ${usual}`, `  here     ${other}`, ...advice] };
  }
}
