import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import ts from "typescript";
import { expect, it } from "vitest";
import { access, literal, propertyName, valueCode } from "./code.ts";

/** Whatever stands in files: what ends strings and comments, turns text around, or is half of a character. */
const anything = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "__proto__",
    "*/",
    "//",
    "\u2028",
    "\u202e",
    "</script>",
    '"',
    "\\",
    "\n",
    "\ud800",
    "",
    "a b",
    "constructor",
  ),
  fc
    .array(fc.constantFrom("*/", "\u2029", '"', "\\", "\r", "$", "{", "x", "'", "\udfff"), { maxLength: 8 })
    .map((parts) => parts.join("")),
);
const evaluated = (code: string): unknown => new Function(`return ${code};`)();

it("property: names and texts of files are strings in the code, and nothing else", () => {
  fc.assert(
    fc.property(anything, (text) => {
      const code = literal(text);
      expect(evaluated(code)).toBe(text);
      expect(code).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
      // In a comment too it stays on its line.
      const comment = ts.createSourceFile("a.ts", `// ${code}\nlet behind;`, ts.ScriptTarget.ESNext);
      expect(comment.statements).toHaveLength(1);
      const record = evaluated(`({ ${propertyName(text)}: 1 })`) as object;
      expect(Object.entries(record)).toEqual([[text, 1]]);
      expect(new Function("row", `return ${access("row", text)};`)(record)).toBe(1);
    }),
  );
});

it("property: values of records are themselves again", () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      anything,
      fc.double({ noNaN: true }).map((n) => n + 0),
      fc.bigInt(),
      fc.boolean(),
      fc.constant(null),
      fc.date({ noInvalidDate: true }),
      fc.array(tie("any"), { maxLength: 3 }),
      fc.dictionary(anything, tie("any"), { maxKeys: 3, noNullPrototype: true }),
    ),
  })).any;
  fc.assert(
    fc.property(value, (held) => {
      // Not toStrictEqual, which takes a value's own `constructor` for its class.
      expect(isDeepStrictEqual(evaluated(`(${valueCode(held)})`), held)).toBe(true);
    }),
  );
});
