/**
 * Text to append to an error's message: ` (did you mean "key"?)` for the candidate that is at most two edits away, or
 * nothing. For a name of at most three letters it is one edit.
 */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  let best: string | undefined;
  let bestDistance = name.length <= 3 ? 2 : 3;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best === undefined ? "" : ` (did you mean ${JSON.stringify(best)}?)`;
}

/**
 * Those of the candidates, at most `count`, that are the fewest edits away from the name. Far ones are left out: less
 * than a third of the name differs or at most two letters of it, and at most one of a name of up to three letters.
 */
export function nearest(name: string, candidates: Iterable<string>, count: number): string[] {
  const near: { readonly candidate: string; readonly distance: number }[] = [];
  const bound = name.length <= 3 ? Math.min(2, name.length) : Math.max(3, Math.ceil(name.length / 3));
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), bound);
    if (distance < bound) near.push({ candidate, distance });
  }
  near.sort((a, b) => a.distance - b.distance);
  return near.slice(0, count).map(({ candidate }) => candidate);
}

/** Levenshtein distance, or `bound` when it is at least that. */
function editDistance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) >= bound) return bound;
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return Math.min(previous[b.length]!, bound);
}
