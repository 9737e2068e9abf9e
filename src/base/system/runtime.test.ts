import { expect, test } from "vitest";
import { run } from "../../engine/run/run.ts";
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

test("run() in another one is refused with the caller's line, not one of this package", async () => {
  const versions = Object.getOwnPropertyDescriptor(process, "versions")!;
  Object.defineProperty(process, "versions", { ...versions, value: { ...process.versions, bun: "1.4.5" } });
  try {
    const error: unknown = await run({} as never, {} as never).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "not-supported", message: expect.stringContaining("Bun 1.4.5") });
    expect((error as Error).stack!.split("\n")[1]).toContain("runtime.test.ts");
  } finally {
    Object.defineProperty(process, "versions", versions);
  }
});
