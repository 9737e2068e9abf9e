// Numbers: where they end, and their values where that is certain to be what `Number` makes of their text.
import { FLOAT, UINT } from "./kinds";
import { LAST_WIDTH, WIDTH } from "./names";

/** The value of the last number, where it is known. */
export let value: f64 = 0;
/** Whether `value` is known. */
export let isKnown: bool = false;

const ZERO: u8 = 0x30;
const MINUS: u8 = 0x2d;
const POINT: u8 = 0x2e;
const SAFE_MAX: u64 = 9007199254740991;
/**
 * This many digits are always a safe integer, which a division by a power of ten up to 10^22 leaves correctly rounded.
 */
const EXACT_DIGITS: u32 = 15;

/** How many digits there are at `at`, of at most 16. */
// @ts-ignore
@inline
function digitsAt(at: usize): u32 {
  const digits = i8x16.le_u(i8x16.sub(v128.load(at), i8x16.splat(<i8>ZERO)), i8x16.splat(9));
  return ctz<u32>(<u32>i8x16.bitmask(digits) ^ 0xffff | 0x10000);
}

// @ts-ignore
@inline
function goesOn(byte: u8): bool {
  // + - . E e
  return byte == 0x2b || byte == MINUS || byte == POINT || (byte | 0x20) == 0x65;
}

/** The index behind what may be a number at `at`, when its value is not wanted; 0 where there is none. */
// @ts-ignore
@inline
export function behindNumber(at: usize): usize {
  const behind = at + digitsAt(at);
  const byte = load<u8>(behind);
  return behind == at || goesOn(byte) || <u8>(byte - ZERO) < 10 ? behindAny(at) : behind;
}

/**
 * Like `behindNumber`, for a name whose numbers mostly have as many digits as the one before (times, ids, states): the
 * end is guessed and checked, and what follows need not wait for it.
 */
// @ts-ignore
@inline
export function behindNumberOf(at: usize, name: u32): usize {
  const width = <u32>load<u16>(name, WIDTH);
  if (width != 0) {
    const digits = i8x16.le_u(i8x16.sub(v128.load(at), i8x16.splat(<i8>ZERO)), i8x16.splat(9));
    const wanted = (<u32>1 << width) - 1;
    const byte = load<u8>(at + width);
    if ((<u32>i8x16.bitmask(digits) & wanted) == wanted && (byte == 0x2c || byte == 0x7d)) return at + width;
  }
  return behindChanged(at, name);
}

// @ts-ignore
@inline
function behindChanged(at: usize, name: u32): usize {
  const behind = behindNumber(at);
  const width = <u32>(behind - at);
  store<u16>(name, width == <u32>load<u16>(name, LAST_WIDTH) && width <= 16 ? <u16>width : 0, WIDTH);
  store<u16>(name, <u16>width, LAST_WIDTH);
  return behind;
}

function behindAny(at: usize): usize {
  let to = at;
  for (let byte = load<u8>(to); <u8>(byte - ZERO) < 10 || goesOn(byte); byte = load<u8>(to)) to++;
  return to == at ? 0 : to;
}

/** Like `behindNumber`; also sets `isKnown` and `value` for what the codec wants. */
// @ts-ignore
@inline
export function behindValue(at: usize, want: u8): usize {
  isKnown = false;
  const start = at + (load<u8>(at) == MINUS ? 1 : 0);
  const whole = digitsAt(start);
  const behind = start + whole;
  const byte = load<u8>(behind);
  if (whole == 0 || <u8>(byte - ZERO) < 10 || want < UINT) return behindAny(at);
  if (load<u8>(start) == ZERO && whole > 1) return behindAny(at);
  if (goesOn(byte)) return byte == POINT && want == FLOAT ? behindFraction(at, start, whole) : behindAny(at);
  const number = integer(start, whole);
  if (number <= SAFE_MAX && (start == at || want != UINT)) {
    isKnown = true;
    value = start == at || number == 0 ? <f64>number : -<f64>number;
  }
  return behind;
}

function behindFraction(at: usize, start: usize, whole: u32): usize {
  const from = start + whole + 1;
  const digits = digitsAt(from);
  const behind = from + digits;
  if (digits == 0 || whole + digits > EXACT_DIGITS || goesOn(load<u8>(behind))) return behindAny(at);
  let power: f64 = 1;
  for (let i: u32 = 0; i < digits; i++) power *= 10;
  const number = <f64>(integer(start, whole) * <u64>power + integer(from, digits)) / power;
  isKnown = true;
  value = start == at || number == 0 ? number : -number;
  return behind;
}

/** Takes at most 16 digits. */
// @ts-ignore
@inline
function integer(at: usize, digits: u32): u64 {
  if (digits <= 8) return eight(load<u64>(at) << (<u64>(8 - digits) << 3));
  const first = digits - 8;
  return eight(load<u64>(at) << (<u64>(8 - first) << 3)) * 100000000 + eight(load<u64>(at + first));
}

/**
 * The number that 8 ASCII digits stand for, with the last one in the highest byte. Zero bytes count as the digit 0, as
 * only the lower half of each byte is used. It combines pairs, then fours, then all, as simdjson does.
 */
// @ts-ignore
@inline
function eight(word: u64): u64 {
  let digits = word & 0x0f0f0f0f0f0f0f0f;
  digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ff;
  digits = (digits * 100 + (digits >> 16)) & 0x0000ffff0000ffff;
  return (digits * 10000 + (digits >> 32)) & 0xffffffff;
}
