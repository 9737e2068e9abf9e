import { expect, test } from "vitest";
import { systemCode } from "./error.ts";

test("a system error whose code Node left empty is known by the system's words", () => {
  const removal = Object.assign(new Error(", Unknown error: Read-only file system '/work/slots/left'"), {
    code: "",
    syscall: "rm",
  });
  expect(systemCode(removal)).toBe("EROFS");
  expect(systemCode(Object.assign(new Error("what is this"), { code: "" }))).toBe(undefined);
  expect(systemCode(Object.assign(new Error("Permission denied"), { code: "ENOENT" }))).toBe("ENOENT");
});
