// `millrace replay`: runs the one record that a message names through setup and map in this process, where a debugger
// can look.
import type { ChildProcess } from "node:child_process";
import { resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { systemClock } from "../../base/system/clock.ts";
import { buildSpec } from "../../engine/spec.ts";
import { decompressWithin, detectCompression, programOf } from "../../format/compression/compress.ts";
import { type FoundRecord, findRecord } from "../../input/find-record.ts";
import type { PlannedFile } from "../../input/plan.ts";
import { resolveInputs } from "../../input/resolve.ts";
import { paramsFromText } from "../../job/params/give.ts";
import type { JobSpec } from "../../job/spec.ts";
import { createStorage } from "../../storage/any.ts";
import { badInputFailure, isA, TaskFailure, userFailure } from "../../task/failure.ts";
import { replayRecord } from "../../task/replay/record.ts";
import type { NameOrPath } from "../arguments.ts";
import { type JobHere, loadHere } from "../here.ts";
import { environmentOf } from "../replay/environment.ts";
import { type Inspected, inspectedMap, openInspector } from "../replay/inspect.ts";
import { parsePosition } from "../replay/position.ts";
import { readable } from "../replay/readable.ts";
import { emissionLines, showFailure } from "../replay/show.ts";
import { pc } from "../screen/colour.ts";
import { optionWords, quoted } from "../screen/hints.ts";
import { linePrinter } from "../screen/line-printer.ts";
import { withUserCode } from "../user-code.ts";

export interface ReplayFlags {
  /** The key whose group is reduced; undefined: one record is mapped. */
  readonly key?: string;
  readonly param: ReadonlyMap<string, string>;
  /**
   * For a record the named input that the file belongs to, needed only where the job has several; for a key the files
   * of named inputs.
   */
  readonly input?: readonly NameOrPath[];
  readonly file: ReadonlyMap<string, string>;
  readonly env: ReadonlyMap<string, string>;
  readonly decompress?: string;
  /** For a key: how many bad records may be left out. */
  readonly skipBad: number;
  /** For a key: reduce gets every value. */
  readonly withoutCombine: boolean;
  readonly inspect: boolean;
}

export async function replayCommand(
  job: string,
  given: readonly string[],
  flags: ReplayFlags,
  firstSlot: ChildProcess | undefined,
): Promise<void> {
  if (flags.key !== undefined) {
    const { replayKey } = await import("../replay/key-command.ts");
    return replayKey(job, flags.key, given, flags, firstSlot);
  }
  const position = parsePosition(onlyPosition(given, flags));
  const print = linePrinter();
  const here = await loadHere({ job, environment: flags.env, firstSlot });
  here.close(); // the job is in memory now, so nothing is left behind, however this process ends
  const input = inputIndex(here, flags.input);
  const { file, spec } = await prepare(here, resolve(job), input, position.path, flags);
  const format = here.job.inputs[input]!.format;
  const signal = new AbortController().signal;
  const storage = createStorage();
  const decompress = decompressWithin(undefined, programOf(spec));
  try {
    await withUserCode(async (late) => {
      const found = await findRecord({ storage, file, format, decompress, signal }, position.offset);
      if (found.kind === "refused") throw refusedFailure(found, position);
      if (found.kind !== "record") throw misplaced(job, position, file, found, flags);
      print(pc.bold(`${position.path}:${position.offset}${named(here, input)}`));
      print(indented(readable(found.record)));
      print("");
      const inspected: Inspected | undefined = flags.inspect ? openInspector(print, "map") : undefined;
      const inputs = here.job.inputs.map((each) => ({ ...each, map: inspectedMap(each.map) }));
      const definition = inspected === undefined ? here.job : { ...here.job, inputs };
      try {
        const replayed = await replayRecord({
          env: { ...environmentOf(definition, spec), late },
          spec,
          input: here.job.inputs[input]!.name,
          path: file.path,
          source: file.source,
          offset: position.offset,
        });
        for (const line of emissionLines(replayed)) print(line);
        if (here.job.aggregate !== undefined && replayed.pairCount > 0)
          print(pc.dim("each value is shown as what the aggregate gives of it alone"));
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

/** The one argument of a replay of one record. */
function onlyPosition(given: readonly string[], { skipBad, withoutCombine }: ReplayFlags): string {
  const ofKeys = skipBad > 0 ? "--skip-bad" : withoutCombine ? "--without-combine" : undefined;
  if (ofKeys !== undefined) {
    throw new MillraceError("wrong-usage", `${ofKeys} goes with --key, which runs the reduce of one key`);
  }
  const [position, second] = given;
  if (position === undefined || second !== undefined) {
    throw new MillraceError(
      "wrong-usage",
      `${position === undefined ? "there is nothing to replay" : "one record is replayed at a time"}: give FILE:OFFSET for a record, or --key KEY and the run's inputs for the reduce of a key`,
    );
  }
  return position;
}

function inputIndex(here: JobHere, given: readonly NameOrPath[] = []): number {
  const { name, inputs } = here.description;
  const names = inputs.map((input) => input.name);
  if (given.length > 1) throw new MillraceError("wrong-usage", "a record is in one file, which belongs to one --input");
  const [first] = given;
  if (first?.path !== undefined) {
    throw new MillraceError(
      "wrong-usage",
      `--input takes NAME=PATH with --key; for one record it is --input ${first.name}, and the file stands in FILE:OFFSET`,
    );
  }
  const wanted = first?.name;
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
      ...(flags.decompress !== undefined && { decompress: flags.decompress }),
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
    detectCompression: spec.decompress === undefined ? detectCompression : () => "program",
    formatOf: () => here.job.inputs[input]!.format,
  });
  if (files.length === 1) return { file: files[0]!, spec };
  throw new MillraceError("wrong-usage", `${path} names ${files.length} files: give the one that the record is in`);
}

type Misplaced = Exclude<FoundRecord, { readonly kind: "record" | "refused" }>;

/** The error for an offset at which no record begins: it says where the record begins that the offset is in. */
function misplaced(
  job: string,
  { path, offset }: { readonly path: string; readonly offset: number },
  file: PlannedFile,
  found: Misplaced,
  flags: ReplayFlags,
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
    before === undefined ? undefined : `the one before it begins at ${before}`,
    next === undefined ? undefined : `the ${before === undefined ? "first" : "next"} one at ${next}`,
  ].filter((part) => part !== undefined);
  const words = ["millrace", "replay", quoted(job), quoted(`${path}:${before ?? next}`)];
  if (flags.decompress !== undefined) words.push(...optionWords("decompress", { decompress: flags.decompress }));
  return new MillraceError("wrong-usage", `${what}: ${parts.join(", ")}. Try ${words.join(" ")}`);
}

function refusedFailure(
  { bad }: Extract<FoundRecord, { readonly kind: "refused" }>,
  position: { readonly path: string; readonly offset: number },
): TaskFailure {
  const place = { where: placeOf(position), excerpt: readable(bad.bytes, { oneLine: true }) };
  return bad.by === undefined ? badInputFailure(bad, place) : userFailure(bad.by.thrown, place);
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
