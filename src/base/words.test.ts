import { expect, test } from "vitest";
import { parseWords } from "./words.ts";

test("a command line is parted at spaces, and quotes and backslashes hold words together", () => {
  expect(parseWords("xz -dc", "x")).toEqual(["xz", "-dc"]);
  expect(parseWords(`  a\t'b c' "d \\" 'e" f\\ g '' h'i'"j" 'k\\l' "m\\n" `, "x")).toEqual([
    "a",
    "b c",
    `d " 'e`,
    "f g",
    "",
    "hij",
    "k\\l",
    "m\\n",
  ]);
  expect(parseWords("echo $HOME | cat", "x")).toEqual(["echo", "$HOME", "|", "cat"]);
});

test.each(["", "  ", "''", "a 'b", 'a "b', "a\\", "a\0"])("%j is no command line", (text) => {
  expect(() => parseWords(text, "--decompress")).toThrow(/--decompress is a program and its arguments/);
});
