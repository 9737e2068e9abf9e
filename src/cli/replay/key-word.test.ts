import { expect, test } from "vitest";
import { excerptOf } from "../../base/excerpt.ts";
import { keyWord } from "./key-word.ts";

test.each<[key: unknown, word: string]>([
  ["ann", "ann"],
  ["two words", "two words"],
  ["", ""],
  ["404", '"404"'],
  ["true", '"true"'],
  ["[a]", "[a]"],
  ['["a"]', '"[\\"a\\"]"'],
  [404, "404"],
  [null, "null"],
  [["ann", 404], '["ann",404]'],
  [{ host: "it's", status: 200 }, '{"host":"it\'s","status":200}'],
  [5n, "5n"],
  [new Date(0), "1970-01-01T00:00:00.000Z"],
  [["a", new Date(0)], "[ 'a', 1970-01-01T00:00:00.000Z ]"],
])("the key %s is given to --key as %s", (key, word) => {
  expect(keyWord(excerptOf(key))).toBe(word);
});

test("a key that a message cuts is given as it is shown", () => {
  const shown = excerptOf("x".repeat(500));
  expect(keyWord(shown)).toBe(shown);
});
