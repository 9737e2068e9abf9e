// Whatever bytes come in: readers end, throw only `BadRecord`, and bad records are the same ones in the same places for
// any splits and chunks. (Fault 72, and the reader part of fuzzing.)
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunksOf, findStarts, wantedEvery } from "../../test/conformance/format.ts";
import { nullable } from "../job/codecs/nullable.ts";
import { uint } from "../job/codecs/numbers.ts";
import { utf8 } from "../job/codecs/utf8.ts";
import { records } from "./binary/records.ts";
import { wholeFiles } from "./binary/whole-files.ts";
import { BadRecord, type InputFormat } from "./format.ts";
import { ndjson } from "./json/ndjson.ts";
import { lines } from "./lines/lines.ts";
import { text } from "./lines/text.ts";
import { csv } from "./table/csv.ts";
import { tsv } from "./table/tsv.ts";

const formats: Record<string, InputFormat<unknown>> = {
  "text()": text(),
  "text({ invalid })": text({ invalid: "replace" }),
  "text({ delimiter })": text({ delimiter: ',"' }),
  "lines()": lines(),
  "ndjson()": ndjson(),
  "ndjson({ fields })": ndjson({ fields: { a: nullable(uint), b: nullable(utf8) } }),
  "csv()": csv(),
  "csv({ header })": csv({ header: true }),
  "csv({ columns })": csv({ header: false, columns: { a: utf8, b: nullable(uint) } }),
  "csv({ multiline })": csv({ multiline: false }),
  "tsv()": tsv(),
  "tsv({ columns })": tsv({ header: false, columns: { a: utf8, b: nullable(uint) } }),
  "records(3)": records(3),
  "records()": records(),
  "wholeFiles()": wholeFiles(),
};

const pieces = [
  "\n",
  "\r\n",
  "\r",
  '"',
  ",",
  "\t",
  "\\",
  "{",
  "}",
  "[",
  "]",
  ":",
  '"a"',
  '"b":',
  '{"a":1}\n',
  '{"b":"x"}\n',
  "1",
  "a,b\n",
  "é",
  "😀",
  "\ufeff",
  "\0",
  " ",
  "\\n",
  "-",
  "e",
].map((piece) => Buffer.from(piece));
const junk = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...pieces) },
      fc.constantFrom(Buffer.of(0xff), Buffer.of(0xc3), Buffer.of(0xe2, 0x82), Buffer.of(0, 0, 0, 2)),
    ),
    { maxLength: 40 },
  )
  .map((parts) => new Uint8Array(Buffer.concat(parts)));

interface Seen {
  readonly start: number;
  readonly record: unknown;
}

/** What is in [start, end), bad records included; `isFatal`: reading could not continue. */
async function readSkipping(
  format: InputFormat<unknown>,
  bytes: Uint8Array,
  start: number,
  end: number,
  size: number,
): Promise<{ readonly seen: Seen[]; readonly isFatal: boolean }> {
  const seen: Seen[] = [];
  for (let at = start; ; ) {
    try {
      for await (const batch of format.read(chunksOf(bytes.subarray(at), size), { start: at, end, head: bytes })) {
        for (const [i, record] of batch.records.entries()) seen.push({ start: batch.starts[i]!, record });
      }
      return { seen, isFatal: false };
    } catch (thrown) {
      if (!(thrown instanceof BadRecord)) throw thrown;
      seen.push({ start: thrown.start, record: thrown.message });
      if (thrown.end === undefined) return { seen, isFatal: true };
      expect(thrown.start).toBeGreaterThanOrEqual(at);
      expect(thrown.end).toBeGreaterThan(thrown.start);
      expect(thrown.end).toBeLessThanOrEqual(bytes.length);
      expect(thrown.bytes).toEqual(bytes.subarray(thrown.start, thrown.end));
      at = thrown.end;
    }
  }
}

describe.each(Object.entries(formats))("%s", (_name, format) => {
  it("reads junk the same in any splits and chunks", async () => {
    const names = Object.getOwnPropertyNames(Object.prototype).length;
    await fc.assert(
      fc.asyncProperty(
        junk,
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        async (bytes, splitSize, chunkSize) => {
          const whole = await readSkipping(format, bytes, 0, Number.POSITIVE_INFINITY, 1000);
          expect(await readSkipping(format, bytes, 0, Number.POSITIVE_INFINITY, chunkSize)).toEqual(whole);
          if (whole.isFatal) return; // every split meets a bad header
          const cuts = [0, ...(await findStarts(format, bytes, wantedEvery(splitSize, bytes.length))), bytes.length];
          const seen: Seen[] = [];
          for (let i = 1; i < cuts.length; i++)
            seen.push(...(await readSkipping(format, bytes, cuts[i - 1]!, cuts[i]!, chunkSize)).seen);
          expect(seen).toEqual(whole.seen);
        },
      ),
      { numRuns: 300 },
    );
    expect(Object.getOwnPropertyNames(Object.prototype)).toHaveLength(names);
  });
});
