// Tables for people. Columns are as wide as their widest cell, except for the last one; colour sequences take no width.
import { pc } from "./colour.ts";
import { widthOf } from "./width.ts";

const colours = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, "g");

/** The lines of a table. Cells may be coloured. A column is aligned to the right when all its cells are numbers. */
export function tableLines(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) => Math.max(...[title, ...rows.map((row) => row[column]!)].map(widthOf)));
  const isNumber = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[\d,./]+$/.test(plain(row[column]!))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => {
        const padding = " ".repeat(widths[column]! - widthOf(cell));
        return isNumber[column] === true ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd();
  return [pc.dim(line(head)), ...rows.map(line)];
}

function plain(text: string): string {
  return text.replace(colours, "");
}
