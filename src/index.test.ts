import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { version } from "./base/version.ts";
import * as millrace from "./index.ts";
import * as api from "./job/api.ts";

it("exports what the documentation names, and nothing else", () => {
  expect(Object.keys(millrace).sort()).toEqual(
    [
      ...["MillraceError", "defineJob", "run", "prefix", "byHash", "byRange", "sum", "min", "max", "words", "grep"],
      ...["recordAsKey", "eachKey"],
      ...["stats", "count", "countIf", "mean", "variance", "first", "last", "quantile", "topN", "topK"],
      ...["countDistinct", "collect"],
      ...["fold", "ifPresent", "defineAggregate", "defineJoin", "fields"],
      ...["text", "lines", "ndjson", "csv", "tsv", "records", "wholeFiles"],
      ...[
        "utf8",
        "bytes",
        "uint",
        "int",
        "float64",
        "bool",
        "bigint",
        "nullable",
        "date",
        "day",
        "bucket",
        "auto",
        "desc",
        "tuple",
        "json",
      ],
    ].sort(),
  );
});

it("gives a job's bundle the same objects", () => {
  expect({ ...api, run: millrace.run }).toEqual({ ...millrace });
});

it("knows its own version", () => {
  expect(version).toBe(JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version);
});
