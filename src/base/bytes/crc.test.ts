import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32cOf } from "./crc32c.ts";
import { type Crc64, crc64nvmeOf } from "./crc64nvme.ts";

const ascii = (text: string) => new TextEncoder().encode(text);
const hex32 = (crc: number) => crc.toString(16).padStart(8, "0");
const hex64 = ({ high, low }: Crc64) => hex32(high) + hex32(low);

/** Follows the definition bit by bit, in BigInt. */
function slowCrc(bytes: Uint8Array, bits: bigint, polynomial: bigint): string {
  const ones = (1n << bits) - 1n;
  let crc = ones;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ (crc & 1n ? polynomial : 0n);
  }
  return (crc ^ ones).toString(16).padStart(Number(bits / 4n), "0");
}

describe("CRC-32C", () => {
  test("is what the catalogue and RFC 3720 say", () => {
    expect(hex32(crc32cOf(ascii("123456789")))).toBe("e3069283");
    expect(hex32(crc32cOf(new Uint8Array(32)))).toBe("8a9136aa");
    expect(hex32(crc32cOf(new Uint8Array(32).fill(0xff)))).toBe("62a8ab43");
    expect(hex32(crc32cOf(Uint8Array.from({ length: 32 }, (_, i) => i)))).toBe("46dd794e");
    expect(crc32cOf(new Uint8Array(0))).toBe(0);
  });

  test("is the same for any bytes, cut anywhere, as by its definition", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
        const parts = crc32cOf(bytes.subarray(cut), crc32cOf(bytes.subarray(0, cut)));
        expect(hex32(parts)).toBe(slowCrc(bytes, 32n, 0x82f63b78n));
      }),
    );
  });
});

describe("CRC-64/NVME", () => {
  test("is what the catalogue and the NVM Express specification say", () => {
    expect(hex64(crc64nvmeOf(ascii("123456789")))).toBe("ae8b14860a799888");
    expect(hex64(crc64nvmeOf(new Uint8Array(4096)))).toBe("6482d367eb22b64e");
    expect(hex64(crc64nvmeOf(new Uint8Array(4096).fill(0xff)))).toBe("c0ddba7302eca3ac");
    expect(hex64(crc64nvmeOf(new Uint8Array(0)))).toBe("0000000000000000");
  });

  test("is the same for any bytes, cut anywhere, as by its definition", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
        const parts = crc64nvmeOf(bytes.subarray(cut), crc64nvmeOf(bytes.subarray(0, cut)));
        expect(hex64(parts)).toBe(slowCrc(bytes, 64n, 0x9a6c9329ac4bc9b5n));
      }),
    );
  });
});
