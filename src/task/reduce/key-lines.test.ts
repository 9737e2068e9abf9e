import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { failed, partsOf, runTasks, succeeded, TaskRun, type TaskRunOptions } from "../../../test/support/run-tasks.ts";
import { keyExcerptOf } from "../../base/excerpt.ts";
import { MiB } from "../../base/limits.ts";
import { lines } from "../../format/lines/lines.ts";
import { LinePairs } from "../../format/lines/pairs.ts";
import { text } from "../../format/lines/text.ts";
import { bytes } from "../../job/codecs/bytes.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { defineJob } from "../../job/define-job.ts";
import { eachKey, recordAsKey } from "../../job/mappers.ts";
import { byHash, byRange } from "../../job/partition.ts";
import { createKernel } from "../../kernel/create-kernel.ts";
import { createReferenceKernel } from "../../kernel/reference.ts";

/** The same job by blocks, and by functions that are not recognised; one of the two by itself. */
function jobsOf(isText: boolean, isSorted: boolean) {
  const base = { name: "sort", partition: isSorted ? byRange() : byHash() } as const;
  const asBytes = { ...base, input: lines(), key: bytes, output: lines() } as const;
  const asText = { ...base, input: text(), key: utf8, output: text() } as const;
  return isText
    ? {
        fast: defineJob({ ...asText, map: recordAsKey, reduce: eachKey }),
        slow: defineJob({
          ...asText,
          map: (line, emit) => recordAsKey(line, emit),
          reduce: (key, values, emit) => eachKey(key, values, emit),
        }),
        map: defineJob({ ...asText, map: recordAsKey, reduce: (key, values, emit) => eachKey(key, values, emit) }),
        reduce: defineJob({ ...asText, map: (line, emit) => recordAsKey(line, emit), reduce: eachKey }),
      }
    : {
        fast: defineJob({ ...asBytes, map: recordAsKey, reduce: eachKey }),
        slow: defineJob({
          ...asBytes,
          map: (line, emit) => recordAsKey(line, emit),
          reduce: (key, values, emit) => eachKey(key, values, emit),
        }),
        map: defineJob({ ...asBytes, map: recordAsKey, reduce: (key, values, emit) => eachKey(key, values, emit) }),
        reduce: defineJob({ ...asBytes, map: (line, emit) => recordAsKey(line, emit), reduce: eachKey }),
      };
}

const kernels = {
  wasm: () => createKernel({ arenaBytes: 4 * MiB }),
  reference: () => createReferenceKernel({ arenaBytes: 4 * MiB }),
  small: () => createKernel({ arenaBytes: 1 * MiB }),
};

const letters = fc.stringMatching(/^[a-c]{0,40}$/);
const line = fc.oneof(
  { weight: 20, arbitrary: letters },
  {
    weight: 3,
    arbitrary: fc.constantFrom("", "same", "Ångström", "東京", "tab\there", "x".repeat(127), "y".repeat(128)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom("z".repeat(16_383), "z".repeat(16_384), "z".repeat(40_000), "q".repeat(70_000)),
  },
);
const content = fc
  .tuple(
    fc.constantFrom("", "", "\ufeff"),
    fc.array(fc.tuple(line, fc.constantFrom("\n", "\n", "\n", "\r\n")), { minLength: 1, maxLength: 60 }),
    fc.boolean(),
  )
  .map(([mark, lines, isOpen]) => mark + lines.flat().join("") + (isOpen ? "the end" : ""));

describe.each([
  ["bytes", false],
  ["text", true],
] as const)("recordAsKey and eachKey of lines as %s", (_, isText) => {
  it.each(Object.entries(kernels))(
    "write what the functions write, one of them by itself too: %s kernel",
    async (_, kernel) => {
      const framed = vi.spyOn(LinePairs.prototype, "frame");
      const written = vi.spyOn(LinePairs.prototype, "write");
      const property = fc.asyncProperty(
        content,
        fc.boolean(),
        fc.integer({ min: 1, max: 200_000 }),
        fc.integer({ min: 1, max: 3 }),
        async (content, isSorted, chunkBytes, partitions) => {
          const jobs = jobsOf(isText, isSorted);
          const options = { files: { "in.txt": content }, chunkBytes, spec: { partitions } };
          const expected = await runTasks(jobs.slow, { ...options, kernel: kernel() });
          for (const job of [jobs.fast, jobs.map, jobs.reduce]) {
            const found = await runTasks(job, { ...options, kernel: kernel() });
            expect(partsOf(found.files)).toEqual(partsOf(expected.files));
          }
        },
      );
      const plain = Array.from({ length: 400 }, (_, i) => `line ${i % 150}\n`).join("");
      await fc.assert(property, { numRuns: 25, examples: [[plain, true, 200_000, 2]] });
      // Plain blocks must go the fast way, or the two would agree for the wrong reason: 400 lines in two jobs each.
      const linesOf = (results: readonly { value: unknown }[]) =>
        results.reduce((sum, { value }) => sum + ((value as { lines: number } | undefined)?.lines ?? 0), 0);
      expect(linesOf(framed.mock.results)).toBeGreaterThanOrEqual(800);
      expect(linesOf(written.mock.results)).toBeGreaterThanOrEqual(800);
      framed.mockRestore();
      written.mockRestore();
    },
  );

  it("come to the same digest and counts, by blocks, by records and in other arenas", async () => {
    const mapOnce = async (job: unknown, content: string, options: Partial<TaskRunOptions>) => {
      const run = new TaskRun(job, { files: { "in.txt": content }, ...options, spec: { partitions: 2 } });
      const done = succeeded(await run.map(await run.plan(), 0, {}));
      const { recordsIn, bytesIn, pairs } = done.stats;
      return { digest: done.emissionDigest, recordsIn, bytesIn, pairs };
    };
    const property = fc.asyncProperty(content, fc.integer({ min: 1, max: 200_000 }), async (content, chunkBytes) => {
      const jobs = jobsOf(isText, false);
      const expected = await mapOnce(jobs.slow, content, { kernel: kernels.wasm() });
      for (const options of [
        { kernel: kernels.wasm() },
        { kernel: kernels.wasm(), careful: true },
        { kernel: kernels.wasm(), chunkBytes },
        { kernel: kernels.small() },
        { kernel: kernels.reference() },
      ]) {
        expect(await mapOnce(jobs.fast, content, options)).toEqual(expected);
      }
    });
    await fc.assert(property, { numRuns: 25 });
  });

  it("count keys, and the largest, across blocks", async () => {
    const copies = ["a", ...Array<string>(9_000).fill("m".repeat(50)), "x", "x", "y"];
    const jobs = jobsOf(isText, true);
    for (const job of [jobs.fast, jobs.slow]) {
      const run = new TaskRun(job, { files: { "in.txt": `${copies.join("\n")}\n` }, spec: { partitions: 1 } });
      const plan = await run.plan();
      const done = succeeded(await run.map(plan, 0, {}));
      const reduced = succeeded(await run.reduce(plan, 0, [done.run!]));
      expect(reduced.stats).toMatchObject({ groups: 4, groupMax: 9_000, recordsOut: 9_004, pairs: 9_004 });
      expect(reduced.largestGroups?.groups).toMatchObject([{ key: `"${"m".repeat(50)}"`, pairs: 9_000 }]);
      // Only "m" goes on from block to block without another key.
      expect(new Set(run.statuses.flatMap(({ key = [] }) => key))).toEqual(
        new Set(job === jobs.fast ? [`"${"m".repeat(50)}"`] : []),
      );
    }
  });

  it("name the same largest group as plain counting does, wherever blocks begin", async () => {
    const lines = fc.array(fc.tuple(line, fc.constantFrom(1, 1, 2, 3, 700, 1400)), { minLength: 1, maxLength: 12 });
    const property = fc.asyncProperty(lines, fc.constantFrom(undefined, 1024), async (drawn, blockBytes) => {
      const jobs = jobsOf(isText, false);
      const content = drawn.map(([text, times]) => `${text}\n`.repeat(text.length > 1_000 ? 2 : times)).join("");
      const sizes = new Map<string, number>();
      for (const text of content.split("\n").slice(0, -1)) sizes.set(text, (sizes.get(text) ?? 0) + 1);
      const most = Math.max(...sizes.values());
      for (const job of [jobs.fast, jobs.slow]) {
        const kernel = createReferenceKernel({ arenaBytes: 4 * MiB, ...(blockBytes !== undefined && { blockBytes }) });
        const { reduces } = await runTasks(job, { files: { "in.txt": content }, spec: { partitions: 1 }, kernel });
        const [group] = reduces[0]!.largestGroups!.groups;
        expect(group).toMatchObject({ pairs: most });
        const largest = [...sizes].filter(([, size]) => size === most).map(([text]) => text);
        expect(largest.map((text) => keyExcerptOf(isText ? text : Buffer.from(text)))).toContain(group!.key);
      }
    });
    await fc.assert(property, { numRuns: 25 });
  });
});

it("a key that is no line of the output fails as its format says", async () => {
  const broken = (isKnown: boolean) =>
    defineJob({
      name: "sort",
      input: text(),
      key: utf8,
      map: (line, emit) => {
        for (const key of [line, `${line}\n`]) emit(key, null);
      },
      reduce: isKnown ? eachKey : (key, values, emit) => eachKey(key, values, emit),
      output: text(),
    });
  const reasons = await Promise.all(
    [true, false].map(async (isKnown) => {
      const run = new TaskRun(broken(isKnown), { files: { "in.txt": "a\nb\n" }, spec: { partitions: 1 } });
      const plan = await run.plan();
      return failed(await run.reduce(plan, 0, [succeeded(await run.map(plan, 0, {})).run!]));
    }),
  );
  expect(reasons[0]).toMatchObject({ error: { message: expect.stringContaining("contains the delimiter") } });
  expect(reasons[0]).toMatchObject({ error: { where: 'reduce of the key "a\\n"' } });
  expect(reasons[1]).toMatchObject({ error: { where: 'reduce of the key "a\\n"' } });
});

it("fault 72: a line that is no UTF-8 fails with its place, and is put aside where that is allowed", async () => {
  const bytes = Buffer.concat([Buffer.from("good line\n"), Buffer.from([0x61, 0xff, 10]), Buffer.from("more\n")]);
  const run = new TaskRun(jobsOf(true, false).fast, { files: { "in.txt": bytes }, spec: { partitions: 1 } });
  const plan = await run.plan();
  expect(failed(await run.map(plan, 0))).toMatchObject({ kind: "bad-input", at: { file: 0, offset: 10 } });
  const done = succeeded(await run.map(plan, 0, { skipBad: 1 }));
  expect(done.deadLetters).toEqual([{ file: 0, offset: 10 }]);
  expect(done.stats).toMatchObject({ recordsIn: 3, pairs: 2 });
});
