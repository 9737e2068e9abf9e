import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MillraceError } from "../../base/error.ts";
import { text } from "../../format/lines/text.ts";
import type { Codec } from "../../job/codec.ts";
import { auto } from "../../job/codecs/auto.ts";
import { bytes } from "../../job/codecs/bytes.ts";
import { float64, int, uint } from "../../job/codecs/numbers.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { defineJob, jobDefinition } from "../../job/define-job.ts";
import { createEmitter, type Emitter, type PairTarget } from "./emitter.ts";
import { partitionBytes, readFrame } from "./frame.ts";
import { PairEncoder } from "./pair-encoder.ts";

interface Taken {
  readonly key: string;
  readonly value: string;
  readonly partition: number | undefined;
}

/** A target with a batch somewhere in its arena, which it fills with rubbish when it has taken it. */
function listing(batchBytes: number, header: number, fails?: () => void): PairTarget & { readonly taken: Taken[] } {
  const arena = new Uint8Array(batchBytes + 32);
  const taken: Taken[] = [];
  const hex = (part: Uint8Array) => Buffer.from(part).toString("hex");
  const batchStart = 16;
  return {
    arena,
    batchStart,
    batchEnd: batchStart + batchBytes,
    taken,
    take(end) {
      fails?.();
      for (let at = batchStart; at < end; ) {
        const pair = readFrame(arena, at, header);
        const partition = header === 0 ? undefined : new DataView(arena.buffer).getUint32(at, true);
        taken.push({
          key: hex(arena.subarray(pair.key, pair.value)),
          value: hex(arena.subarray(pair.value, pair.end)),
          partition,
        });
        at = pair.end;
        expect(at).toBeLessThanOrEqual(end);
      }
    },
    takeLarge: (key, value, partition) => void taken.push({ key: hex(key), value: hex(value), partition }),
  };
}

function emitterOf(options: Readonly<Record<string, unknown>>, target: PairTarget): Emitter {
  const job = jobDefinition(defineJob({ name: "t", input: text(), map() {}, reduce() {}, ...options } as never));
  const emitter = createEmitter(new PairEncoder(job, 9), target);
  emitter.open();
  return emitter;
}

const encoded = (codec: Codec<never>, value: unknown): string => {
  const parts: Buffer[] = [];
  const push = (part: Uint8Array) => void parts.push(Buffer.from(part));
  codec.write(value as never, {
    writeUint8: (byte) => push(Uint8Array.of(byte)),
    writeBytes: push,
    writeUtf8: (part) => push(Buffer.from(part)),
    writeVarint() {
      throw new Error("not needed");
    },
  });
  return Buffer.concat(parts).toString("hex");
};

const anyText = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 300 }),
  fc
    .tuple(fc.constantFrom("a", "é", "漢", "\u{1f600}"), fc.constantFrom(42, 43, 63, 64, 127, 128, 4000, 5461, 6000))
    .map(([c, n]) => c.repeat(n)),
);
const pairKinds = {
  textUint: [utf8, uint, anyText, fc.oneof(fc.constantFrom(0, 1, 2 ** 53 - 1), fc.maxSafeNat())],
  textInt: [utf8, int, anyText, fc.oneof(fc.constantFrom(0, -0, 1, -1), fc.maxSafeInteger())],
  textFloat: [utf8, float64, anyText, fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(-5e-324, -2e-308))],
  textText: [utf8, utf8, anyText, anyText],
  numberText: [float64, utf8, fc.double({ noNaN: true }), anyText],
  bytesBytes: [bytes, bytes, fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 20_000 })],
  autoText: [auto, utf8, fc.oneof(fc.integer(), anyText), anyText],
} as const;

describe("emit", () => {
  it.each(Object.entries(pairKinds))(
    "writes what the codecs write, in order, whatever the batch holds: %s",
    (_, [key, value, keys, values]) => {
      fc.assert(
        fc.property(
          fc.array(fc.tuple(keys as fc.Arbitrary<unknown>, values as fc.Arbitrary<unknown>), { maxLength: 40 }),
          fc.constantFrom(64, 200, 1000, 32 * 1024),
          fc.boolean(),
          fc.integer({ min: 1, max: 5 }),
          (pairs, batchBytes, chooses, every) => {
            const target = listing(batchBytes, chooses ? partitionBytes : 0);
            const partition = (given: unknown) => String(given).length % 9;
            const emitter = emitterOf({ key, value, ...(chooses && { partition }) }, target);
            for (const [index, [k, v]] of pairs.entries()) {
              emitter.emit(k, v);
              if (index % every === 0) emitter.commit();
            }
            emitter.commit();
            emitter.flush();
            expect(target.taken).toEqual(
              pairs.map(([k, v]) => ({
                key: encoded(key as Codec<never>, k),
                value: encoded(value as Codec<never>, v),
                partition: chooses ? partition(k) : undefined,
              })),
            );
          },
        ),
        { numRuns: 60 },
      );
    },
  );

  it("copies texts of the record that stand in its batch, and writes the others as ever", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "\x7f"), minLength: 11, maxLength: 200 });
    const records = fc.array(fc.tuple(letters, anyText), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(records, fc.constantFrom(300, 1000, 32 * 1024), fc.boolean(), (held, batchBytes, chooses) => {
        const target = listing(batchBytes, chooses ? partitionBytes : 0);
        const emitter = emitterOf({ key: utf8, value: uint, ...(chooses && { partition: () => 5 }) }, target);
        // The bytes behind a text are copied with it, and must not be seen: 0xff.
        const memory = Buffer.alloc(held.length * 208 + 8, 0xff);
        for (const [i, [text]] of held.entries()) memory.write(text, 8 + i * 208);
        let copied = 0;
        const texts = {
          isCurrent: true,
          view: new DataView(memory.buffer, memory.byteOffset, memory.length),
          startOf(text: string, record: number) {
            if (held[record]?.[0] !== text) return -1;
            copied++;
            return 8 + record * 208;
          },
        };
        const emitted: string[] = [];
        const map = ([text, other]: readonly [string, string]) => {
          for (const key of [text, other, `${text}`, text.slice(1)]) {
            emitter.emit(key, 1);
            emitted.push(key);
          }
          emitter.commit();
        };
        const half = held.length >> 1;
        emitter.open(texts, 0);
        for (const record of held.slice(0, half)) map(record);
        emitter.close();
        emitter.open(texts, half);
        for (const record of held.slice(half)) map(record);
        expect(copied).toBeGreaterThanOrEqual(2 * held.filter(([text]) => text.length > 11).length);
        emitter.open({ ...texts, isCurrent: false, startOf: () => 0 });
        map(held[0]!);
        emitter.close();
        emitter.open();
        map(held[0]!);
        emitter.flush();
        expect(target.taken.map(({ key }) => Buffer.from(key, "hex").toString())).toEqual(emitted);
        expect(new Set(target.taken.map(({ value }) => value))).toEqual(
          new Set([encoded(uint as unknown as Codec<never>, 1)]),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("takes back the pairs of a record, unless some have left the batch", () => {
    const target = listing(1000, 0);
    const emitter = emitterOf({ key: utf8, value: uint }, target);
    emitter.emit("kept", 1);
    emitter.commit();
    /** the batch is full once: "kept" leaves, these move */
    for (let i = 0; i < 60; i++) emitter.emit("taken back", i); // the batch is full once: "kept" leaves, these move
    expect(emitter.rollback()).toBe(false);
    const other = emitterOf({ key: utf8, value: uint }, target);
    target.taken.length = 0;
    for (let i = 0; i < 45; i++) {
      other.emit("kept", i);
      other.commit();
    }
    for (let i = 0; i < 30; i++) other.emit("taken back", i);
    expect(other.rollback()).toBe(true);
    other.emit("next", 1);
    other.commit();
    other.flush();
    expect(target.taken.map(({ key }) => Buffer.from(key, "hex").toString())).toEqual([
      ...Array(45).fill("kept"),
      "next",
    ]);
  });

  it("detaches a record's pairs, and takes them again later, large ones too", () => {
    const target = listing(1000, 0);
    const emitter = emitterOf({ key: utf8, value: utf8 }, target);
    emitter.emit("a", "1");
    emitter.commit();
    emitter.emit("b", "2");
    emitter.emit("c", "3");
    const { pairs, left } = emitter.detach();
    expect(left).toBe(false);
    const long = "x".repeat(3000);
    emitter.emit("d", long);
    emitter.append(pairs, pairs.length);
    emitter.commit();
    emitter.flush();
    expect(target.taken.map(({ key }) => Buffer.from(key, "hex").toString())).toEqual(["a", "d", "b", "c"]);
  });

  it.each([
    ["text and a number", { key: utf8, value: uint }, "a", "a".repeat(10_000), 1],
    ["texts", { key: utf8, value: utf8 }, "a", "a".repeat(10_000), "v"],
    ["bytes", { key: bytes, value: bytes }, Uint8Array.of(1), new Uint8Array(20_000), Uint8Array.of(2)],
    ["any", { key: auto, value: auto }, "a", "a".repeat(10_000), 1],
  ] as const)("goes elsewhere while it is closed: %s", (_, codecs, short, long, value) => {
    const target = listing(1000, 0);
    const emitter = emitterOf(codecs, target);
    const elsewhere: unknown[] = [];
    emitter.redirect = (key, value) => void elsewhere.push([key, value]);
    emitter.close();
    emitter.emit(short, value);
    emitter.emit(long, value);
    emitter.flush();
    expect(elsewhere).toEqual([
      [short, value],
      [long, value],
    ]);
    expect(target.taken).toEqual([]);
  });

  it("remembers what the collector threw", () => {
    const full = new MillraceError("no-space", "full");
    const target = listing(200, 0, () => {
      throw full;
    });
    const emitter = emitterOf({ key: utf8, value: uint }, target);
    expect(() => {
      for (;;) emitter.emit("k", 1);
    }).toThrow(full);
    expect(emitter.broken).toEqual({ thrown: full });
    expect(() => emitter.flush()).toThrow(full);
  });

  it("leaves no trace of a pair that is refused", () => {
    const refused = [
      [{ key: utf8, value: uint }, ["a\ud800", 1], ["\udc00".repeat(70), 1], ["a", -1], [7, 1], ["a", "1"]],
      [{ key: utf8, value: utf8 }, ["a\ud800", "v"], ["a", "v\ud800"], [7, "v"], ["a", 1], ["a", undefined]],
      [{ key: bytes, value: bytes }, ["a", Uint8Array.of(1)], [Uint8Array.of(1), "v"], [[1], Uint8Array.of(1)]],
    ] as const;
    const fine = [
      ["b", 1],
      ["b", "v"],
      [Uint8Array.of(98), Uint8Array.of(1)],
    ] as const;
    for (const [index, [codecs, ...pairs]] of refused.entries()) {
      const target = listing(1000, 0);
      const emitter = emitterOf(codecs, target);
      for (const [key, value] of pairs) expect(() => emitter.emit(key, value)).toThrow(MillraceError);
      emitter.emit(fine[index]![0], fine[index]![1]);
      emitter.commit();
      emitter.flush();
      expect(target.taken.map(({ key }) => key)).toEqual(["62"]);
    }
  });
});
