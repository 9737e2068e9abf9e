import { expect, it } from "vitest";
import { GiB, limits, MiB } from "../base/limits.ts";
import { batchEndOf, layoutOf } from "./layout.ts";

const sizes = [1 * MiB, 8 * MiB, 64 * MiB, 256 * MiB, 1 * GiB];

it.each(sizes)(
  "a batch has at most 64 KiB, and up to 1 MiB where numbers are folded, in an arena of %i bytes",
  (arenaBytes) => {
    const layout = layoutOf({ arenaBytes });
    const bytes = batchEndOf(layout, undefined) - layout.batchStart;
    const folded = batchEndOf(layout, { on: "f64", by: "sum", integers: true }) - layout.batchStart;
    expect(bytes).toBe(Math.min(limits.batchBytes, arenaBytes / 32));
    expect(folded).toBe(Math.min(limits.foldedBatchBytes, arenaBytes / 32));
  },
);
