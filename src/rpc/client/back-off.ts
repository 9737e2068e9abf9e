// The wait before a call is made again ("full jitter": a random share of a bound that doubles). Ten thousand workers
// that lose a master in the same moment come back spread over the bound, not in waves (fault 55).
export interface BackOff {
  /** The first and the largest bound. */
  readonly firstMs: number;
  readonly mostMs: number;
}

export const reconnectBackOff: BackOff = { firstMs: 200, mostMs: 10_000 };

/**
 * The wait after `failures` in a row, from 1, for 0 <= `random` < 1. It is at least a tenth of the bound, so that no
 * caller spins.
 */
export function backOffMs(
  failures: number,
  random: () => number,
  { firstMs, mostMs }: BackOff = reconnectBackOff,
): number {
  const bound = Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return bound * (0.1 + 0.9 * random());
}
