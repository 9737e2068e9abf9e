// Plans the passes of a merge that has more inputs than can be merged at once. Pure arithmetic: `merge.ts` and
// `collector.ts` do the passes.
import { limits } from "../base/limits.ts";
import type { Kernel } from "../kernel/kernel.ts";

/** What the plan has to know of a sorted input. */
export interface Mergeable {
  readonly bytes: number;
  readonly blockBytesMax: number;
}

/**
 * Says which adjacent inputs [start, end) to merge into one next; undefined when all can be merged at once.
 *
 * Only adjacent inputs are merged, because values keep the order of their inputs. A window has as many inputs as help
 * (merging more than needed now would only copy them once more), and of such windows the one with the fewest bytes is
 * taken. Inputs with giant values don't slow down the others: they are merged first, by themselves.
 */
export function nextWindow(
  inputs: readonly Mergeable[],
  fanIn: (blockBytesMax: number) => number,
): { readonly start: number; readonly end: number } | undefined {
  const fans = inputs.map((input) => fanIn(input.blockBytesMax));
  const target = fans.reduce((least, fan) => Math.min(least, fan), Number.POSITIVE_INFINITY);
  if (inputs.length <= target) return undefined;
  const most = inputs.length - target + 1;
  let best = { start: 0, end: 0, bytes: 0 };
  for (let start = 0; start + 1 < inputs.length; start++) {
    let end = start;
    let bytes = 0;
    for (let fan = most; end < inputs.length; end++) {
      fan = Math.min(fan, fans[end]!);
      if (end - start + 1 > fan) break;
      bytes += inputs[end]!.bytes;
    }
    const gain = end - start - (best.end - best.start);
    if (gain > 0 || (gain === 0 && bytes < best.bytes)) best = { start, end, bytes };
  }
  return best;
}

/**
 * Says how many inputs, with blocks of at most this many bytes, are merged at once: as many as the kernel's arena
 * takes, at most `mergeFanInMax`. Where the arena can't take two, it is as many as `heapMergeBytes` has room for, but
 * at least two.
 */
export function createFanIn(kernel: Kernel): (blockBytesMax: number) => number {
  const known = new Map<number, number>();
  return (blockBytesMax) => {
    let fan = known.get(blockBytesMax);
    if (fan === undefined) known.set(blockBytesMax, (fan = computeFanIn(kernel, blockBytesMax)));
    return fan;
  };
}

function computeFanIn(kernel: Kernel, blockBytesMax: number): number {
  if (!kernel.mergeFits(2, blockBytesMax)) {
    return Math.min(limits.mergeFanInMax, Math.max(2, Math.floor(limits.heapMergeBytes / blockBytesMax)));
  }
  let low = 2;
  let high: number = limits.mergeFanInMax;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (kernel.mergeFits(middle, blockBytesMax)) low = middle;
    else high = middle - 1;
  }
  return low;
}
