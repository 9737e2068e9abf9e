import { describe, expect, test } from "vitest";
import { Trouble } from "./leveldb-trouble.ts";

describe("the errors of a store", () => {
  const trouble = new Trouble("/state");

  test.each([
    ["IO error: /state/MANIFEST-000002: No space left on device", "no-space"],
    ["IO error: /state/000005.ldb: No space left on device", "no-space"],
    ["IO error: /state/000006.log: Disk quota exceeded", "no-space"],
    ["IO error: /state/MANIFEST-000002: Input/output error", "io-error"],
    ["IO error: /state/MANIFEST-000002: Too many open files", "io-error"],
    ["Corruption: no meta-nextfile entry in descriptor", "corrupt-state"],
    ["Corruption: 1 missing files; e.g.: /state/000005.ldb", "corrupt-state"],
  ])("fault 37: trouble of the disk is never told as damage when a store is opened: %s", (message, code) => {
    const opening = Object.assign(new Error("Database failed to open"), { cause: new Error(message) });
    expect(trouble.ofOpening(opening)).toMatchObject({ code });
    expect(trouble.ofReading(new Error(message))).toMatchObject({ code });
  });
});
