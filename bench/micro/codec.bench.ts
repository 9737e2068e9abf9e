// Each codec alone: writing values into one buffer, and reading them from it. Run: node bench/micro/run.mjs codec
// [case]
import { ByteBuffer } from "../../src/base/bytes/byte-buffer.ts";
import { auto } from "../../src/job/codecs/auto.ts";
import { bigint } from "../../src/job/codecs/bigint.ts";
import { date } from "../../src/job/codecs/date.ts";
import { desc } from "../../src/job/codecs/desc.ts";
import { json } from "../../src/job/codecs/json.ts";
import { nullable } from "../../src/job/codecs/nullable.ts";
import { float64, int, uint } from "../../src/job/codecs/numbers.ts";
import { tuple } from "../../src/job/codecs/tuple.ts";
import { utf8 } from "../../src/job/codecs/utf8.ts";
import { createMeasured } from "./measured.ts";
import { type AnyCodec, wordList } from "./pairs.ts";

const count = 50_000;
const measured = createMeasured();
const words = wordList(count, 20_000);
const numbers = Array.from({ length: count }, (_, i) => (i * 7919) % 1_000_003);

add("utf8, words", utf8, words);
add(
  "utf8, Cyrillic",
  utf8,
  words.map((word) => word.replace(/[a-z]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0x3cf))),
);
add("uint", uint, numbers);
add(
  "int",
  int,
  numbers.map((n) => n - 500_000),
);
add(
  "float64",
  float64,
  numbers.map((n) => n / 7),
);
add(
  "bigint",
  bigint,
  numbers.map((n) => BigInt(n) << 40n),
);
add(
  "date",
  date,
  numbers.map((n) => new Date(1_600_000_000_000 + n)),
);
add(
  "nullable(uint)",
  nullable(uint),
  numbers.map((n) => (n % 5 === 0 ? null : n)),
);
add("desc(uint)", desc(uint), numbers);
add(
  "tuple(utf8, uint)",
  tuple(utf8, uint),
  words.map((word, i) => [word, numbers[i]]),
);
add(
  "json, small objects",
  json(),
  words.map((user, n) => ({ user, n, ok: true })),
);
add("auto, words", auto, words);
await measured.print();

function add(name: string, codec: AnyCodec, values: readonly unknown[]): void {
  const out = new ByteBuffer();
  const ends: number[] = [];
  for (const value of values) {
    codec.write(value as never, out);
    ends.push(out.length);
  }
  const encoded = Uint8Array.prototype.slice.call(out.view());
  const views = ends.map((end, i) => encoded.subarray(ends[i - 1] ?? 0, end));
  const handled = { records: values.length, bytes: encoded.length };
  measured.add(`${name}: write`, handled, () => {
    out.reset();
    for (const value of values) codec.write(value as never, out);
  });
  measured.add(`${name}: read`, handled, () => {
    for (const view of views) codec.read(view);
  });
}
