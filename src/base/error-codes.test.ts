import { expect, test } from "vitest";
import { errorCodes, exitCodeOfCode, exitCodes, isErrorCode, meaningOf } from "./error-codes.ts";

test("each code has a meaning that is a sentence, and one exit code of the six", () => {
  const known = new Set<number>(Object.values(exitCodes));
  for (const [code, { meaning }] of Object.entries(errorCodes)) {
    expect(meaning, code).toMatch(/^[A-Z].*\.$/);
    expect(known.has(exitCodeOfCode(code)) && exitCodeOfCode(code) !== 0, code).toBe(true);
  }
});

test("scripts can tell whose turn it is by the exit code", () => {
  const codesOf = (exit: number) => Object.keys(errorCodes).filter((code) => exitCodeOfCode(code) === exit);
  expect(codesOf(1)).toEqual(expect.arrayContaining(["user-error", "wrong-job", "wrong-value"]));
  expect(codesOf(2)).toEqual(expect.arrayContaining(["wrong-usage", "wrong-params", "no-access"]));
  expect(codesOf(3)).toEqual(expect.arrayContaining(["bad-input", "no-input", "output-exists", "corrupt-output"]));
  expect(codesOf(4)).toEqual(expect.arrayContaining(["io-error", "no-space", "unreachable", "job-failed"]));
  expect(codesOf(130)).toEqual(["cancelled"]);
});

test("a code of another version is none of ours, and counts as the machine's", () => {
  for (const code of ["from-the-future", "", "toString", "__proto__"]) {
    expect(isErrorCode(code)).toBe(false);
    expect(meaningOf(code)).toBe(errorCodes["job-failed"]);
    expect(exitCodeOfCode(code)).toBe(4);
  }
});

test("only what the job's code or its input decides is final or the user's; what the machine did is tried again", () => {
  for (const [code, meaning] of Object.entries(errorCodes)) {
    if (meaning.failure === "user" || meaning.failure === "input") expect(meaning.remedy, code).toBe("mend");
    if (meaning.ending === "machine" && meaning.failure === "fatal") expect(meaning.remedy, code).toBe("change");
  }
});
