// Records of which it is known, before the first of them is written, what they are made of: pairs, and key and result
// of an aggregate. Their cells are the texts of their codecs. Where they have names they need no `columns`, and with
// `header: true` the names are the header.
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { ownText, type Shape } from "../../job/codecs/shape.ts";
import type { FittingFormat, OutputFormat } from "../format.ts";
import { refuses } from "../writable.ts";
import { cellText, refusesNamed, refusesRows, rowCells } from "./row-cells.ts";
import { rowTexts } from "./row-texts.ts";

type WriteRow = (cells: readonly string[], out: ByteWriter) => void;

/** Makes the format one that can be told what its records are made of. */
export function fitting<F extends OutputFormat<unknown>>(
  format: F,
  what: string,
  hasHeader: boolean,
  writeRow: WriteRow,
): F & FittingFormat {
  return {
    ...format,
    fitTo(record) {
      if (record.kind === "object") {
        const named = { ...format, ...namedWriting(what, record, hasHeader, writeRow) };
        return refuses(named, refusesNamed(what));
      }
      const texts = hasHeader ? undefined : rowTexts(record);
      if (texts === undefined) return undefined;
      const write = (row: unknown, out: ByteWriter) => writeRow(rowCells(what, row, texts), out);
      return refuses({ ...format, write }, refusesRows(what));
    },
  };
}

type NamedWriting = Pick<OutputFormat<unknown>, "write" | "header">;

function namedWriting(
  what: string,
  { names, parts }: Extract<Shape, { kind: "object" }>,
  hasHeader: boolean,
  writeRow: WriteRow,
): NamedWriting {
  const texts = parts.map(ownText);
  const cells = (record: unknown): string[] => {
    if (typeof record !== "object" || record === null) {
      throw new MillraceError("bad-output", `${what} writes objects here, not ${excerptOf(record)}`);
    }
    return names.map((name, i) =>
      cellText(what, (record as Readonly<Record<string, unknown>>)[name], i, name, texts[i]),
    );
  };
  const write: NamedWriting["write"] = (record, out) => writeRow(cells(record), out);
  return hasHeader ? { write, header: (out) => writeRow(names, out) } : { write };
}
