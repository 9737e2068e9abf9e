// What emit costs alone: pairs of some types encoded into a batch that is never collected. Run: node
// bench/micro/run.mjs emit [case]
import { text } from "../../src/format/lines/text.ts";
import { auto } from "../../src/job/codecs/auto.ts";
import { bytes } from "../../src/job/codecs/bytes.ts";
import { json } from "../../src/job/codecs/json.ts";
import { float64, uint } from "../../src/job/codecs/numbers.ts";
import { tuple } from "../../src/job/codecs/tuple.ts";
import { utf8 } from "../../src/job/codecs/utf8.ts";
import { defineJob, jobDefinition } from "../../src/job/define-job.ts";
import { createEmitter, type PairTarget } from "../../src/task/emit/emitter.ts";
import { PairEncoder } from "../../src/task/emit/pair-encoder.ts";
import { createMeasured } from "./measured.ts";
import type { AnyCodec } from "./pairs.ts";
import { wordList } from "./pairs.ts";

const count = 100_000;
const batchBytes = 64 * 1024;
const measured = createMeasured();
const words = wordList(count, 50_000);
const cyrillic = words.map((word) => word.replace(/[a-z]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0x3cf)));
const lines = words.map((word) => Buffer.from(word.padEnd(99, ".")));

add("word, 1", utf8, uint, words, () => 1);
add("word, changing number", utf8, float64, words, (i) => i / 3);
add("Cyrillic word, 1", utf8, uint, cyrillic, () => 1);
const urls = words.map((word, i) => `https://example.org/${word}/${i}?page=${i % 97}&sort=date`);
add(`text of ${urls[7]!.length} characters, 1`, utf8, uint, urls, () => 1);
const all = `${urls.join("")}`;
for (const length of [16, 24, 32, 40, 64, 200]) {
  const slices = Array.from({ length: count }, (_, i) => all.slice(i * 20, i * 20 + length));
  add(`slice of ${length} characters, 1`, utf8, uint, slices, () => 1);
}
const flat = urls.map((url) => Buffer.from(url.slice(8, 32)).toString("latin1"));
add("text of 24 characters, not a slice, 1", utf8, uint, flat, () => 1);
const prose = cyrillic.map(
  (word, i) => `${word} ${cyrillic[(i * 7) % count]} ${cyrillic[(i * 31) % count]} ${word} ${word} ${i}`,
);
add(`Cyrillic text of ${prose[7]!.length} characters, 1`, utf8, uint, prose, () => 1);
add("word, word", utf8, utf8, words, (i) => words[i]);
const nothing = new Uint8Array(0);
add("line of 99 bytes, nothing", bytes, bytes, lines, () => nothing);
const pairs = words.map((word, i) => [word, i] as const);
add("tuple of word and number, 1", tuple(utf8, uint), uint, pairs, () => 1);
add("word, object as JSON", utf8, json(), words, (i) => ({ user: i, at: "2020-01-01", ok: true }));
add("word, 1, types left to auto", auto, auto, words, () => 1);
await measured.print();

function add(name: string, key: AnyCodec, value: AnyCodec, keys: readonly unknown[], numbered: (i: number) => unknown) {
  const job = jobDefinition(defineJob({ name: "emit", input: text(), key, value, map() {} } as never));
  let taken = 0;
  const target: PairTarget = {
    arena: new Uint8Array(batchBytes),
    batchStart: 0,
    batchEnd: batchBytes,
    take: (end) => void (taken += end),
    takeLarge() {},
  };
  const emitter = createEmitter(new PairEncoder(job, 8), target);
  emitter.open();
  const { emit } = emitter;
  const run = () => {
    for (let i = 0; i < count; i++) {
      emit(keys[i], numbered(i));
      emitter.commit();
    }
    emitter.flush();
  };
  run();
  measured.add(name, { records: count, bytes: taken }, run);
}
