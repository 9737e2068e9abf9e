import { describe, expect, test } from "vitest";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { excerptOf } from "../../base/excerpt.ts";
import type { Codec } from "../../job/codec.ts";
import { auto } from "../../job/codecs/auto.ts";
import { bigint } from "../../job/codecs/bigint.ts";
import { bool } from "../../job/codecs/bool.ts";
import { bytes } from "../../job/codecs/bytes.ts";
import { date } from "../../job/codecs/date.ts";
import { desc } from "../../job/codecs/desc.ts";
import { fields } from "../../job/codecs/fields.ts";
import { nullable } from "../../job/codecs/nullable.ts";
import { float64, uint } from "../../job/codecs/numbers.ts";
import { tuple } from "../../job/codecs/tuple.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { wantedKey } from "./wanted-key.ts";

const day = new Date("2024-05-31T12:00:00.000Z");
const any = (codec: unknown) => codec as Codec<unknown>;

/** The keys that the text may stand for, in order. */
function meant(text: string, codec: unknown): unknown[] {
  return wantedKey(text, any(codec)).encoded.map((encoded) => any(codec).read(encoded));
}

describe("a key that is written down", () => {
  test.each<[text: string, codec: unknown, first: unknown]>([
    ["ann", utf8, "ann"],
    ["404", utf8, "404"],
    ["", utf8, ""],
    ["null", utf8, "null"],
    ["two words", utf8, "two words"],
    ["404", uint, 404],
    ["-1.5", float64, -1.5],
    ["true", bool, true],
    ["12345678901234567890", bigint, 12345678901234567890n],
    ["12345678901234567890n", bigint, 12345678901234567890n],
    ["2024-05-31T12:00:00.000Z", date, day],
    ["2024-05-31T12:00:00.000Z", desc(date), day],
    ["ann", desc(utf8), "ann"],
    ["404", desc(uint), 404],
    ["null", nullable(utf8), null],
    ["ann", nullable(utf8), "ann"],
    ["ann", auto, "ann"],
    ["404", auto, 404],
    ['"404"', auto, "404"],
    ['["ann",404]', auto, ["ann", 404]],
    ['["ann",404]', tuple(utf8, uint), ["ann", 404]],
    ["[ 'ann', 404 ]", tuple(utf8, desc(uint)), ["ann", 404]],
    ['["404","404"]', tuple(utf8, uint), ["404", 404]],
    ['["ann","2024-05-31T12:00:00.000Z"]', tuple(utf8, date), ["ann", day]],
    ["[ 'ann', 2024-05-31T12:00:00.000Z ]", tuple(utf8, desc(date)), ["ann", day]],
    ["ann", tuple(utf8), ["ann"]],
    ['{"host":"a","status":200}', fields({ host: utf8, status: uint }), { host: "a", status: 200 }],
    ["{ host: 'a', status: 200 }", fields({ host: utf8, status: uint }), { host: "a", status: 200 }],
    ['["a",200]', fields({ host: utf8, status: uint }), { host: "a", status: 200 }],
    ["a", fields({ host: utf8 }), { host: "a" }],
    ['[["a",1],2]', tuple(tuple(utf8, uint), uint), [["a", 1], 2]],
    ["ann", bytes, new TextEncoder().encode("ann")],
    ['"ann"', bytes, new TextEncoder().encode('"ann"')],
  ])("%s, where %s makes keys, is %s", (text, codec, first) => {
    expect(meant(text, codec)[0]).toEqual(first);
  });

  test("may stand for two keys, of which the input decides", () => {
    expect(meant('"ann"', utf8)).toEqual(['"ann"', "ann"]);
    expect(meant("0xff00", bytes)).toContainEqual(Uint8Array.of(0xff, 0));
    expect(meant('"ann"', bytes)).toContainEqual(new TextEncoder().encode("ann"));
  });

  test.each<[key: unknown, codec: unknown]>([
    ["ann", utf8],
    ['it\'s "said" `so` \\ \n\t\u0000é', utf8],
    ["404", utf8],
    ["", utf8],
    [-0.1, float64],
    [1e21, float64],
    [1e-7, float64],
    [false, bool],
    [-5n, bigint],
    [day, date],
    [null, nullable(uint)],
    [new Date(0), auto],
    [7n, auto],
    [["a", [true, null], 1.5], auto],
    [["it's", 1], tuple(utf8, uint)],
    [["a\"b'c", 2], tuple(utf8, uint)],
    [["a\"b'c`d\\\n", 2], tuple(utf8, uint)],
    [[day, 5n, null], tuple(desc(date), bigint, nullable(utf8))],
    [{ host: "a", "user-agent": "b", at: day }, fields({ host: utf8, "user-agent": utf8, at: date })],
    [new Uint8Array([1, 2, 255]), bytes],
    [new TextEncoder().encode("plain"), bytes],
  ])("is found as a message shows it: %s", (key, codec) => {
    const buffer = new ByteBuffer();
    any(codec).write(key, buffer);
    expect(wantedKey(excerptOf(key), any(codec)).encoded).toContainEqual(buffer.copy());
  });

  test("is compared with what a message shows where the text is cut or is no value", () => {
    const long = excerptOf("x".repeat(500));
    expect(wantedKey(long, any(utf8)).shown).toBe(long);
    expect(wantedKey("[ 'a', 1", any(tuple(utf8, uint)))).toEqual({ encoded: [], shown: "[ 'a', 1" });
    expect(wantedKey("ann", any(utf8)).shown).toBeUndefined();
    expect(wantedKey("404", any(uint)).shown).toBeUndefined();
    const own: Codec<unknown> = {
      write() {
        throw new Error("refused");
      },
      read: () => ({}),
    } as unknown as Codec<unknown>;
    expect(wantedKey("Point { x: 1 }", own)).toEqual({ encoded: [], shown: "Point { x: 1 }" });
  });
});
