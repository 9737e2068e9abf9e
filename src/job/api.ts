// The run-time exports of "millrace": for users' programs (through `src/index.ts`) and, in a slot, for the job's bundle
// (through `load.ts`). There is one list, so that both have the same names, and a slot's jobs get the same objects as
// the engine.
export { MillraceError } from "../base/error.ts";
export { records } from "../format/binary/records.ts";
export { wholeFiles } from "../format/binary/whole-files.ts";
export { ndjson } from "../format/json/ndjson.ts";
export { lines } from "../format/lines/lines.ts";
export { text } from "../format/lines/text.ts";
export { csv } from "../format/table/csv.ts";
export { tsv } from "../format/table/tsv.ts";
export { collect } from "./aggregate/collect.ts";
export { countDistinct } from "./aggregate/distinct.ts";
export { fold } from "./aggregate/fold.ts";
export { ifPresent } from "./aggregate/if-present.ts";
export { count, countIf, mean, variance } from "./aggregate/numbers.ts";
export { defineAggregate } from "./aggregate/own.ts";
export { first, last } from "./aggregate/picks.ts";
export { stats } from "./aggregate/stats.ts";
export { topN } from "./aggregate/top-n.ts";
export { auto } from "./codecs/auto.ts";
export { bigint } from "./codecs/bigint.ts";
export { bool } from "./codecs/bool.ts";
export { bucket, day } from "./codecs/bucket.ts";
export { bytes } from "./codecs/bytes.ts";
export { date } from "./codecs/date.ts";
export { desc } from "./codecs/desc.ts";
export { fields } from "./codecs/fields.ts";
export { json } from "./codecs/json.ts";
export { nullable } from "./codecs/nullable.ts";
export { float64, int, uint } from "./codecs/numbers.ts";
export { tuple } from "./codecs/tuple.ts";
export { utf8 } from "./codecs/utf8.ts";
export { max, min, sum } from "./combine.ts";
export { defineJob } from "./define-job.ts";
export { defineJoin } from "./join/define-join.ts";
export { eachKey, grep, recordAsKey, words } from "./mappers.ts";
export { byHash, byRange, prefix } from "./partition.ts";
