// `millrace replay`: runs the one record that a message names through setup and map in this process, where a debugger
// can look.
import type { ChildProcess } from "node:child_process";
import { resolve } from "node:path";
import { held } from "../../base/assert.ts";
import { MillraceError } from "../../base/error.ts";
import { exitCodeOfCode } from "../../base/error-codes.ts";
import { systemClock } from "../../base/system/clock.ts";
import { buildSpec } from "../../engine/spec.ts";
import { decompress, detectCompression } from "../../format/compression/compress.ts";
import { type FoundRecord, findRecord } from "../../input/find-record.ts";
import type { PlannedFile } from "../../input/plan.ts";
import { resolveInputs } from "../../input/resolve.ts";
import { paramsFromText } from "../../job/params/give.ts";
import type { JobSpec } from "../../job/spec.ts";
import { createStorage } from "../../storage/any.ts";
import { badInputFailure, isA, TaskFailure, userFailure } from "../../task/failure.ts";
import { type ReplayOptions, replayRecord } from "../../task/replay.ts";
import { type JobHere, loadHere } from "../here.ts";
import { type Inspected, inspectedMap, openInspector } from "../replay/inspect.ts";
import { parsePosition } from "../replay/position.ts";
import { readable } from "../replay/readable.ts";
import { emissionLines } from "../replay/show.ts";
import { pc } from "../screen/colour.ts";
import { failureLines, printable } from "../screen/error-text.ts";
import { quoted } from "../screen/hints.ts";
import { linePrinter } from "../screen/line-printer.ts";
import { withUserCode } from "../user-code.ts";

export interface ReplayFlags {
  readonly param: ReadonlyMap<string, string>;
  /** The named input that the file belongs to; needed only where the job has several. */
  readonly input?: string;
  readonly file: ReadonlyMap<string, string>;
  readonly env: ReadonlyMap<string, string>;
  readonly inspect: boolean;
}

export async function replayCommand(
  job: string,
  positionText: string,
  flags: ReplayFlags,
  firstSlot: ChildProcess | undefined,
): Promise<void> {
  const position = parsePosition(positionText);
  const print = linePrinter();
  const here = await loadHere({ job, environment: flags.env, firstSlot });
  here.close(); // the job is in memory now, so nothing is left behind, however this process ends
  const input = inputIndex(here, flags.input);
  const { file, spec } = await prepare(here, resolve(job), input, position.path, flags);
  const format = here.job.inputs[input]!.format;
  const signal = new AbortController().signal;
  const storage = createStorage();
  try {
    await withUserCode(async (late) => {
      const found = await findRecord({ storage, file, format, decompress, signal }, position.offset);
      if (found.kind === "refused") throw refusedFailure(found, position);
      if (found.kind !== "record") throw misplaced(job, position, file, found);
      print(pc.bold(`${position.path}:${position.offset}${named(here, input)}`));
      print(indented(readable(found.record)));
      print("");
      const inspected: Inspected | undefined = flags.inspect ? openInspector(print) : undefined;
      try {
        const replayed = await replayRecord({
          env: { ...environmentOf(here, spec, inspected !== undefined), late },
          spec,
          input: here.job.inputs[input]!.name,
          path: file.path,
          source: file.source,
          offset: position.offset,
        });
        for (const line of emissionLines(replayed)) print(line);
        if (replayed.failed !== undefined) throw userFailure(replayed.failed.thrown, { where: placeOf(position) });
      } finally {
        inspected?.close();
      }
    });
  } catch (thrown) {
    if (isA(thrown, MillraceError)) throw thrown;
    showFailure(isA(thrown, TaskFailure) ? thrown : userFailure(thrown));
  }
}

function inputIndex(here: JobHere, wanted: string | undefined): number {
  const { name, inputs } = here.description;
  const names = inputs.map((input) => input.name);
  if (names[0] === "") {
    if (wanted === undefined) return 0;
    throw new MillraceError("wrong-usage", `the job ${name} has one input: leave out --input`);
  }
  const index = wanted === undefined ? -1 : names.indexOf(wanted);
  if (index >= 0) return index;
  const why = wanted === undefined ? "has several inputs" : `has no input named ${JSON.stringify(wanted)}`;
  throw new MillraceError(
    "wrong-usage",
    `the job ${name} ${why}: say which one the file belongs to, ${names.map((each) => `--input ${each}`).join(" or ")}`,
  );
}

/** The file as a plan would describe it, and a spec as a run would have it with this file as its only input. */
async function prepare(
  here: JobHere,
  module: string,
  input: number,
  path: string,
  flags: ReplayFlags,
): Promise<{ readonly file: PlannedFile; readonly spec: JobSpec }> {
  const { description } = here;
  const storage = createStorage();
  const { name } = description.inputs[input]!;
  const spec = await buildSpec(
    {
      inputs: [{ name, paths: [path] }],
      params: paramsFromText(description.params, flags.param),
      files: Object.fromEntries(flags.file),
    },
    {
      module,
      // The other inputs are left out, as they are not read.
      description: { ...description, inputs: [{ name }] },
      bundle: here.digest,
      destination: "",
      replaces: undefined,
      environment: Object.fromEntries(flags.env),
      startedAt: systemClock.date().toISOString(),
      storage,
      validate: here.validate,
    },
  );
  const files = await resolveInputs({
    storage,
    inputs: spec.inputs,
    directory: spec.directory,
    detectCompression,
    formatOf: () => here.job.inputs[input]!.format,
  });
  if (files.length === 1) return { file: files[0]!, spec };
  throw new MillraceError("wrong-usage", `${path} names ${files.length} files: give the one that the record is in`);
}

/** The environment that a slot would give the task, without its files. */
function environmentOf({ job }: JobHere, spec: JobSpec, isInspected: boolean): ReplayOptions["env"] {
  const paths = new Map(spec.files.map(({ name, path }) => [name, path]));
  const inputs = job.inputs.map((input) => ({ ...input, map: inspectedMap(input.map) }));
  return {
    job: isInspected ? { ...job, inputs } : job,
    storage: createStorage(),
    status: { write() {} },
    signal: new AbortController().signal,
    file: (name) => held(paths, name, "path"),
    log: (message, fields) => {
      const more = fields === undefined ? "" : ` ${readable(fields, { oneLine: true })}`;
      process.stderr.write(`log  ${printable(message)}${more}\n`);
    },
  };
}

type Misplaced = Exclude<FoundRecord, { readonly kind: "record" | "refused" }>;

/** The error for an offset at which no record begins: it says where the record begins that the offset is in. */
function misplaced(
  job: string,
  { path, offset }: { readonly path: string; readonly offset: number },
  file: PlannedFile,
  found: Misplaced,
): MillraceError {
  const content = file.compression === "none" ? "" : " decompressed";
  if (found.kind === "past-end") {
    return new MillraceError(
      "wrong-usage",
      `there is no byte ${offset} in ${path}: it has ${found.bytes}${content}, counted from 0`,
    );
  }
  const { before, next } = found;
  const what = `no record begins at byte ${offset} of ${path}`;
  if (before === undefined && next === undefined) return new MillraceError("wrong-usage", `${what}, nor anywhere else`);
  const parts = [
    before === undefined ? undefined : `the one that it is in, or behind, begins at ${before}`,
    next === undefined ? undefined : `the ${before === undefined ? "first" : "next"} one at ${next}`,
  ].filter((part) => part !== undefined);
  return new MillraceError(
    "wrong-usage",
    `${what}: ${parts.join(", ")}. Try millrace replay ${quoted(job)} ${quoted(`${path}:${before ?? next}`)}`,
  );
}

function refusedFailure(
  { bad }: Extract<FoundRecord, { readonly kind: "refused" }>,
  position: { readonly path: string; readonly offset: number },
): TaskFailure {
  const place = { where: placeOf(position), excerpt: readable(bad.bytes, { oneLine: true }) };
  return bad.by === undefined ? badInputFailure(bad, place) : userFailure(bad.by.thrown, place);
}

function showFailure({ reason }: TaskFailure): void {
  const [first, ...others] = failureLines(reason.error);
  process.stderr.write(`${pc.red("error")} ${first}\n${others.map((line) => `${line}\n`).join("")}`);
  process.exitCode = exitCodeOfCode(reason.error.code);
}

function named(here: JobHere, input: number): string {
  const { name } = here.description.inputs[input]!;
  return name === "" ? "" : ` (input ${name})`;
}

function placeOf({ path, offset }: { readonly path: string; readonly offset: number }): string {
  return `${path}:${offset}`;
}

function indented(text: string): string {
  return text.replace(/^/gm, "  ");
}
