import { expect, test } from "vitest";
import { nearKeys } from "./near-keys.ts";

const tuples = ['["startup",14]', '["upgrade",14]', '["status",9]', '["startup",3]'];
const named = ['{"action":"startup","hour":14}', '{"action":"status","hour":14}'];

test.each([
  ["anne", ["bob", "an", "ann", "cecilia"], ["ann", "an"]],
  ["Statup", ["startup", "upgrade"], ["startup"]],
  // A part of a key, with and without its quotes.
  ["startup", tuples, ['["startup",3]', '["startup",14]']],
  ["'startup'", tuples, ['["startup",3]', '["startup",14]']],
  ['["startup",4]', tuples, ['["startup",14]', '["startup",3]']],
  ["status", named, ['{"action":"status","hour":14}']],
  // Quotes, brackets and names are the same in all keys: they bring none of them nearer.
  ['{"action":"remove","hour":1}', named, []],
  ['["x",1]', tuples, []],
  // All short keys are few edits away from a short text, and not like it.
  ["-5", ["43", "79", "-4"], ["-4"]],
  ["", ["43", "79", "aa"], []],
  ["''", ["43", "79", "aa"], []],
  ["abc", ["43", "79", "xyz"], []],
  ["404", ["4040", "40", "500"], ["4040", "40"]],
] as const)("near to %s of %j are %j", (text, keys, near) => {
  expect(nearKeys(text, keys, 5)).toEqual(near);
});

test("keys that look alike without their quotes are both named, and no more than are asked for", () => {
  expect(nearKeys("12", ["1", '"1"', "123"], 5)).toEqual(["1", '"1"', "123"]);
  expect(nearKeys("12", ["1", '"1"', "123"], 2)).toHaveLength(2);
});
