import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readF64 } from "../../src/base/bytes/f64.ts";
import { MiB } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/system/random.ts";
import type { CollectOptions, Kernel, KernelOptions, WordEnds } from "../../src/kernel/kernel.ts";
import {
  addAll,
  type Block,
  type Emitted,
  emit,
  flushed,
  mergeRuns,
  modelDigest,
  plain,
  sumFold,
} from "./kernel-driver.ts";

const counted: CollectOptions = { ...plain, partitions: 3, fold: sumFold, sums: true };

interface Counted {
  readonly counts: ReadonlyMap<string, number>;
  readonly digest: bigint;
  readonly emissions: number;
}

/** Counts the words of texts; each text is put where a batch would be. What is too long is emitted as a pair. */
function countWords(
  kernel: Kernel,
  texts: readonly Buffer[],
  ends: WordEnds,
  options = counted,
  fold = options.fold,
): Counted {
  const collect = kernel.collect(options);
  const runs: Block[][] = [];
  const flush = () => void runs.push(flushed(collect, kernel));
  for (const text of texts) {
    kernel.arena.set(text, collect.batchStart);
    const end = collect.batchStart + text.length;
    for (let from = collect.batchStart; ; ) {
      const taken = collect.addWords(from, end, ends);
      if (taken.kind === "taken") break;
      from = taken.start;
      if (taken.kind === "full") flush();
      else {
        const word = kernel.arena.slice(taken.start, taken.end);
        const rest = kernel.arena.slice(taken.end, end);
        addAll(collect, kernel, options, [emit(word, 1)], flush);
        from = taken.end;
        kernel.arena.set(rest, from);
      }
    }
  }
  flush();
  const { emissions, emissionDigest: digest } = collect;
  const pairs = mergeRuns(kernel, runs, fold);
  const counts = new Map(pairs.map(({ key, value }) => [Buffer.from(key).toString(), readF64(value, 0)]));
  expect(counts.size, "each key once").toBe(pairs.length);
  return { counts, digest, emissions };
}

/** What the words are, said another way. */
function model(texts: readonly Buffer[], ends: WordEnds, options = counted): Counted {
  const counts = new Map<string, number>();
  const words: Emitted[] = [];
  for (const text of texts) {
    for (const word of text.toString().split(ends === "spaces" ? / |\r?\n/ : /[^A-Za-z]/)) {
      if (word === "") continue;
      counts.set(word, (counts.get(word) ?? 0) + 1);
      words.push(emit(word, 1));
    }
  }
  return { counts, digest: modelDigest(options, words), emissions: words.length };
}

export function wordsConformance(create: (options: KernelOptions) => Kernel): void {
  describe("counting the words of a text", () => {
    const kernel = create({ arenaBytes: 2 * MiB });
    const space = fc.constantFrom(" ", "  ", "\n", "\r\n", "\r", "\r\r\n", " \n", "\n\n");
    const word = fc.oneof(
      fc.constantFrom("a", "the", "Zug", "aa", "sixteen-letters!", "seventeen_letters", "@[`{", "x".repeat(130)),
      fc.string({ unit: "grapheme", maxLength: 6 }).map((text) => text.replace(/\s/gu, "")),
    );
    const text = fc.array(fc.tuple(word, space), { maxLength: 60 }).map((parts) => Buffer.from(parts.flat().join("")));

    it("takes what is between spaces and line ends, wherever windows of 16 bytes begin and end", () => {
      const property = fc.property(fc.array(text, { minLength: 1, maxLength: 3 }), (texts) => {
        expect(countWords(kernel, texts, "spaces")).toEqual(model(texts, "spaces"));
      });
      fc.assert(property, { numRuns: 300 });
    });

    it("takes runs of ASCII letters", () => {
      const ascii = text.map((bytes) => Buffer.from(bytes.toString().replace(/[^\n -~]/gu, "+")));
      const property = fc.property(fc.array(ascii, { minLength: 1, maxLength: 3 }), (texts) => {
        expect(countWords(kernel, texts, "letters")).toEqual(model(texts, "letters"));
      });
      fc.assert(property, { numRuns: 300 });
    });

    it("leaves words with more than 16,383 bytes to the caller", () => {
      const long = "y".repeat(16_384);
      const texts = [Buffer.from(`a ${"x".repeat(16_383)} b ${long} a ${long}`)];
      expect(countWords(kernel, texts, "spaces")).toEqual(model(texts, "spaces"));
    });

    it("gives the same when it is full again and again, and when it gives combining up", () => {
      const random = seededRandom(7, 0);
      const texts = Array.from({ length: 40 }, () =>
        Buffer.from(Array.from({ length: 3000 }, () => Math.floor(random() * 1e6).toString(36)).join(" ")),
      );
      const expected = model(texts, "spaces");
      for (const combining of ["auto", "always", "never"] as const) {
        expect(countWords(kernel, texts, "spaces", { ...counted, combining })).toEqual(expected);
      }
      const range = { kind: "range", boundaries: [Buffer.from("4"), Buffer.from("k")] } as const;
      const ranged = { ...counted, partitioner: range };
      expect(countWords(kernel, texts, "spaces", ranged)).toEqual(model(texts, "spaces", ranged));
      // Without a fold here, sums are made by whoever reads the runs.
      const unfolded = { ...counted, fold: undefined, combining: "never" as const };
      expect(countWords(kernel, texts, "spaces", unfolded, sumFold)).toEqual(expected);
    });

    it("has the same digest for words that come as pairs", () => {
      const words = ["to", "be", "or", "not", "to", "be"];
      const collect = kernel.collect(counted);
      addAll(collect, kernel, counted, words.map((word) => emit(word, 1)), () => flushed(collect, kernel)); // biome-ignore format: short
      flushed(collect, kernel);
      expect(collect.emissionDigest).toBe(model([Buffer.from(words.join(" "))], "spaces").digest);
      expect(collect.emissions).toBe(6);
    });

    it("counts lines", () => {
      const collect = kernel.collect(counted);
      for (const lines of [0, 1, 15, 16, 17, 40]) {
        const bytes = Buffer.from(`${"ab\n".repeat(lines)}cd`);
        kernel.arena.set(bytes, collect.batchStart);
        expect(collect.countLines(collect.batchStart, collect.batchStart + bytes.length)).toBe(lines);
      }
    });
  });
}
