// Where everything lies (`json/table.ts` has the same list), in a memory of 12 pages that never grows.
//
//   results ─ wants ─ heads ─ names ─ block ─ narrow ─ wide ─ starts ─ kinds ─ slots

/** What a call of `scan` leaves, as u32s: where it stopped, and how much text there is. */
export const CONSUMED: usize = 4096;
export const NARROW_LENGTH: usize = 4100;
export const WIDE_LENGTH: usize = 4104;
/** u32: the next row is not plain. */
export const STOPPED: usize = 4108;
/** u32, the name that the last line began with; its place here keeps it apart from all names. */
export const FIRST: usize = 4112;
/** By field, a byte: what the codec wants. */
export const WANTS: usize = 4352;
/** The hash table of names: 256 addresses. */
export const HEADS: usize = 8192;
export const NAMES: usize = 9216;
export const NAMES_MAX: u32 = 768;
/** By cell of a row of csv or tsv, u16: its column + 1, or 0. */
export const PLACES: usize = 110592;
/** The tree of shapes (shapes.ts), in the same place: a reader is used for one or the other. */
export const NODES: usize = 110592;
export const NODES_MAX: u32 = 512;
/** The lines, then a line feed, and whatever was there before. */
export const BLOCK: usize = 131072;
/** Strings whose characters are below U+0100, a byte each, one behind the other. */
export const NARROW: usize = 200704;
/** All other strings, in UTF-16. */
export const WIDE: usize = 270336;
/** By row: f64 offset in the file. */
export const STARTS: usize = 405504;
export const ROWS_MAX: u32 = 8192;
/** By row: a byte that says whether it could be read, and one per field. */
export const KINDS: usize = 471040;
/**
 * By row of any shape, u32: its shape. In front of it are the kinds of at most 13,108 fields, the most that a block can
 * have.
 */
export const SHAPES: usize = 487424;
/** By row and field, 8 bytes: a number, or where a text begins and ends. */
export const SLOTS: usize = 524288;
export const CELLS_MAX: u32 = 32768;

// For lines and pairs (pairs.ts).
/** The value that follows each key: at most 16 bytes. */
export const VALUE: usize = 4160;
/** What a call leaves, as u32s. */
export const LINES: usize = 4192;
export const RUNS: usize = 4196;
export const FIRST_RUN: usize = 4200;
export const LAST_RUN: usize = 4204;
export const LARGEST_RUN: usize = 4208;
/** u32 address, u32 bytes. */
export const LAST_KEY: usize = 4212;
/** The output: a block of 64 KiB and more, in the place of wide texts. */
export const PAIRS: usize = 270336;
