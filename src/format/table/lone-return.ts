import { MillraceError } from "../../base/error.ts";

/** The error for a carriage return, at this index of a row, that is in no quotes and ends no line. */
export function loneReturn(at: number): MillraceError {
  return new MillraceError(
    "bad-input",
    `a carriage return at character ${at + 1} of the row ends no line: lines end with LF or CR LF. Where the lines of the file end with it alone, as in old exports for the Mac, convert it first:  tr '\\r' '\\n' < OLD > NEW`,
  );
}
