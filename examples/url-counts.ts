// How often was each URL fetched, and how many bytes did it cost? Reads the "combined" log format of Apache and nginx.
//   millrace run examples/url-counts.ts examples/data/access.log -o urls --skip-bad 10
import { defineJob, text, tsv, tuple, uint, utf8 } from "millrace";

const line = /^\S+ \S+ \S+ \[[^\]]+\] "(?:\S+) (\S+)[^"]*" (\d{3}) (\d+|-)/;

export default defineJob({
  name: "url-counts",
  input: text(),
  key: utf8,
  value: tuple(uint, uint),
  map(entry, emit, ctx) {
    const [, url, status, bytes] = line.exec(entry) ?? [];
    if (url === undefined) throw new Error("not a line of the combined log format");
    ctx.count(`status ${status}`);
    emit(url, [1, bytes === "-" ? 0 : Number(bytes)]);
  },
  combine: ([hits, bytes], [moreHits, moreBytes]) => [hits + moreHits, bytes + moreBytes] as const,
  reduce(url, totals, emit) {
    let hits = 0;
    let bytes = 0;
    // Mostly there is one, which all others have been combined into, but combine may not have been called.
    for (const [moreHits, moreBytes] of totals) {
      hits += moreHits;
      bytes += moreBytes;
    }
    emit([url, hits, bytes]);
  },
  output: tsv<[url: string, hits: number, bytes: number]>(),
});
