// One line of ndjson, whoever reads it.
import { MillraceError } from "../../base/error.ts";

/** Only blanks, as JSON knows them; most lines are told by their first character. */
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
