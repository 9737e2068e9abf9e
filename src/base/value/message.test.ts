import { describe, expect, it } from "vitest";
import { messageOf } from "./message.ts";

describe("messageOf", () => {
  it("gives an error's message, and the text of a thrown string", () => {
    expect(messageOf(new TypeError("no"))).toBe("no");
    expect(messageOf("no")).toBe("no");
    expect(messageOf(12)).toBe("12");
    expect(messageOf(undefined)).toBe("undefined");
  });

  it.each([
    ["an object whose toString is null", { toString: null }],
    ["an object without a prototype", Object.create(null)],
    ["a symbol", Symbol("s")],
    ["an error whose message is no string", Object.assign(new Error("x"), { message: { toString: null } })],
    [
      "an error whose message is a getter that throws",
      Object.defineProperty(new Error("x"), "message", {
        get() {
          throw new Error("getter");
        },
      }),
    ],
    [
      "a proxy whose traps throw",
      new Proxy(new Error("x"), {
        getPrototypeOf() {
          throw new Error("trap");
        },
        get() {
          throw new Error("trap");
        },
      }),
    ],
  ])("shows %s", (_, thrown) => {
    expect(messageOf(thrown)).toMatch(/./);
  });
});
