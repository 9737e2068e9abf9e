import { expect, test } from "vitest";
import { crc32c } from "./crc32c.ts";

test("agrees with the published vectors of RFC 3720, B.4", () => {
  const of = (bytes: Uint8Array) => crc32c(bytes, 0, bytes.length);
  expect(of(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(of(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  expect(of(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(of(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe(0x113fdb5c);
  expect(of(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(Buffer.from("xx123456789x"), 2, 11)).toBe(0xe3069283);
});
