// A join by a key that has more left records than the memory holds, as a user runs it.
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { millrace, publishedText, scratchFolder } from "../support/cli.ts";

const job = `
import { defineJoin, ndjson, utf8 } from "millrace";
export default defineJoin({
  name: "skewed",
  left: { a: ndjson<{ id: string; n: number; text: string }>() },
  right: { b: ndjson<{ id: string; m: number }>() },
  key: utf8,
  on: { a: "id", b: "id" },
  how: "inner",
  map({ a, b }, emit, { count }) {
    count("rows");
    if (a.n % 20_000 === 0) emit([a.n, b.m, a.text.length]);
  },
});
`;

test("100,000 left records of one key, 100 MB, join within --memory 64MB", async () => {
  const scratch = scratchFolder();
  try {
    const at = (name: string) => join(scratch.path, name);
    writeFileSync(at("skewed.ts"), job);
    const left = openSync(at("left.ndjson"), "w");
    const text = "x".repeat(960);
    for (let n = 0; n < 100_000; n += 1000) {
      const some = Array.from({ length: 1000 }, (_, i) => `${JSON.stringify({ id: "hot", n: n + i, text })}\n`);
      writeSync(left, some.join(""));
    }
    closeSync(left);
    writeFileSync(at("right.ndjson"), [7, 5].map((m) => `${JSON.stringify({ id: "hot", m })}\n`).join(""));
    const inputs = ["--input", `a=${at("left.ndjson")}`, "--input", `b=${at("right.ndjson")}`];
    const options = ["--memory", "64MB", "--slots", "1", "--reducers", "1", "--quiet"];
    const result = await millrace(["run", at("skewed.ts"), ...inputs, "-o", at("out"), ...options]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const expected = [7, 5].flatMap((m) => [0, 20_000, 40_000, 60_000, 80_000].map((n) => `${n}\t${m}\t960\n`));
    expect(publishedText(at("out"))).toBe(expected.join(""));
    const { counters } = JSON.parse(readFileSync(at("out/_SUCCESS"), "utf8")) as { counters: { rows: number } };
    expect(counters.rows).toBe(200_000);
  } finally {
    scratch.remove();
  }
}, 120_000);
