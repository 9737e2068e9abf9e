import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { failed, partsOf, runTasks, succeeded, TaskRun, type TaskRunOptions } from "../../../test/support/run-tasks.ts";
import { MiB } from "../../base/limits.ts";
import { ndjson } from "../../format/json/ndjson.ts";
import { text } from "../../format/lines/text.ts";
import { uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { sum } from "../../job/combine.ts";
import { defineJob } from "../../job/define-job.ts";
import { grep, words } from "../../job/mappers.ts";
import { createKernel } from "../../kernel/create-kernel.ts";
import { createReferenceKernel } from "../../kernel/reference.ts";

const bySpaces = words("spaces");
const byLetters = words("letters");
const base = { name: "count", input: text(), key: utf8, value: uint, combine: sum } as const;
const fast = {
  spaces: defineJob({ ...base, map: bySpaces }),
  letters: defineJob({ ...base, map: byLetters }),
};
/** The same functions, called from a function that is not recognised. */
const slow = {
  spaces: defineJob({ ...base, map: (line, emit) => bySpaces(line, emit) }),
  letters: defineJob({ ...base, map: (line, emit) => byLetters(line, emit) }),
};
const kernels = {
  wasm: () => createKernel({ arenaBytes: 4 * MiB }),
  reference: () => createReferenceKernel({ arenaBytes: 4 * MiB }),
  small: () => createKernel({ arenaBytes: 1 * MiB }),
};

async function mapOnce(job: unknown, content: string | Uint8Array, options: Partial<TaskRunOptions> = {}) {
  const run = new TaskRun(job, { files: { "in.txt": content }, ...options, spec: { partitions: 2 } });
  return succeeded(await run.map(await run.plan(), 0, {}));
}

const word = fc.constantFrom("a", "be", "can't", "Zug", "Ångström", "東京", "x\ty", "ab\rcd", "7", "z".repeat(40_000));
const line = fc
  .array(fc.tuple(word, fc.constantFrom(" ", "  ", "-", "\r")), { maxLength: 12 })
  .map((parts) => parts.flat().join(""));
const content = fc
  .tuple(
    fc.constantFrom("", "\ufeff"),
    fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n")), { maxLength: 20 }),
    fc.boolean(),
  )
  .map(([mark, lines, ends]) => mark + lines.flat().join("") + (ends ? "" : "the end"));

describe.each(["spaces", "letters"] as const)("words by %s in the kernel", (by) => {
  it.each(Object.entries(kernels))("give what the function gives: %s kernel", async (_, kernel) => {
    const property = fc.asyncProperty(content, fc.integer({ min: 1, max: 200_000 }), async (text, chunkBytes) => {
      const options = { files: { "in.txt": text }, kernel: kernel(), chunkBytes };
      const expected = await runTasks(slow[by], { ...options, spec: { partitions: 2 } });
      const found = await runTasks(fast[by], { ...options, spec: { partitions: 2 } });
      expect(partsOf(found.files)).toEqual(partsOf(expected.files));
    });
    await fc.assert(property, { numRuns: 30 });
  });

  it("an attempt that looks at single records, reads other chunks or has another arena makes the same digest and counts", async () => {
    const property = fc.asyncProperty(content, fc.integer({ min: 1, max: 200_000 }), async (given, chunkBytes) => {
      const text = `${given} `; // an empty file has nothing to map
      const first = await mapOnce(fast[by], text, { kernel: kernels.wasm() });
      for (const options of [
        { careful: true, kernel: kernels.wasm() },
        { chunkBytes, kernel: kernels.wasm() },
        { kernel: kernels.small() },
        { kernel: kernels.reference() },
      ]) {
        const other = await mapOnce(fast[by], text, options);
        expect(other.emissionDigest).toBe(first.emissionDigest);
        expect(other.stats.recordsIn).toBe(first.stats.recordsIn);
        expect(other.stats.pairs).toBe(first.stats.pairs);
      }
    });
    await fc.assert(property, { numRuns: 30 });
  });

  it("another text has another digest", async () => {
    const digests = new Set<bigint>();
    for (const text of ["a b a", "a b b", "a b", "a b c", " "]) {
      digests.add((await mapOnce(fast[by], text)).emissionDigest!);
    }
    expect(digests.size).toBe(5);
  });

  it("fault 72: a line that is no UTF-8 fails with its place, and is put aside where that is allowed", async () => {
    const bytes = Buffer.concat([Buffer.from("good line\n"), Buffer.from([0x61, 0xff, 10]), Buffer.from("more\n")]);
    const run = new TaskRun(fast[by], { files: { "in.txt": bytes }, spec: { partitions: 1 } });
    const plan = await run.plan();
    expect(failed(await run.map(plan, 0))).toMatchObject({ kind: "bad-input", at: { file: 0, offset: 10 } });
    const done = succeeded(await run.map(plan, 0, { skipBad: 1 }));
    expect(done.deadLetters).toEqual([{ file: 0, offset: 10 }]);
    expect(done.stats).toMatchObject({ recordsIn: 3, pairs: 3 });
  });
});

describe("grep", () => {
  const job = (pattern: RegExp, isKnown = true) => {
    const map = grep(pattern);
    return defineJob({
      name: "grep",
      input: text(),
      reducers: 0,
      output: ndjson(),
      map: isKnown ? map : (line, emit) => map(line, emit),
    });
  };

  it("of a literal decodes only the lines that hold it, and gives what the function gives", async () => {
    const patterns = fc.constantFrom(
      /a/,
      /an't/,
      /Ångström/u,
      /東/,
      /x\ty/,
      /\+/,
      /a b/,
      /can't|Zug/,
      /^a/,
      /A/i,
      /the end/,
    );
    const property = fc.asyncProperty(content, patterns, fc.nat(100_000), async (text, pattern, size) => {
      const options = { files: { "in.txt": text }, chunkBytes: size + 1 };
      const found = await runTasks(job(pattern), options);
      expect(partsOf(found.files)).toEqual(partsOf((await runTasks(job(pattern, false), options)).files));
    });
    await fc.assert(property, { numRuns: 200 });
  });

  it("counts all lines as records, matching or not", async () => {
    const run = new TaskRun(job(/b/), { files: { "in.txt": "a\nb\nc\n\nbb" } });
    const done = succeeded(await run.map(await run.plan(), 0, {}));
    expect(done.stats).toMatchObject({ recordsIn: 5, recordsOut: 2 });
    const nothing = new TaskRun(job(/x/), { files: { "in.txt": "a\nb\n" } });
    expect(succeeded(await nothing.map(await nothing.plan(), 0, {})).stats).toMatchObject({
      recordsIn: 2,
      recordsOut: 0,
    });
  });
});
