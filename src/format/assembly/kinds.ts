// What a codec wants, and what a field holds. `json/table.ts` has the same lists.

/** Any value, as text. */
export const ANY: u8 = 0;
export const STRING: u8 = 1;
/** From here on numbers, whose values are asked for. */
export const UINT: u8 = 2;
export const INT: u8 = 3;
export const FLOAT: u8 = 4;

export const MISSING: u8 = 0;
/** In the narrow text, and ASCII. */
export const ASCII_STRING: u8 = 1;
/** In the narrow text. */
export const NARROW_STRING: u8 = 2;
/** In the wide text. */
export const WIDE_STRING: u8 = 3;
/** Its value. */
export const NUMBER: u8 = 4;
/** Its digits, in the narrow text. */
export const NUMBER_TEXT: u8 = 5;
export const TRUE: u8 = 6;
export const FALSE: u8 = 7;
export const NULL: u8 = 8;
/** An object or array. */
export const OTHER: u8 = 9;
/** Bytes of the block, UTF-8, to be decoded by the caller; with doubled quotes. */
export const RAW: u8 = 10;
export const RAW_QUOTED: u8 = 11;
