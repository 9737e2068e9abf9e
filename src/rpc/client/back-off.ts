// How long to wait before a call is made again ("full jitter": a random share of a bound that doubles). Ten thousand workers that
// lose a master in the same moment come back spread over the bound, not in waves (fault 55).
export interface BackOff {
  /** The first bound, and the largest. */
  readonly firstMs: number;
  readonly mostMs: number;
}

export const reconnectBackOff: BackOff = { firstMs: 200, mostMs: 10_000 };

/** `failures`: in a row so far, from 1. `random`: 0 <= x < 1. At least a tenth of the bound, so that no caller spins. */
export function backOffMs(
  failures: number,
  random: () => number,
  { firstMs, mostMs }: BackOff = reconnectBackOff,
): number {
  const bound = Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return bound * (0.1 + 0.9 * random());
}
