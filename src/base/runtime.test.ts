import { expect, test } from "vitest";
import { refuseOtherRuntimes } from "./runtime.ts";

test("Node goes on, this one too", () => {
  expect(() => refuseOtherRuntimes({ node: "20.19.0" })).not.toThrow();
  expect(() => refuseOtherRuntimes()).not.toThrow();
});

test.each([
  [{ node: "24.3.0", bun: "1.4.5" }, /this is Bun 1\.4\.5/],
  [{ node: "22.0.0", deno: "2.5.0" }, /this is Deno 2\.5\.0/],
  [{ node: "20.19.0", pnp: "3" }, /nodeLinker: node-modules/],
])("%j is named with what to do", (versions, message) => {
  expect(() => refuseOtherRuntimes(versions)).toThrow(expect.objectContaining({ code: "not-supported" }));
  expect(() => refuseOtherRuntimes(versions)).toThrow(message);
});
