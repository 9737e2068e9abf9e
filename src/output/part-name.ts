import { deadLettersOutput, type Phase } from "../base/ids.ts";

export interface PartNameOptions {
  /** The output's name: "main", another name, or `deadLettersOutput`. */
  readonly output: string;
  /** Whether the job names its outputs: then each has a folder. */
  readonly named: boolean;
  /** With "reduce" the file belongs to a partition, with "map" to a split. */
  readonly phase: Phase;
  readonly index: number;
  /** The format's extension, without the dot. */
  readonly extension: string;
  readonly compress: "gzip" | "zstd" | undefined;
}

/**
 * The path of a part file below the output directory: "part-00000.tsv", "rejects/part-m-00012.txt.gz". In a job with
 * one output, part files are written either by map or by reduce, so they need no folder.
 */
export function partName({ output, named, phase, index, extension, compress }: PartNameOptions): string {
  const folder = named || output === deadLettersOutput ? `${output}/` : "";
  const suffix = compress === undefined ? "" : compress === "gzip" ? ".gz" : ".zst";
  return `${folder}part-${phase === "map" ? "m-" : ""}${orderedNumber(index)}.${extension}${suffix}`;
}

/**
 * Five digits; from 100,000 on a letter and more digits ("a100000", "b1000000"), as letters sort after digits. So names
 * are in the order of their numbers, and no attempt has to know how many there will be.
 */
export function orderedNumber(index: number): string {
  const digits = String(index);
  return digits.length <= 5
    ? digits.padStart(5, "0")
    : String.fromCharCode("a".charCodeAt(0) + digits.length - 6) + digits;
}
