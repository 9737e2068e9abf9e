import { expect, test } from "vitest";
import { text } from "../format/lines/text.ts";
import type { Codec } from "../job/codec.ts";
import { utf8 } from "../job/codecs/utf8.ts";
import { defineJob, jobDefinition } from "../job/define-job.ts";
import { encodedKeyExcerpt } from "./key-excerpt.ts";

const jobOf = (key: Codec<unknown>) =>
  jobDefinition(defineJob({ name: "t", input: text(), key, map() {}, reduce() {} } as never));
const encoded = Buffer.from("the");

test("a key is shown as the job reads it", () => {
  expect(encodedKeyExcerpt(jobOf(utf8 as Codec<unknown>), encoded)).toBe('"the"');
});

test.each<[string, (bytes: Uint8Array) => unknown]>([
  [
    "throws",
    () => {
      throw new Error("as asked for");
    },
  ],
  ["rejects", () => Promise.reject(new Error("as asked for"))],
])("a codec whose read %s takes no task along: the key's bytes are shown", (_, read) => {
  const codec = { ...(utf8 as Codec<unknown>), read } as Codec<unknown>;
  expect(encodedKeyExcerpt(jobOf(codec), encoded)).toBe('"the"');
});

test("a codec may keep and change what it reads", () => {
  const codec = { ...(utf8 as Codec<unknown>), read: (bytes: Uint8Array) => bytes.fill(0x78) } as Codec<unknown>;
  expect(encodedKeyExcerpt(jobOf(codec), encoded)).toBe('"xxx"');
  expect(encoded.toString()).toBe("the");
});
