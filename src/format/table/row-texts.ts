// What is known of the cells of a row: which of them their codecs make the text of.
import { ownText, type Shape, type Text } from "../../job/codecs/shape.ts";

/** One element of a row: a cell, or as many as its array has parts or its object has names. */
export interface CellTexts {
  /** Makes one cell of it, whatever it is. */
  readonly whole?: Text;
  readonly parts?: readonly (Text | undefined)[];
  readonly named?: ReadonlyMap<string, Text>;
}

/** The texts of a row of this shape, by element; undefined: no codec has one of its own. */
export function rowTexts(row: Shape): readonly (CellTexts | undefined)[] | undefined {
  if (row.kind !== "array") return undefined;
  const texts = row.parts.map(cellTexts);
  return texts.some((text) => text !== undefined) ? texts : undefined;
}

function cellTexts(shape: Shape): CellTexts | undefined {
  const whole = ownText(shape);
  if (whole !== undefined) return { whole };
  if (shape.kind === "nullable") return cellTexts(shape.of);
  if (shape.kind !== "array" && shape.kind !== "object") return undefined;
  const parts = shape.parts.map(ownText);
  if (parts.every((text) => text === undefined)) return undefined;
  if (shape.kind === "array") return { parts };
  const named = new Map<string, Text>();
  for (const [i, text] of parts.entries()) if (text !== undefined) named.set(shape.names[i]!, text);
  return { named };
}
