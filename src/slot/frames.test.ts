import fc from "fast-check";
import { expect, test } from "vitest";
import { FrameReader, frameOf } from "./frames.ts";

test("messages come out as they went in, however the pipe cuts them", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1 }),
      (messages, cuts) => {
        const stream = Buffer.concat(messages.map(frameOf));
        const got: number[][] = [];
        const reader = new FrameReader((message) => got.push([...message]));
        for (let at = 0, cut = 0; at < stream.length; cut++) {
          const end = Math.min(stream.length, at + cuts[cut % cuts.length]!);
          reader.push(stream.subarray(at, end));
          at = end;
        }
        expect(got).toEqual(messages.map((message) => [...message]));
      },
    ),
  );
});

test("a large message in small pieces is not copied once per piece", () => {
  const reader = new FrameReader((message) => expect(message.length).toBe(8 << 20));
  const frame = frameOf(new Uint8Array(8 << 20));
  expect.assertions(1);
  for (let at = 0; at < frame.length; at += 1024) reader.push(frame.subarray(at, at + 1024));
});

test("bytes that are no message are refused instead of being waited for", () => {
  const reader = new FrameReader(() => {});
  expect(() => reader.push(Buffer.from("hello"))).toThrow("something other than a message");
});
