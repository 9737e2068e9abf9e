import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeManifest, type Manifest, parseManifest } from "./manifest.ts";

const sample: Manifest = {
  job: { name: "word-count", id: "00ff", bundle: "ab12", params: "cd34", startedAt: "2026-01-02T03:04:05.000Z" },
  partitions: 2,
  files: [
    { name: "part-00000.tsv", output: "main", bytes: 12, records: 3, sha256: "e3b0" },
    { name: 'odd "name"\n.tsv', output: "main", bytes: 0, records: 0, sha256: "c442" },
  ],
  counters: { __proto__: null, "10": 1, "9": 2, constructor: 3, words: 4 } as never,
  stats: { inputBytes: 100, map: { pairs: 7, wallMs: 1.5 }, reduce: { groups: 2 } },
  versions: { millrace: "0.1.0", node: "20.20.2" },
};
const bytes = encodeManifest(sample);

describe("the manifest", () => {
  test("says what was put in, for people too", () => {
    expect(parseManifest(bytes, "_SUCCESS")).toEqual({ ...sample, counters: { ...sample.counters } });
    expect(Buffer.from(bytes).toString("utf8").split("\n").slice(0, 5)).toEqual([
      "{",
      '  "millrace": 1,',
      '  "job": {"name": "word-count", "id": "00ff", "bundle": "ab12", "params": "cd34", "startedAt": "2026-01-02T03:04:05.000Z"},',
      '  "partitions": 2,',
      '  "files": [',
    ]);
    expect(JSON.parse(Buffer.from(bytes).toString("utf8"))).toMatchObject({ partitions: 2 });
  });

  test("is the same for the same job, whatever order its counters came in", () => {
    const counters = Object.fromEntries(Object.entries(sample.counters).reverse());
    expect(encodeManifest({ ...sample, counters })).toEqual(bytes);
  });

  test("with any one bit flipped, or cut anywhere, it is refused", () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = Uint8Array.from(bytes);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => parseManifest(damaged, "out/_SUCCESS"), `bit ${bit}`).toThrow(/out\/_SUCCESS can't be trusted/);
    }
    for (let length = 40; length < bytes.length; length++) {
      expect(() => parseManifest(bytes.subarray(0, length), "x"), `cut at ${length}`).toThrow(/can't be trusted/);
    }
    expect(() => parseManifest(Buffer.concat([bytes, Buffer.from(" ")]), "x")).toThrow(/can't be trusted/);
  });

  test("of another system is none of ours; of a newer release is said to be", () => {
    expect(parseManifest(new Uint8Array(0), "x")).toBeUndefined();
    expect(parseManifest(Buffer.from('{"name":"committer","files":[]}'), "x")).toBeUndefined();
    const body = Buffer.from(bytes)
      .toString("utf8")
      .replace('"millrace": 1,', '"millrace": 2,')
      .split('  "checksum"')[0]!;
    const checksum = createHash("sha256").update(body).digest("hex");
    expect(() => parseManifest(Buffer.from(`${body}  "checksum": "sha256:${checksum}"\n}\n`), "x")).toThrow(
      /newer release/,
    );
  });

  test("fault 67: a listed name that leads out of the directory is refused, however well the rest is made", () => {
    for (const name of ["../../etc/passwd", "/etc/passwd", "a//b", "", ".", "a/.."]) {
      const evil = encodeManifest({ ...sample, files: [{ ...sample.files[0]!, name }] });
      expect(() => parseManifest(evil, "x")).toThrow(/not the name of a file below/);
    }
  });

  test("fault 81: any text is a name or a counter, and comes back", () => {
    const name = fc
      .string({ unit: "binary", minLength: 1 })
      .filter((text) => !/[/\0]|^\.{1,2}$/.test(text) && text.isWellFormed());
    fc.assert(
      fc.property(
        fc.array(name),
        fc.array(fc.tuple(fc.string({ unit: "binary" }), fc.maxSafeInteger())),
        (names, counts) => {
          const counters = Object.assign(Object.create(null), Object.fromEntries(counts)) as Record<string, number>;
          const files = names.map((name) => ({ ...sample.files[0]!, name }));
          const back = parseManifest(encodeManifest({ ...sample, files, counters }), "x")!;
          expect(back.files).toEqual(files);
          expect(new Map(Object.entries(back.counters))).toEqual(new Map(Object.entries(counters)));
        },
      ),
    );
  });
});
