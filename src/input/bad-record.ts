import { BadRecord } from "../format/format.ts";

/** A `BadRecord` that also says which file it is in. Reading may continue at `{ file, offset: end }`. */
export class BadRecordIn extends BadRecord {
  /** The file's index in the plan. */
  readonly file: number;
  readonly source: string;

  constructor(bad: BadRecord, file: number, source: string) {
    super(bad.message, bad.start, bad.end, bad.bytes, bad.lines, bad.by);
    this.file = file;
    this.source = source;
  }
}
