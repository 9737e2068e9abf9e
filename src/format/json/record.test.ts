import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recordMaker } from "./record.ts";

describe("records of declared fields", () => {
  const name = fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.constantFrom("__proto__", "constructor", "7", "0", "toString", "length"),
  );
  const value = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.constant(null), fc.boolean(), fc.bigInt());

  it("are plain objects of all names in their order, each its own, however many there are", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { maxLength: 40 }).chain((names) => {
          const values = fc.array(value, { minLength: names.length, maxLength: names.length });
          return fc.tuple(fc.constant(names), values, values);
        }),
        ([names, first, second]) => {
          const make = recordMaker(names);
          const made = [make(first), make(second), make(first)];
          expect(made).toStrictEqual(
            [first, second, first].map((values) => Object.fromEntries(names.map((key, i) => [key, values[i]]))),
          );
          expect(Object.keys(made[0]!)).toEqual(Object.keys(Object.fromEntries(names.map((key) => [key, 0]))));
        },
      ),
    );
  });

  it("are of the first names of their number, and of others", () => {
    for (const names of [
      ["a", "b"],
      ["c", "d"],
      ["a", "b"],
    ])
      expect(recordMaker(names)([1, "x"])).toStrictEqual({ [names[0]!]: 1, [names[1]!]: "x" });
  });
});
