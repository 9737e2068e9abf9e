// `_SUCCESS`: the last file to appear in an output directory. A reader that finds a whole one finds all the files that
// it lists. It is JSON for people and scripts. Its last field is a SHA-256 of every byte before that field, so that a
// flipped bit, a cut or an edit anywhere is noticed (docs/output.md).
import { createHash } from "node:crypto";
import { MillraceError } from "../base/error.ts";
import type { Counters, JobId } from "../base/ids.ts";
import { showPath } from "./local/fs.ts";
import { checkedName } from "./local/hidden.ts";

export const manifestName = "_SUCCESS";
const version = 1;

export interface Manifest {
  readonly job: {
    readonly name: string;
    readonly id: JobId;
    /** The SHA-256 of the bundle, and of the parameters as they were given (their values may be secrets). */
    readonly bundle: string;
    readonly params: string;
    readonly startedAt: string;
  };
  readonly partitions: number;
  /** The main output in partition order, then the others by name. */
  readonly files: readonly ManifestFile[];
  readonly counters: Counters;
  readonly stats: ManifestStats;
  readonly versions: { readonly millrace: string; readonly node: string };
}

export interface ManifestFile {
  /** The path below the output directory. */
  readonly name: string;
  /** "main", another output's name, or "_dead-letters". */
  readonly output: string;
  readonly bytes: number;
  readonly records: number;
  readonly sha256: string;
}

export interface ManifestStats {
  readonly inputBytes: number;
  readonly map: Readonly<Record<string, number>>;
  readonly reduce: Readonly<Record<string, number>>;
}

export function encodeManifest(manifest: Manifest): Uint8Array {
  const { job, files, versions } = manifest;
  const lines = [
    "{",
    `  "millrace": ${version},`,
    `  "job": ${object([
      ["name", job.name],
      ["id", job.id],
      ["bundle", job.bundle],
      ["params", job.params],
      ["startedAt", job.startedAt],
    ])},`,
    `  "partitions": ${manifest.partitions},`,
    `  "files": [${files.map((file) => `\n    ${fileLine(file)}`).join(",")}\n  ],`,
    `  "counters": ${object(sorted(manifest.counters))},`,
    `  "stats": {`,
    `    "inputBytes": ${manifest.stats.inputBytes},`,
    `    "map": ${object(Object.entries(manifest.stats.map))},`,
    `    "reduce": ${object(Object.entries(manifest.stats.reduce))}`,
    "  },",
    `  "versions": ${object([
      ["millrace", versions.millrace],
      ["node", versions.node],
    ])},`,
    "",
  ];
  const body = Buffer.from(lines.join("\n"));
  return Buffer.concat([body, tailOf(body)]);
}

/**
 * Stands in the manifest's place while an output is being replaced in several steps (on an object store): meanwhile the
 * files must count neither as the old output nor as the new one.
 */
export interface Replacing {
  /** The job that replaces it. */
  readonly job: JobId;
  /** Names of all files of the old output and the new one. */
  readonly files: readonly string[];
  /** Names of the job's decisions that must no longer be published (local/hidden.ts). */
  readonly withdrawn: readonly string[];
  /** Nothing is being replaced: there was no manifest before. */
  readonly isNew: boolean;
}

export function encodeReplacing({ job, files, withdrawn, isNew }: Replacing): Uint8Array {
  const lines = [
    "{",
    `  "millrace": ${version},`,
    `  "replacing": ${JSON.stringify(job)},`,
    `  "files": ${JSON.stringify(files)},`,
    ...(withdrawn.length === 0 ? [] : [`  "withdrawn": ${JSON.stringify(withdrawn)},`]),
    ...(isNew ? ['  "new": true,'] : []),
    "",
  ];
  const body = Buffer.from(lines.join("\n"));
  return Buffer.concat([body, tailOf(body)]);
}

/** Returns undefined for any other file. */
export function parseReplacing(bytes: Uint8Array): Replacing | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!text.includes('"replacing": ')) return undefined;
  const start = text.lastIndexOf('  "checksum": "');
  if (start < 0 || !text.subarray(start).equals(tailOf(text.subarray(0, start)))) return undefined;
  const { replacing, files, withdrawn = [], new: isNew } = parseJson(text) ?? {};
  if (typeof replacing !== "string" || !Array.isArray(files) || !Array.isArray(withdrawn)) return undefined;
  return {
    job: replacing,
    files: files.filter((name) => typeof name === "string").map(checkedName),
    withdrawn: withdrawn.filter((name) => typeof name === "string"),
    isNew: isNew === true,
  };
}

/** Whether Millrace wrote it, also one that is damaged, stands for an output that is being replaced, or is newer. */
export function isOurManifest(bytes: Uint8Array, path: string): boolean {
  try {
    return parseManifest(bytes, path) !== undefined;
  } catch (thrown) {
    if (thrown instanceof MillraceError) return true;
    throw thrown;
  }
}

/** The error for an output that lies in a published one. */
export function insideOutput(path: string, around: string): MillraceError {
  return new MillraceError(
    "output-exists",
    `The output ${showPath(path)} would lie inside ${showPath(around)}, which is a published output (it has a ${manifestName}) and would no longer be what its job wrote. Choose a folder that is not inside it with -o.`,
  );
}

/**
 * Parses a manifest. Returns undefined where the file is another system's (Hadoop's is empty, others write their own
 * JSON). Throws `corrupt-output` when it is ours and damaged, `not-supported` when a newer release wrote it. `path` is
 * for messages.
 */
export function parseManifest(bytes: Uint8Array, path: string): Manifest | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  // Ours says it twice, so no single damage makes it look like another system's.
  if (!text.includes("millrace")) return undefined;
  const start = text.lastIndexOf('  "checksum": "');
  const body = text.subarray(0, start < 0 ? 0 : start);
  if (start < 0 || !text.subarray(start).equals(tailOf(body))) {
    throw corrupt(path, "its checksum does not match: it was damaged, cut or edited");
  }
  const root = parseJson(text);
  if (root === undefined) throw corrupt(path, "it is not a JSON object");
  if (root["millrace"] !== version) {
    throw new MillraceError(
      "not-supported",
      `${path} was written by a newer release of Millrace (manifest version ${String(root["millrace"])}): read it with that one.`,
    );
  }
  if (root["replacing"] !== undefined) {
    throw new MillraceError(
      "corrupt-output",
      `${path} says that job ${String(root["replacing"])} is replacing this output, or was cut off doing so: wait until that has ended, or resume it.`,
    );
  }
  const job = record(root["job"], path);
  const stats = record(root["stats"], path);
  const versions = record(root["versions"], path);
  const files = root["files"];
  if (!Array.isArray(files)) throw corrupt(path, `"files" is no list`);
  return {
    job: {
      name: string(job["name"], path),
      id: string(job["id"], path),
      bundle: string(job["bundle"], path),
      params: string(job["params"], path),
      startedAt: string(job["startedAt"], path),
    },
    partitions: count(root["partitions"], path),
    files: distinct(
      files.map((file: unknown) => fileOf(record(file, path), path)),
      path,
    ),
    counters: numbers(root["counters"], path),
    stats: {
      inputBytes: count(stats["inputBytes"], path),
      map: numbers(stats["map"], path),
      reduce: numbers(stats["reduce"], path),
    },
    versions: { millrace: string(versions["millrace"], path), node: string(versions["node"], path) },
  };
}

function tailOf(body: Uint8Array): Buffer {
  return Buffer.from(`  "checksum": "sha256:${createHash("sha256").update(body).digest("hex")}"\n}\n`);
}

/** One of up to a million lines, written as `object` would write it. */
function fileLine({ name, output, bytes, records, sha256 }: ManifestFile): string {
  return `{"name": ${quoted(name)}, "output": ${quoted(output)}, "bytes": ${bytes}, "records": ${records}, "sha256": ${quoted(sha256)}}`;
}

/** Writes a text as JSON. Nearly all texts are plain, for which this is several times as fast. */
function quoted(text: string): string {
  return /^[\w./=-]*$/.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** Written by hand, as a JavaScript object would reorder names that look like numbers and lose `__proto__`. */
function object(entries: readonly (readonly [string, string | number])[]): string {
  return `{${entries.map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`).join(", ")}}`;
}

function sorted(counters: Counters): [string, number][] {
  return Object.entries(counters).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

function fileOf(file: Record<string, unknown>, path: string): ManifestFile {
  return {
    name: checkedName(string(file["name"], path)),
    output: string(file["output"], path),
    bytes: count(file["bytes"], path),
    records: count(file["records"], path),
    sha256: string(file["sha256"], path),
  };
}

/** A manifest is input: anyone can give anything a right checksum. */
function parseJson(text: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text.toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function distinct(files: readonly ManifestFile[], path: string): readonly ManifestFile[] {
  const names = new Set<string>([manifestName]);
  for (const { name } of files) {
    if (names.has(name)) throw corrupt(path, `it lists ${JSON.stringify(name)} twice`);
    names.add(name);
  }
  return files;
}

function record(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw corrupt(path, "an object is missing in it");
  return value as Record<string, unknown>;
}

function string(value: unknown, path: string): string {
  if (typeof value !== "string") throw corrupt(path, "a text is missing in it");
  return value;
}

function count(value: unknown, path: string): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
    throw corrupt(path, "a count is missing in it");
  return value;
}

function numbers(value: unknown, path: string): Counters {
  const table: Record<string, number> = Object.create(null);
  for (const [name, number] of Object.entries(record(value, path))) {
    if (typeof number !== "number") throw corrupt(path, `${JSON.stringify(name)} is not a number`);
    table[name] = number;
  }
  return table;
}

function corrupt(path: string, why: string): MillraceError {
  return new MillraceError(
    "corrupt-output",
    `${path} can't be trusted: ${why}. Make the output again, or restore it from a copy.`,
  );
}
