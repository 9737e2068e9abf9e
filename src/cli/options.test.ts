// Gives every option and argument of every command a value that no one means. An empty word, which an unset variable of
// a shell leaves, must not be the current folder, nor the beginning of each id; and what looks like an option is not
// another one's value.
import { isAbsolute } from "node:path";
import type { Option } from "commander";
import { describe, expect, test } from "vitest";
import { flagOf, runOption, runOptionNames } from "../engine/run/option-table.ts";
import { program } from "./main.ts";

/** Resolved when the run begins, before any code of the job's could go elsewhere. */
const shownAsGiven: ReadonlySet<string | undefined> = new Set(["--output", "--dead-letters"]);

const blank = ["", " ", "\t", "\n"];

/** What is wrong for an option by what its help says that it takes. */
function hostileValues(option: Option): readonly string[] {
  const takes = /<(.*)>/.exec(option.flags)?.[1];
  switch (takes) {
    case "name=value":
      return [...blank, "=", "=x", " =x", "name"];
    case "name[=value]":
      return [...blank, "=", "=x", " =x", "A B=x", "NUL\0=x", "NOT_SET_ANYWHERE_AT_ALL"];
    case "name=path":
      return [...blank, "=", "=x", "name", "name=", "name= ", "name=\t", "name=a\0b"];
    case "name[=path]":
      return [...blank, "a b", "=", "=x", "name=", "name= ", "name=\t", "name=a\0b"];
    case "key":
      // Any text may be a key, also an empty one, and also a negative number.
      return [];
    case "dir":
    case "file":
      return [...blank, "-x", "--json", "a\0b", ...(option.long === "--output" ? [] : ["-"])];
    case "n":
      return [...blank, "-1", "1.5", "1e3", "0x10", "NaN", "99999999999999999999", "ten", " 1", "1 "];
    case "size":
      return [...blank, "-1MB", "0", "NaN", "1XB", "MB", "9999999999TB"];
    case "time":
      return [...blank, "-1s", "0s", "1", "NaN", "1y", "s"];
    case "when":
      return [...blank, "blue", "ALWAYS", "auto,never"];
    case "level":
    case "format":
      return [...blank, "loud"];
    case "file...":
      return [...blank, "a\0b"];
    case "text":
      return ["", "\n", "\r", '"', "\\x00", "\\x0a"];
    case "url":
      return [
        ...blank,
        "nothing",
        "ftp://x",
        "http://",
        "http://a:b@c",
        "http://a b",
        " http://a",
        "http://a/b",
        "http://a\0",
      ];
    case "host:port":
      return [...blank, "x", ":1", "127.0.0.1", "127.0.0.1:99999", "a:b", "1:2:3"];
    case "program":
      return [...blank, "'not closed"];
    case "file:path|command:...":
      return [...blank, "x", "file:", "command:", "/run/leave"];
    case "host":
    case "name":
      return [...blank, "a b", "a\0b"];
    default:
      throw new Error(`nobody says what is wrong for ${option.flags}`);
  }
}

const commands = program().commands;

describe.each(commands.map((command) => [command.name(), command] as const))("millrace %s", (_, command) => {
  const options = command.options.filter(({ required }) => required);

  test.each(options.map((option) => [option.flags, option] as const))("%s refuses what it can't mean", (_, option) => {
    for (const hostile of hostileValues(option)) {
      expect(() => option.parseArg!(hostile, option.defaultValue), JSON.stringify(hostile)).toThrow(
        expect.objectContaining({ code: "commander.invalidArgument" }),
      );
    }
  });

  test("its arguments are no blank words, and hold no NUL byte", () => {
    // Its own pattern is stricter.
    if (command.name() === "init") return;
    for (const argument of command.registeredArguments)
      for (const hostile of [...blank, "a\0b"])
        expect(() => argument.parseArg!(hostile, undefined as never), argument.name()).toThrow(
          expect.objectContaining({ code: "commander.invalidArgument" }),
        );
  });

  test("its files and folders are made absolute where they are parsed", () => {
    for (const option of options) {
      if (!/<(?:dir|file)>/.test(option.flags) || shownAsGiven.has(option.long)) continue;
      const parsed = option.parseArg!("some/where", option.defaultValue) as unknown as string;
      expect(isAbsolute(parsed) && parsed.endsWith("/some/where"), option.flags).toBe(true);
    }
  });
});

test("-o takes - for standard output, and keeps a folder as it was given", () => {
  const output = commands.find((command) => command.name() === "run")!.options.find(({ long }) => long === "--output")!;
  for (const given of ["-", "some/where", "./-", "s3://bucket/key"])
    expect(output.parseArg!(given, undefined)).toBe(given);
});

test("run has the flags of the table of run options, and no others", () => {
  const run = commands.find((command) => command.name() === "run")!;
  const ofTable = runOptionNames.filter((name) => runOption(name).flag !== undefined).map(flagOf);
  expect(run.options.map(({ long }) => long).toSorted()).toEqual(ofTable.toSorted());
});
