import { MillraceError } from "../../base/error.ts";

/** Where a record begins, as an error message names it. */
export interface Position {
  readonly path: string;
  readonly offset: number;
}

/** Throws `wrong-usage` for what is not FILE:OFFSET. */
export function parsePosition(text: string): Position {
  const match = /^(.+):(\d+)$/s.exec(text);
  const offset = Number(match?.[2]);
  if (match === null || !Number.isSafeInteger(offset)) {
    throw new MillraceError(
      "wrong-usage",
      `${JSON.stringify(text)} is not a position: give FILE:OFFSET as an error message names it, for example data.ndjson:0 for the first record`,
    );
  }
  const path = match[1]!;
  if (path === "-") {
    throw new MillraceError(
      "wrong-usage",
      "standard input is gone: save what you piped in to a file, and give that file with the same offset",
    );
  }
  return { path, offset };
}
