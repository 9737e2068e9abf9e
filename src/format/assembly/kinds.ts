// What a codec wants, and what a field holds. `json/table.ts` has the same lists.

/** Any value, as text. */
export const ANY: u8 = 0;
export const STRING: u8 = 1;
/** From here on numbers, whose values are asked for. */
export const UINT: u8 = 2;
export const INT: u8 = 3;
export const FLOAT: u8 = 4;

export const MISSING: u8 = 0;
/** A string in the narrow text, all ASCII. */
export const ASCII_STRING: u8 = 1;
/** A string in the narrow text. */
export const NARROW_STRING: u8 = 2;
/** A string in the wide text. */
export const WIDE_STRING: u8 = 3;
/** A number, given by its value. */
export const NUMBER: u8 = 4;
/** A number, given by its digits in the narrow text. */
export const NUMBER_TEXT: u8 = 5;
export const TRUE: u8 = 6;
export const FALSE: u8 = 7;
export const NULL: u8 = 8;
/** An object or array. */
export const OTHER: u8 = 9;
/** Bytes of the block, in UTF-8, for the caller to decode; the second kind has doubled quotes. */
export const RAW: u8 = 10;
export const RAW_QUOTED: u8 = 11;
