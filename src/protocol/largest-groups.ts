// The largest groups before combining, by which the summary names a key that has much more than others. Attempts report
// their own; which one is the job's largest follows from them (`schedule/state/largest-group.ts`).

/** What an attempt knows of the groups that had most pairs. */
export interface LargestGroups {
  /** At most `limits.largestGroupsMax`, largest first. */
  readonly groups: readonly GroupSize[];
  /** The most pairs that a group may have had which is not listed. */
  readonly othersMax: number;
  /** Whether only a sample of the pairs was counted. */
  readonly isEstimate: boolean;
}

export interface GroupSize {
  /** An excerpt of the key (`keyExcerptOf`). */
  readonly key: string;
  /** A checksum of the encoded key: keys with the same excerpt are told apart by it. */
  readonly hash: number;
  readonly pairs: number;
}

/** A job's largest group. */
export interface LargestGroup {
  readonly key: string;
  readonly pairs: number;
  /** Whether the number is an estimate, or the key may be another one of about that size. */
  readonly isEstimate: boolean;
}
