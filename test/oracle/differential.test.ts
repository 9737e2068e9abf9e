// The engine's tasks against the oracle: random jobs on random inputs, under random splits, chunks, kernels and
// budgets.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KiB, MiB } from "../../src/base/limits.ts";
import { createKernel, type KernelKind } from "../../src/kernel/create-kernel.ts";
import { partsOf, runTasks } from "../support/run-tasks.ts";
import { oracle, xxh64 } from "./oracle.ts";
import { type RandomJob, randomFiles, randomJob } from "./random-jobs.ts";

/** More for a night: MILLRACE_ORACLE_RUNS=100000. */
const numRuns = Number(process.env["MILLRACE_ORACLE_RUNS"] ?? 150);

const budget = fc.record({
  // A batch that holds hardly a pair, and one that holds all; blocks likewise.
  batchBytes: fc.constantFrom(64, 200, 1 * KiB, 32 * KiB),
  blockBytes: fc.constantFrom(64, 1 * KiB, 8 * KiB),
  chunkBytes: fc.constantFrom(1, 7, 64, 1 * MiB),
});

const splits = fc.constantFrom(1, 2, 17, 100, 1000, undefined);

describe.each(["reference", "wasm"] as const)("tasks on the %s kernel", (kind: KernelKind) => {
  test("write what the oracle writes", async () => {
    await fc.assert(
      fc.asyncProperty(randomJob, randomFiles, budget, splits, async (drawn, contents, sizes, splitBytes) => {
        const inputs = contents.slice(0, drawn.expected.maps.length);
        const { files } = await runRandom(drawn, inputs, { kind, splitBytes, ...sizes });
        expect(partsOf(files)).toEqual(oracle(drawn.expected, inputs));
      }),
      { numRuns },
    );
  });
});

test("I7: emission digests depend on the emissions alone, not on kernels, budgets or combining", async () => {
  await fc.assert(
    fc.asyncProperty(
      randomJob,
      randomFiles,
      budget,
      budget,
      splits,
      async (drawn, contents, one, other, splitBytes) => {
        const inputs = contents.slice(0, drawn.expected.maps.length);
        const first = await runRandom(drawn, inputs, { kind: "wasm", splitBytes, ...one });
        const second = await runRandom(drawn, inputs, { kind: "reference", splitBytes, ...other });
        const digests = first.maps.map((done) => done.emissionDigest);
        expect(second.maps.map((done) => done.emissionDigest)).toEqual(digests);
        expect(second.files).toEqual(first.files);
      },
    ),
    { numRuns: Math.ceil(numRuns / 3) },
  );
});

test("the oracle's hash is XXH64", () => {
  // From the published test vectors.
  expect(xxh64(Buffer.from(""))).toBe(0xef46db3751d8e999n);
  expect(xxh64(Buffer.from("a"))).toBe(0xd24ec4f1a98c6e5bn);
  expect(xxh64(Buffer.from("abc"))).toBe(0x44bc2cf5ad770999n);
  expect(xxh64(Buffer.from("The quick brown fox jumps over the lazy dog"))).toBe(0x0b242d361fda71bcn);
});

interface Setting {
  readonly kind: KernelKind;
  readonly splitBytes: number | undefined;
  readonly batchBytes: number;
  readonly blockBytes: number;
  readonly chunkBytes: number;
}

function runRandom(drawn: RandomJob, inputs: readonly (readonly Buffer[])[], setting: Setting) {
  const named = inputs.flatMap((files, input) =>
    files.map((bytes, index) => [`input${input}/${index}.txt`, bytes] as const),
  );
  return runTasks(drawn.job, {
    files: Object.fromEntries(named),
    spec: { partitions: drawn.expected.partitions, splitBytes: setting.splitBytes },
    kernel: createKernel(
      { arenaBytes: 1 * MiB, batchBytes: setting.batchBytes, blockBytes: setting.blockBytes },
      setting.kind,
    ),
    chunkBytes: setting.chunkBytes,
  });
}
