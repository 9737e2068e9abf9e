// Exact sums as big integers: for sums that floating point can't carry, and for results that are rounded once.

/** Every float64, and every product of two, is a whole multiple of 2^LOWEST: a unit. */
const LOWEST = -2148;
/** The smallest float64 is 2^-1074, which is this many doublings of a unit. */
const SUBNORMAL = -1074 - LOWEST;
/** Bits of a digit of the wide form: each is a whole number that a float64 holds exactly. */
const DIGIT_BITS = 48;

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/** A finite float64 in units. */
export function toUnits(value: number): bigint {
  double[0] = value;
  const exponent = (words[1]! >>> 20) & 0x7ff;
  const fraction = (words[1]! & 0xfffff) * 2 ** 32 + words[0]!;
  const mantissa = BigInt(exponent === 0 ? fraction : fraction + 2 ** 52);
  const units = mantissa << BigInt(Math.max(exponent, 1) - 1 + SUBNORMAL);
  return value < 0 ? -units : units;
}

/**
 * The float64 nearest to `numerator / denominator` units, ties to even; infinite where that is beyond the largest.
 * `denominator` is positive.
 */
export function roundUnits(numerator: bigint, denominator = 1n): number {
  if (numerator < 0n) return -roundUnits(-numerator, denominator);
  if (numerator === 0n) return 0;
  let drop = Math.max(bitLength(numerator) - bitLength(denominator) - 53, SUBNORMAL);
  if (numerator >> BigInt(drop + 53) >= denominator) drop++;
  const divisor = denominator << BigInt(drop);
  let quotient = numerator / divisor; // less than 2^53
  const twice = 2n * (numerator - quotient * divisor);
  if (twice > divisor || (twice === divisor && (quotient & 1n) === 1n)) quotient++;
  return timesPowerOfTwo(Number(quotient), drop + LOWEST);
}

/**
 * Units as [round, NaN, exponent, digit, digit, …]: the sum is the digits, most significant first, in base 2^48, times
 * 2^exponent. The last digit is odd, so that equal sums are equal lists.
 */
export function writeUnits(units: bigint): readonly number[] {
  let rest = units < 0n ? -units : units;
  let exponent = LOWEST;
  while ((rest & 0xffff_ffff_ffffn) === 0n) {
    rest >>= 48n;
    exponent += 48;
  }
  while ((rest & 1n) === 0n) {
    rest >>= 1n;
    exponent++;
  }
  const digits: number[] = [];
  for (; rest > 0n; rest >>= BigInt(DIGIT_BITS)) {
    const digit = Number(BigInt.asUintN(DIGIT_BITS, rest));
    digits.push(units < 0n ? 0 - digit : digit); // never -0
  }
  return [roundUnits(units), Number.NaN, exponent, ...digits.reverse()];
}

/** The units that `writeUnits` wrote. */
export function readUnits(list: readonly number[]): bigint {
  let units = 0n;
  for (let i = 3; i < list.length; i++) units = (units << BigInt(DIGIT_BITS)) + BigInt(list[i]!);
  return units << BigInt(list[2]! - LOWEST);
}

function bitLength(value: bigint): number {
  const hex = value.toString(16);
  return hex.length * 4 - Math.clz32(Number.parseInt(hex[0]!, 16)) + 28;
}

/** Exact, as `value` is a whole number and the exponent at least -1074; too large a result is infinite. */
function timesPowerOfTwo(value: number, exponent: number): number {
  let result = value;
  let rest = exponent;
  for (; rest > 1000; rest -= 1000) result *= 2 ** 1000;
  for (; rest < -1000; rest += 1000) result *= 2 ** -1000;
  return result * 2 ** rest;
}
