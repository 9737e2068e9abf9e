import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readAll, writeAll } from "../../../test/conformance/format.ts";
import type { Row } from "../../job/table.ts";
import { csv } from "./csv.ts";
import { tsv } from "./tsv.ts";

describe.each([
  ["tsv()", tsv()],
  ["csv()", csv()],
  ["csv({ multiline: false })", csv({ multiline: false })],
])("a tuple in a row of %s", (name, format) => {
  const cell = fc.oneof(
    fc.stringMatching(/^[a, "\t\\]{0,4}$/),
    fc.integer(),
    fc.bigInt(),
    fc.boolean(),
    fc.constant(null),
    fc.date({ noInvalidDate: true }),
  );

  it("is as many cells as it has parts: the bytes are those of the row with its parts in its place", async () => {
    const row = fc.array(fc.oneof(cell, fc.array(cell, { minLength: 1, maxLength: 3 })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 5 }), async (rows) => {
        const bytes = writeAll(format, rows as Row[]);
        expect(bytes).toEqual(writeAll(format, rows.map((one) => one.flat()) as Row[]));
        const shown = rows.map((one) =>
          one.flat().map((part) => (part === null ? "" : part instanceof Date ? part.toISOString() : String(part))),
        );
        expect((await readAll(format, bytes)).records).toEqual(shown);
      }),
    );
  });

  it.each([
    [[[], 1], /cell 1 is \[\]; an array of no parts would be no cell at all/],
    [[["a", ["b"]], 1], /part 2 of cell 1 is .*; only the parts of a row may be arrays/],
    [["a", [1, { b: 1 }]], /part 2 of cell 2 is \{.*; a cell is a string, number/],
    [["a", [Number.NaN]], /part 1 of cell 2 is NaN/],
    [["a", [undefined]], /part 1 of cell 2 is undefined/],
    [["a", new Array(1)], /part 1 of cell 2 is undefined/],
    [["a", [new Date(Number.NaN)]], /part 1 of cell 2 is/],
    [["a", [Uint8Array.of(1)]], /part 1 of cell 2 is/],
    [["a", Uint8Array.of(1)], /cell 2 is/],
    [["a", new Map()], /cell 2 is/],
  ])("is refused by its place with what no cell can be: %j", (row, message) => {
    expect(() => writeAll(format, [row as unknown as Row])).toThrow(
      expect.objectContaining({ code: "bad-output", message: expect.stringMatching(message) }),
    );
    expect(() => writeAll(format, [row as unknown as Row])).toThrow(`${name.slice(0, 3)}()`);
  });
});
