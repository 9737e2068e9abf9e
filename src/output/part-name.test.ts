import { expect, test } from "vitest";
import { deadLettersOutput } from "../base/ids.ts";
import { orderedNumber, partName } from "./part-name.ts";

const plain = {
  output: "main",
  named: false,
  phase: "reduce",
  index: 0,
  extension: "tsv",
  compress: undefined,
} as const;

test("a part is named after its partition or its split, its format and its compression", () => {
  expect(partName(plain)).toBe("part-00000.tsv");
  expect(partName({ ...plain, index: 12, compress: "gzip" })).toBe("part-00012.tsv.gz");
  expect(partName({ ...plain, phase: "map", extension: "txt", compress: "zstd" })).toBe("part-m-00000.txt.zst");
});

test("several outputs have a folder each, dead letters always", () => {
  expect(partName({ ...plain, named: true })).toBe("main/part-00000.tsv");
  expect(partName({ ...plain, named: true, output: "rejects", phase: "map", index: 7 })).toBe(
    "rejects/part-m-00007.tsv",
  );
  expect(partName({ ...plain, output: deadLettersOutput, phase: "map", extension: "ndjson" })).toBe(
    "_dead-letters/part-m-00000.ndjson",
  );
});

test("the order of names is the order of numbers, however many there are", () => {
  const numbers = [0, 9, 10, 99_999, 100_000, 100_001, 999_999, 1_000_000, 12_345_678];
  const names = numbers.map(orderedNumber);
  expect(names.slice().sort()).toEqual(names);
  expect(names).toEqual(["00000", "00009", "00010", "99999", "a100000", "a100001", "a999999", "b1000000", "c12345678"]);
});
