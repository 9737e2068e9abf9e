import { expect, it } from "vitest";
import { eachKey, grep, isEachKey, mapperKind, recordAsKey, words } from "./mappers.ts";

function emitted(map: (line: string, emit: (key: string, value?: number) => void) => void, line: string): unknown[] {
  const pairs: unknown[] = [];
  map(line, (...pair) => pairs.push(pair));
  return pairs;
}

it("words by spaces takes what stands between U+0020, and leaves empty ones out", () => {
  expect(emitted(words(), "  a  b\tc d ")).toEqual([
    ["a", 1],
    ["b\tc", 1],
    ["d", 1],
  ]);
  expect(emitted(words("spaces"), "")).toEqual([]);
  expect(emitted(words(), "   ")).toEqual([]);
  const line = " x yy  zzz ";
  expect(emitted(words(), line).map((pair) => (pair as string[])[0])).toEqual(
    line.split(" ").filter((word) => word !== ""),
  );
});

it("words by letters takes the longest runs of letters of any script", () => {
  expect(emitted(words("letters"), "It's 3 Ångström, 東京!")).toEqual([
    ["It", 1],
    ["s", 1],
    ["Ångström", 1],
    ["東京", 1],
  ]);
});

it("grep emits matching lines, each judged by itself", () => {
  const map = grep(/wh/g);
  expect(["whale", "awhile", "x", "whale"].flatMap((line) => emitted(map, line))).toEqual([
    ["whale"],
    ["awhile"],
    ["whale"],
  ]);
  const atStart = grep(/a/y);
  expect(["aab", "abb", "ba"].flatMap((line) => emitted(atStart, line))).toEqual([["aab"], ["abb"]]);
  expect(["aab", "baa"].flatMap((line) => emitted(grep(/a/y), line))).toEqual([["aab"]]);
});

it("recordAsKey emits the record with null, and eachKey a key once per value", () => {
  const record = Uint8Array.of(1);
  expect(emitted(recordAsKey as never, record as never)).toEqual([[record, null]]);
  const written: string[] = [];
  eachKey("a", [null, 1, undefined], (key) => written.push(key));
  expect(written).toEqual(["a", "a", "a"]);
});

it("built-in mappers are known to the engine, others are not", () => {
  expect(mapperKind(words("letters"))).toEqual({ kind: "words", by: "letters" });
  expect(mapperKind(words())).toEqual({ kind: "words", by: "spaces" });
  expect(mapperKind(grep(/a/gi))).toEqual({ kind: "grep", pattern: /a/i });
  expect(mapperKind(recordAsKey)).toEqual({ kind: "record-as-key" });
  expect(mapperKind(() => {})).toBeUndefined();
  expect([isEachKey(eachKey), isEachKey(() => {})]).toEqual([true, false]);
});

it("refuses other arguments", () => {
  expect(() => words("lines" as "spaces")).toThrow(/words takes "spaces" or "letters", not "lines"/);
  expect(() => grep("a" as unknown as RegExp)).toThrow(/grep takes a regular expression, not "a"/);
});
