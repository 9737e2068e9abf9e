// Which group of a job was the largest before combining: looked for once, in its winners, when the job has succeeded.
import type { GroupSize, LargestGroup } from "../../protocol/largest-groups.ts";
import type { Winner } from "../../protocol/records.ts";

/** The largest group is looked for among at most this many keys: some 10 MB for a moment, at the job's end. */
const comparedKeysMax = 65_536;

interface Won {
  readonly winner: Winner | undefined;
}

/** What the maps together say of a key. */
interface Sum {
  readonly key: string;
  pairs: number;
  /** The sum of `othersMax` of the maps that have listed it. */
  othersMax: number;
}

/** Undefined where the job has no groups, or its tasks do not know which is the largest. */
export function largestGroupOf({
  maps,
  reduces,
}: {
  readonly maps: readonly Won[];
  readonly reduces: readonly Won[];
}): LargestGroup | undefined {
  if (reduces.length === 0) return undefined;
  // Where nothing was combined, or ones were summed, reduce has the numbers.
  const isKnown = reduces.some(({ winner }) => winner?.largestGroups !== undefined);
  return isKnown ? largestOfReduces(reduces) : largestOfMaps(maps);
}

/** Each group is in one partition. */
function largestOfReduces(reduces: readonly Won[]): LargestGroup | undefined {
  let largest: GroupSize | undefined;
  for (const { winner } of reduces) {
    const group = winner?.largestGroups?.groups[0];
    // Without the key of a larger one, none can be named.
    if ((winner?.stats.groupMax ?? 0) > (group?.pairs ?? 0)) return undefined;
    if (group !== undefined && group.pairs > (largest?.pairs ?? 0)) largest = group;
  }
  return largest && { key: largest.key, pairs: largest.pairs, isEstimate: false };
}

/**
 * A group is in many maps. One that a map does not list has at most `othersMax` pairs there, so bounds follow for each
 * key, listed or not, whatever the order of the maps is (the frequent items of "Mergeable Summaries", Agarwal et al.,
 * 2012).
 */
function largestOfMaps(maps: readonly Won[]): LargestGroup | undefined {
  const sums = new Map<string, Sum>();
  let othersMax = 0;
  let isEstimate = false;
  for (const { winner } of maps) {
    if (winner === undefined) continue;
    const { largestGroups } = winner;
    if (largestGroups === undefined) {
      // All its pairs may have one key.
      othersMax += winner.stats.pairs;
      continue;
    }
    othersMax += largestGroups.othersMax;
    isEstimate ||= largestGroups.isEstimate;
    for (const { key, hash, pairs } of largestGroups.groups) {
      const id = `${hash} ${key}`;
      let sum = sums.get(id);
      if (sum === undefined) {
        if (sums.size >= comparedKeysMax) {
          isEstimate = true;
          continue;
        }
        sum = { key, pairs: 0, othersMax: 0 };
        sums.set(id, sum);
      }
      sum.pairs += pairs;
      sum.othersMax += largestGroups.othersMax;
    }
  }
  let largest: Sum | undefined;
  for (const sum of sums.values()) if (sum.pairs > (largest?.pairs ?? 0)) largest = sum;
  // A key that no map has listed could have more.
  if (largest === undefined || othersMax > largest.pairs) return undefined;
  const { key, pairs } = largest;
  const most = (sum: Sum) => sum.pairs + othersMax - sum.othersMax;
  isEstimate ||= most(largest) > pairs;
  for (const sum of sums.values()) isEstimate ||= sum !== largest && most(sum) > pairs;
  return { key, pairs: Math.min(pairs, Number.MAX_SAFE_INTEGER), isEstimate };
}
