import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Halves, mask64, partitionOfHash, prime1, prime2, xxh64, xxh64Bigint } from "./xxh64.ts";
import { Xxh64Stream } from "./xxh64-stream.ts";

const ascii = (text: string) => new TextEncoder().encode(text);
const prime32 = 2654435761n;

/** The buffer of the specification's own self-test. */
function sanityBuffer(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let generator = Number(prime32);
  for (let i = 0; i < length; i++) {
    bytes[i] = generator >>> 24;
    generator = Math.imul(generator, generator) >>> 0;
  }
  return bytes;
}

/** Follows the specification's text word for word, in BigInt. */
function slowXxh64(bytes: Uint8Array, seed: bigint): bigint {
  const [p3, p4, p5] = [0x165667b19e3779f9n, 0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n];
  const rotl = (x: bigint, r: bigint) => ((x << r) | (x >> (64n - r))) & mask64;
  const read = (at: number, n: number) => {
    let x = 0n;
    for (let i = n - 1; i >= 0; i--) x = (x << 8n) | BigInt(bytes[at + i]!);
    return x;
  };
  const round = (acc: bigint, lane: bigint) => (rotl((acc + lane * prime2) & mask64, 31n) * prime1) & mask64;
  let at = 0;
  let h: bigint;
  if (bytes.length >= 32) {
    const v = [seed + prime1 + prime2, seed + prime2, seed, seed - prime1].map((x) => x & mask64);
    for (; at + 32 <= bytes.length; at += 32) for (let i = 0; i < 4; i++) v[i] = round(v[i]!, read(at + i * 8, 8));
    h = (rotl(v[0]!, 1n) + rotl(v[1]!, 7n) + rotl(v[2]!, 12n) + rotl(v[3]!, 18n)) & mask64;
    for (const x of v) h = ((h ^ round(0n, x)) * prime1 + p4) & mask64;
  } else h = (seed + p5) & mask64;
  h = (h + BigInt(bytes.length)) & mask64;
  for (; at + 8 <= bytes.length; at += 8) h = (rotl(h ^ round(0n, read(at, 8)), 27n) * prime1 + p4) & mask64;
  if (at + 4 <= bytes.length) {
    h = (rotl(h ^ ((read(at, 4) * prime1) & mask64), 23n) * prime2 + p3) & mask64;
    at += 4;
  }
  for (; at < bytes.length; at++) h = (rotl(h ^ ((read(at, 1) * p5) & mask64), 11n) * prime1) & mask64;
  h = ((h ^ (h >> 33n)) * prime2) & mask64;
  h = ((h ^ (h >> 29n)) * p3) & mask64;
  return h ^ (h >> 32n);
}

describe("xxh64", () => {
  it.each([
    ["", 0n, 0xef46db3751d8e999n],
    ["a", 0n, 0xd24ec4f1a98c6e5bn],
    ["abc", 0n, 0x44bc2cf5ad770999n],
    ["", prime32, 0xac75fda2929b17efn],
  ])("gives the published hash of %j with seed %s", (text, seed, hash) => {
    expect(xxh64Bigint(ascii(text), seed)).toBe(hash);
  });

  it.each([
    [1, 0n, 0x4fce394cc88952d8n],
    [1, prime32, 0x739840cb819fa723n],
    [14, 0n, 0xcffa8db881bc3a3dn],
    [14, prime32, 0x5b9611585efcc9cbn],
    [101, 0n, 0x0eab543384f878adn],
    [101, prime32, 0xcaa65939306f1e21n],
  ])("gives the published hash of the self-test buffer of %i bytes with seed %s", (length, seed, hash) => {
    expect(xxh64Bigint(sanityBuffer(length), seed)).toBe(hash);
  });

  it("hashes any part of an array with any seed as the specification says", () => {
    const property = fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(20),
      fc.bigInt({ min: 0n, max: mask64 }),
      (bytes, skipped, seed) => {
        const start = Math.min(skipped, bytes.length);
        const out: Halves = { high: 0, low: 0 };
        xxh64(bytes, start, bytes.length, Number(seed >> 32n), Number(seed & 0xffffffffn), out);
        expect((BigInt(out.high) << 32n) | BigInt(out.low)).toBe(slowXxh64(bytes.subarray(start), seed));
      },
    );
    fc.assert(property, { seed: 64, numRuns: 500 });
  });
});

describe("partitionOfHash", () => {
  it("is the floor of the exact fraction for every number of partitions", () => {
    const property = fc.property(
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.integer({ min: 1, max: 10_000 }),
      (high, partitions) => {
        expect(BigInt(partitionOfHash(high, partitions))).toBe((BigInt(high) * BigInt(partitions)) >> 32n);
      },
    );
    fc.assert(property, { seed: 32, numRuns: 500 });
  });

  it("never changes: fault 86, golden partitions of words", () => {
    const place = (text: string, partitions: number) =>
      partitionOfHash(Number(xxh64Bigint(ascii(text)) >> 32n), partitions);
    expect(["", "a", "abc", "the", "naïve", "Œuvre"].map((text) => place(text, 7))).toEqual([6, 5, 1, 2, 5, 3]);
    expect(["", "a", "abc", "the", "naïve", "Œuvre"].map((text) => place(text, 10_000))).toEqual([
      9346, 8215, 2684, 2933, 7517, 4298,
    ]);
    expect(place("anything", 1)).toBe(0);
    expect(partitionOfHash(0xffffffff, 10_000)).toBe(9_999);
  });
});

describe("Xxh64Stream", () => {
  const hashOf = (pieces: readonly Uint8Array[]) => {
    const stream = new Xxh64Stream();
    for (const piece of pieces) stream.update(piece);
    return stream.digest();
  };

  it.each([
    ["", 0xef46db3751d8e999n],
    ["a", 0xd24ec4f1a98c6e5bn],
    ["abc", 0x44bc2cf5ad770999n],
  ])("gives the published hash of %j", (text, hash) => {
    expect(hashOf([ascii(text)])).toBe(hash);
  });

  it.each([
    [1, 0x4fce394cc88952d8n],
    [14, 0xcffa8db881bc3a3dn],
    [101, 0x0eab543384f878adn],
  ])("gives the published hash of the self-test buffer of %i bytes", (length, hash) => {
    expect(hashOf([sanityBuffer(length)])).toBe(hash);
  });

  it("gives the hash of all bytes, in whatever pieces they come", () => {
    const property = fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 12 }), (pieces) => {
      expect(hashOf(pieces)).toBe(slowXxh64(Buffer.concat(pieces), 0n));
    });
    fc.assert(property, { seed: 64, numRuns: 500 });
  });
});
