import { expect, test } from "vitest";
import { limits } from "../../base/limits.ts";
import { parseAddresses } from "./address.ts";

test("a list of addresses is taken in its order, each once, with blanks around commas", () => {
  expect(parseAddresses("http://a:7070")).toEqual(["http://a:7070"]);
  expect(parseAddresses("https://b:1/, http://a:80,https://b:1")).toEqual(["https://b:1", "http://a"]);
});

test("a list with something else in it is refused, and so is one that is too long", () => {
  for (const list of ["", "http://a:1,", "http://a:1,,http://b:1", "http://a:1 http://b:1", "http://a:1,b:1"])
    expect(() => parseAddresses(list), list).toThrow(/is not an address|more than a host/);
  const many = Array.from({ length: limits.mastersMax + 1 }, (_, index) => `http://m${index}:1`);
  expect(parseAddresses(many.slice(1).join(","))).toHaveLength(limits.mastersMax);
  expect(() => parseAddresses(many.join(","))).toThrow(/17 addresses are too many/);
});
