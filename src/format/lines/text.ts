// Lines as strings: `text()`. docs/formats/text.md describes it.
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { checkOptions, type OptionNames } from "../../base/value/known-options.ts";
import { delimited, overlapsItself } from "../blocks/boundary.ts";
import type { TextFormat } from "../blocks/content.ts";
import { readBlocks } from "../blocks/reader.ts";
import { type BlockFormat, type Format, writesLines } from "../format.ts";
import { refuses, writesOnly } from "../writable.ts";
import { readLines } from "./reader.ts";

/**
 * Lines as strings, without their delimiter.
 * @throws `wrong-job` for options that do not fit.
 */
export function text(
  options: {
    /**
     * Text that ends each record. A written record that contains it is an error. Default "\n"; then one "\r" before it
     * is stripped.
     */
    readonly delimiter?: string;
    /**
     * What becomes of bytes that are not UTF-8. "fail": their line is a bad record. "replace": they become U+FFFD, and
     * the lines are counted. Default "fail".
     */
    readonly invalid?: "fail" | "replace";
  } = {},
): Format<string> {
  checkOptions("text()", options, known);
  const { delimiter = "\n", invalid = "fail" } = options;
  if (typeof delimiter !== "string" || delimiter === "" || !delimiter.isWellFormed()) {
    throw new MillraceError(
      "wrong-job",
      `text({ delimiter }) takes a string of at least one character, not ${excerptOf(delimiter)}`,
    );
  }
  if (invalid !== "fail" && invalid !== "replace") {
    throw new MillraceError("wrong-job", `text({ invalid }) takes "fail" or "replace", not ${excerptOf(invalid)}`);
  }
  const stripCarriageReturn = delimiter === "\n";
  const bytes = Buffer.from(delimiter);
  const overlaps = overlapsItself(bytes);
  const common: Format<string> & TextFormat = {
    split: "whole-file",
    readsText: { zeroBytes: delimiter.includes("\0") },
    extension: "txt",
    read: (chunks, from) => readLines(chunks, from, { delimiter, stripCarriageReturn, invalid }),
    write(record, out) {
      if (typeof record !== "string")
        throw new MillraceError("bad-output", `text() writes strings, not ${excerptOf(record)}`);
      if (record.includes(delimiter) || (overlaps && `${record}${delimiter}`.indexOf(delimiter) < record.length)) {
        throw wouldChange(record, delimiter);
      }
      if (stripCarriageReturn && record.endsWith("\r")) throw wouldChange(record, delimiter);
      out.writeUtf8(record);
      out.writeBytes(bytes);
    },
  };
  // In the middle of a file no one can tell which occurrences of "aa" in "aaa" are delimiters.
  if (overlaps) return refuses(common, refusal);
  const blocks: BlockFormat | undefined =
    delimiter === "\n" && invalid === "fail"
      ? { readBlocks: (chunks, from) => readBlocks(chunks, from, { boundary: delimited(bytes) }) }
      : undefined;
  const format: Format<string> = {
    ...common,
    ...blocks,
    split: "anywhere",
    recordStart(found) {
      const at = Buffer.from(found.buffer, found.byteOffset, found.length).indexOf(bytes);
      return at < 0 ? -1 : at + bytes.length;
    },
  };
  refuses(format, refusal);
  return delimiter === "\n" ? writesLines(format, { records: "text", refusesCarriageReturn: true }) : format;
}

const refusal = writesOnly("text()", "string");
const known = { delimiter: true, invalid: true } satisfies OptionNames<NonNullable<Parameters<typeof text>[0]>>;

function wouldChange(record: string, delimiter: string): MillraceError {
  const what =
    delimiter === "\n" && !record.includes("\n")
      ? 'ends in "\\r"'
      : `contains the delimiter ${JSON.stringify(delimiter)} or ends in a part of it`;
  const shown = JSON.stringify(record.length > 60 ? `${record.slice(0, 60)}…` : record);
  return new MillraceError(
    "bad-output",
    `${shown} ${what}, so it would not be read back as it is. Replace it, or write ndjson().`,
  );
}
