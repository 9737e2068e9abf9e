// Makes a job's spec of what a caller asks for: complete, with absolute paths, and checked as far as that needs no user
// code.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { dirname, resolve } from "node:path";
import { MillraceError, systemCode } from "../base/error.ts";
import { limits } from "../base/limits.ts";
import { isUrl, refuseNoPath } from "../base/paths.ts";
import { parseWords } from "../base/words.ts";
import { filesOf, type Spooled } from "../input/resolve.ts";
import type { JobDescription } from "../job/load/describe.ts";
import { validateTable } from "../job/params/validate.ts";
import type { JobSpec } from "../job/spec.ts";
import type { Storage } from "../storage/storage.ts";

export interface SubmitOptions {
  /** The folder that relative paths are relative to. Default: this process's working directory. */
  readonly directory?: string;
  /** Paths by the names of the inputs; a single entry named "" where the job has one input. */
  readonly inputs: readonly { readonly name: string; readonly paths: readonly string[] }[];
  /** The file that `-` stands for. Left out: no argument is `-`. */
  readonly standardInput?: string;
  /** The files that FIFOs stand for. Left out: no argument is one. */
  readonly spooled?: JobSpec["spooled"];
  /** The command line of a program that every input file goes through. Default: none. */
  readonly decompress?: string;
  /** Paths of side files by name, in place of those that the job declares. Default: the job's own. */
  readonly files?: Readonly<Record<string, string>>;
  /** JSON of the parameters as they were given; default "{}". */
  readonly params?: string;
  /** The value that the job's schema made of them before. Default: the job is asked. */
  readonly paramsValue?: Uint8Array | undefined;
  /** "records": for `run()`, which reads the records back. Default "formats". */
  readonly writes?: JobSpec["writes"];
  readonly reducers?: number;
  readonly splitBytes?: number;
  /** Tries at a task. Default `limits.attemptsMax`. */
  readonly attempts?: number;
  /** How many slots the job may use at once. Default: all. */
  readonly maxSlots?: number | undefined;
  /** How many bad records are put aside before the job fails. Default 0. */
  readonly skipBad?: number;
  readonly taskTimeoutMs?: number;
  readonly taskLimitMs?: number;
  /** 0: no checkpoints. Default `limits.checkpointMs`. */
  readonly checkpointMs?: number;
}

export interface SpecParts {
  /** Path of the job's module. Its side files are relative to it. */
  readonly module: string;
  readonly description: JobDescription;
  /** SHA-256 of the bundle. */
  readonly bundle: string;
  readonly destination: string;
  readonly replaces: string | undefined;
  readonly deadLetters?: JobSpec["deadLetters"];
  readonly environment: Readonly<Record<string, string>>;
  readonly startedAt: string;
  readonly storage: Storage;
  /** Asks the job's schema for the value of parameters. Called only when the job has a schema. */
  readonly validate: (params: string) => Promise<Uint8Array | undefined>;
  /**
   * Called with the reason why an input can't be read here, where the workers may still see it. Left out: it is an
   * error.
   */
  readonly onUnseen?: (why: string) => void;
}

/** Throws `wrong-usage`, `wrong-params`, `no-input` and `bad-input`. */
export async function buildSpec(options: SubmitOptions, parts: SpecParts): Promise<JobSpec> {
  return (await sizedSpec(options, parts)).spec;
}

/** The same, with the number of bytes to read. */
export async function sizedSpec(
  options: SubmitOptions,
  parts: SpecParts,
): Promise<{ readonly spec: JobSpec; readonly inputBytes: number }> {
  const { description } = parts;
  if (description.reducers === 0 && options.reducers !== undefined && options.reducers !== 0) {
    throw new MillraceError(
      "wrong-usage",
      `the job ${description.name} is map-only (reducers: 0): leave out --reducers`,
    );
  }
  if (description.reducers !== 0 && options.reducers === 0) {
    throw new MillraceError(
      "wrong-usage",
      `--reducers 0 makes no job map-only: write reducers: 0 in the job ${description.name}`,
    );
  }
  const { params = "{}" } = options;
  const paramsValue = options.paramsValue ?? (await paramsValueOf(params, parts));
  const directory = options.directory ?? process.cwd();
  const { inputs, bytes } = await checkedInputs(options.inputs, parts, directory, options);
  const spec: JobSpec = {
    name: description.name,
    bundle: parts.bundle,
    inputs,
    directory,
    standardInput: options.standardInput,
    ...(options.spooled !== undefined && { spooled: options.spooled }),
    ...(options.decompress !== undefined && { decompress: parseWords(options.decompress, "--decompress") }),
    files: await sideFiles(options.files ?? {}, parts, directory),
    output: parts.destination,
    writes: options.writes ?? "formats",
    partitions: options.reducers ?? description.reducers,
    splitBytes: options.splitBytes,
    attemptsMax: options.attempts ?? limits.attemptsMax,
    maxSlots: options.maxSlots,
    skipBad: options.skipBad ?? 0,
    ...(parts.deadLetters !== undefined && { deadLetters: parts.deadLetters }),
    params,
    ...(paramsValue !== undefined && { paramsValue }),
    taskTimeoutMs: options.taskTimeoutMs ?? limits.taskTimeoutMs,
    taskLimitMs: options.taskLimitMs,
    checkpointMs: options.checkpointMs ?? limits.checkpointMs,
    nondeterministic: description.nondeterministic,
    replaces: parts.replaces,
    environment: parts.environment,
    startedAt: parts.startedAt,
  };
  return { spec, inputBytes: bytes };
}

/** The validated parameters. Called once for the whole job. */
async function paramsValueOf(params: string, { description, validate }: SpecParts): Promise<Uint8Array | undefined> {
  return description.params.kind === "table" ? validateTable(description.params, params) : await validate(params);
}

/** The inputs in the order in which the job declares them, with their size. */
async function checkedInputs(
  given: SubmitOptions["inputs"],
  parts: SpecParts,
  directory: string,
  spooled: Spooled,
): Promise<{ readonly inputs: JobSpec["inputs"]; readonly bytes: number }> {
  const { description } = parts;
  const names = description.inputs.map(({ name }) => name);
  for (const { name } of given) {
    if (names.includes(name)) continue;
    const wanted =
      names[0] === ""
        ? "it has one input: give files without a name"
        : `its inputs are ${names.join(", ")}: use --input NAME=PATH`;
    throw new MillraceError(
      "wrong-usage",
      name === ""
        ? `the job ${description.name} has several inputs; ${wanted}`
        : `the job ${description.name} has no input named ${JSON.stringify(name)}; ${wanted}`,
    );
  }
  const inputs = names.map((name) => ({
    name,
    paths: given.filter((input) => input.name === name).flatMap(({ paths }) => paths),
  }));
  let bytes = 0;
  for (const { name, paths } of inputs) {
    if (paths.length === 0) {
      throw new MillraceError(
        "wrong-usage",
        name === ""
          ? "there is nothing to read: give files, folders or globs"
          : `the input ${name} has no files: give --input ${name}=PATH`,
      );
    }
    for (const path of paths) refuseNoPath(name === "" ? "an input" : `a path of the input ${name}`, path);
    bytes += await bytesOf(paths, parts, directory, spooled);
  }
  return { inputs, bytes };
}

async function bytesOf(
  paths: readonly string[],
  parts: SpecParts,
  directory: string,
  spooled: Spooled,
): Promise<number> {
  let bytes = 0;
  try {
    for (const file of await filesOf(parts.storage, paths, directory, spooled)) bytes += file.bytes;
  } catch (error) {
    if (parts.onUnseen === undefined || !(error instanceof MillraceError)) throw error;
    parts.onUnseen(error.message);
  }
  return bytes;
}

async function sideFiles(
  replaced: Readonly<Record<string, string>>,
  parts: SpecParts,
  directory: string,
): Promise<JobSpec["files"]> {
  const { description } = parts;
  for (const name of Object.keys(replaced)) {
    if (description.files.some((file) => file.name === name)) continue;
    throw new MillraceError(
      "wrong-usage",
      `the job ${description.name} has no side file named ${JSON.stringify(name)}`,
    );
  }
  return await Promise.all(
    description.files.map(async ({ name, path }) => {
      const given = Object.hasOwn(replaced, name) ? replaced[name]! : undefined;
      if (given !== undefined) refuseNoPath(`the side file ${name}`, given);
      if (isUrl(given ?? path)) {
        throw new MillraceError(
          "not-supported",
          `the side file ${name} is ${given ?? path}: side files are files of this machine. Download it, and give it with --file ${name}=PATH`,
        );
      }
      const full = given === undefined ? resolve(dirname(parts.module), path) : resolve(directory, given);
      return { name, path: full, sha256: await digestOf(name, full) };
    }),
  );
}

async function digestOf(name: string, path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    const why = systemCode(error) === "ENOENT" ? "there is no such file" : (error as Error).message;
    throw new MillraceError(
      "bad-input",
      `the side file ${name} can't be read: ${path}: ${why}. Give another with --file ${name}=PATH`,
      {
        cause: error,
      },
    );
  }
  return hash.digest("hex");
}
