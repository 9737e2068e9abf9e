import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { desc } from "../codecs/desc.ts";
import { json } from "../codecs/json.ts";
import { uint } from "../codecs/numbers.ts";
import { utf8 } from "../codecs/utf8.ts";
import { aggregateDefinition } from "./aggregate.ts";
import { asState } from "./combined.ts";
import { fold } from "./fold.ts";
import { topK } from "./top-k.ts";

describe("topK", () => {
  it("property: has the most frequent values first, of equally frequent ones the least", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.nat(12), { minLength: 1, maxLength: 60 }), (n, list) => {
        const expected = [...new Set(list)]
          .map((value) => ({ value, count: list.filter((one) => one === value).length }))
          .sort((a, b) => b.count - a.count || a.value - b.value)
          .slice(0, n);
        expect(fold(topK(n, uint), list)).toEqual(expected);
      }),
    );
  });

  it("goes by the codec's order, and takes texts of any bytes, the empty one too", () => {
    expect(fold(topK(2, desc(uint)), [1, 2, 3])).toEqual([
      { value: 3, count: 1 },
      { value: 2, count: 1 },
    ]);
    const pages = ["", "é\0", "", "\u{1f600}", "é\0", ""].map((page) => ({ page }));
    expect(fold(topK(10, "page", utf8), pages)).toEqual([
      { value: "", count: 3 },
      { value: "é\0", count: 2 },
      { value: "\u{1f600}", count: 1 },
    ]);
  });

  it("property: states are the same bytes in whatever order and groups they are merged", () => {
    const { lift, begin } = asState(aggregateDefinition(topK(3, utf8))!);
    const lifted = (value: unknown) => {
      const out = new ByteBuffer();
      lift(value, out);
      return out.copy();
    };
    const merged = (states: readonly Uint8Array[]) => {
      const accumulator = begin();
      for (const state of states) accumulator.add(state, 0, state.length);
      const out = new ByteBuffer();
      accumulator.write(out);
      return out.copy();
    };
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 2 }), { minLength: 2, maxLength: 40 }), fc.nat(), (list, x) => {
        const states = list.map(lifted);
        const cut = 1 + (x % (states.length - 1));
        const nested = merged([merged(states.slice(cut).toReversed()), merged(states.slice(0, cut))]);
        expect(nested).toEqual(merged(states));
      }),
    );
  });

  it.each<[string, () => unknown, RegExp]>([
    [
      "more different values than max",
      () => fold(topK(1, uint, { max: 2 }), [1, 2, 3]),
      /more than 2 different values/,
    ],
    ["n of none", () => topK(0, uint), /topK/],
    ["n beyond its limit", () => topK(10_001, uint), /topK.*10000|topK.*10,000/],
    ["a field where n stands", () => topK("page" as never, utf8), /topK/],
    ["a codec without an order", () => topK(1, json() as never), /topK needs a codec with an order/],
    ["a missing field", () => fold(topK(1, "page", utf8), [{} as never]), /has no field "page"/],
  ])("refuses %s", (_, wrong, message) => {
    expect(wrong).toThrow(message);
  });
});
