// What all readers of one line of ndjson share.
import { MillraceError } from "../../base/error.ts";

/** Whether the line has only blanks, as JSON defines them. Most lines are decided by their first character. */
export function isBlank(line: string): boolean {
  for (let i = 0; i < line.length; i++) {
    const unit = line.charCodeAt(i);
    if (unit !== 0x20 && unit !== 0x09 && unit !== 0x0d) return false;
  }
  return true;
}

export function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    throw new MillraceError("bad-input", `the line is not JSON: ${thrown.message}`);
  }
}
