import { expect, it } from "vitest";
import { isLive, wantsColour } from "./colour.ts";

it.each([
  // --color, a terminal, environment, colours
  ["auto", true, {}, true],
  ["auto", false, {}, false],
  ["auto", true, { TERM: "dumb" }, false],
  ["auto", true, { NO_COLOR: "1" }, false],
  ["auto", true, { NO_COLOR: "" }, true],
  ["auto", false, { FORCE_COLOR: "1" }, true],
  ["auto", false, { FORCE_COLOR: "" }, true],
  ["auto", true, { FORCE_COLOR: "0" }, false],
  ["auto", true, { FORCE_COLOR: "false" }, false],
  ["auto", false, { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
  ["auto", false, { CI: "true" }, false],
  ["always", false, { NO_COLOR: "1", TERM: "dumb" }, true],
  ["never", true, { FORCE_COLOR: "1" }, false],
] as const)("--color %s on a terminal (%s) with %j: %s", (mode, isTerminal, environment, colours) => {
  expect(wantsColour(mode, isTerminal, environment)).toBe(colours);
});

it("rewrites lines in place only on a terminal that can", () => {
  expect(isLive({ isTTY: true }, { TERM: "xterm" })).toBe(true);
  expect(isLive({ isTTY: true }, { TERM: "dumb" })).toBe(false);
  expect(isLive({}, { TERM: "xterm" })).toBe(false);
});
