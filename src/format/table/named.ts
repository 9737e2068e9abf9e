// Records whose names are known before the first of them is written, as key and result of an aggregate have: they need
// no `columns`, and with `header: true` the names are the header.
import type { ByteWriter } from "../../base/bytes/bytes.ts";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import type { NamedFormat, OutputFormat } from "../format.ts";
import { cellText } from "./row-cells.ts";

/** Makes the format one that can be told the names. */
export function takesNames<F extends OutputFormat<unknown>>(
  format: F,
  what: string,
  hasHeader: boolean,
  writeRow: (cells: readonly string[], out: ByteWriter) => void,
): F & NamedFormat {
  return {
    ...format,
    withNames(names) {
      const named: OutputFormat<unknown> = {
        ...format,
        write: (record, out) => writeRow(namedCells(what, names, record), out),
      };
      return hasHeader ? { ...named, header: (out) => writeRow(names, out) } : named;
    },
  };
}

function namedCells(what: string, names: readonly string[], record: unknown): string[] {
  if (typeof record !== "object" || record === null) {
    throw new MillraceError("bad-output", `${what} writes objects here, not ${excerptOf(record)}`);
  }
  return names.map((name, i) => cellText(what, (record as Readonly<Record<string, unknown>>)[name], i, name));
}
