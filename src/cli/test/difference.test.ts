import fc from "fast-check";
import { expect, test } from "vitest";
import { firstDifference } from "./difference.ts";

/** The content in chunks of `size` bytes, each in the same memory as the one before. */
async function* chunks(content: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const memory = Buffer.alloc(size);
  for (let at = 0; at < content.length; at += size) {
    const length = Buffer.from(content).copy(memory, 0, at, at + size);
    yield memory.subarray(0, length);
  }
}

const difference = (a: string, b: string, sizes: readonly [number, number] = [5, 7]) =>
  firstDifference(chunks(Buffer.from(a), sizes[0]), chunks(Buffer.from(b), sizes[1]));

test("the first byte that differs is found with its line, in both contents", async () => {
  expect(await difference("one\ntwo\nthree\n", "one\ntwi\nthree\n")).toEqual({ at: 6, line: 2, a: "two", b: "twi" });
});

test("the end of the one before the end of the other is a difference", async () => {
  expect(await difference("one\n", "one\ntwo\n")).toEqual({ at: 4, line: 2, a: "nothing more", b: "two" });
  expect(await difference("", "x")).toEqual({ at: 0, line: 1, a: "nothing more", b: "x" });
});

test("of a long line what is near is shown", async () => {
  const [x, y] = ["x".repeat(300), "y".repeat(300)];
  expect(await difference(`${x}1${y}`, `${x}2${y}`)).toEqual({
    at: 300,
    line: 1,
    a: `…${"x".repeat(60)}1${"y".repeat(59)}…`,
    b: `…${"x".repeat(60)}2${"y".repeat(59)}…`,
  });
});

test("bytes that are no text are shown in hexadecimal", async () => {
  expect(await difference("\u0000\u0001", "\u0000\u0002")).toEqual({ at: 1, line: 1, a: "0x0001", b: "0x0002" });
});

test("however the contents are cut into chunks, the place is the one that a plain comparison finds", async () => {
  const content = fc.array(fc.constantFrom(97, 98, 10), { maxLength: 60 }).map((bytes) => Buffer.from(bytes));
  const size = fc.integer({ min: 1, max: 20 });
  const pairs = fc.oneof(
    fc.tuple(content, content),
    fc
      .tuple(content, content, content)
      .map(([same, a, b]) => [Buffer.concat([same, a]), Buffer.concat([same, b])] as const),
  );
  await fc.assert(
    fc.asyncProperty(pairs, size, size, async ([a, b], m, n) => {
      const found = await firstDifference(chunks(a, m), chunks(b, n));
      let at = 0;
      while (at < a.length && a[at] === b[at]) at++;
      if (a.equals(b)) expect(found).toBeUndefined();
      else expect(found).toMatchObject({ at, line: a.toString("latin1", 0, at).split("\n").length });
    }),
    { numRuns: 500 },
  );
});
