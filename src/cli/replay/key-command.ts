// `millrace replay JOB --key K INPUT…`: maps all inputs in this process, and runs reduce for one key, where a debugger
// can look.
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { limits, MiB } from "../../base/limits.ts";
import { systemClock } from "../../base/system/clock.ts";
import { formatCounted } from "../../base/units.ts";
import { buildSpec } from "../../engine/spec.ts";
import { isReadOnce } from "../../input/spool.ts";
import type { JobDefinition } from "../../job/definition.ts";
import { paramsFromText } from "../../job/params/give.ts";
import type { JobSpec } from "../../job/spec.ts";
import { createKernel } from "../../kernel/create-kernel.ts";
import { createStorage } from "../../storage/any.ts";
import { isA, TaskFailure, userFailure } from "../../task/failure.ts";
import { type GroupOptions, type MappedGroup, mapGroup } from "../../task/replay/map-group.ts";
import { reduceGroup } from "../../task/replay/reduce-group.ts";
import type { NameOrPath } from "../arguments.ts";
import type { ReplayFlags } from "../commands/replay.ts";
import { namedInputs, spoolInputs } from "../commands/submit.ts";
import { type JobHere, loadHere } from "../here.ts";
import { pc } from "../screen/colour.ts";
import { quoted } from "../screen/hints.ts";
import { linePrinter } from "../screen/line-printer.ts";
import { silenceConsole, withUserCode } from "../user-code.ts";
import { environmentOf } from "./environment.ts";
import { inspectedReduce, openInspector } from "./inspect.ts";
import { keyWord } from "./key-word.ts";
import { nearKeys } from "./near-keys.ts";
import { readable } from "./readable.ts";
import { emissionLines, moreLine, showFailure } from "./show.ts";

/** What a slot has at least, and enough to collect one key. */
const arenaBytes = 4 * MiB;

type Found = Extract<MappedGroup, { readonly kind: "found" }>;
type Missing = Extract<MappedGroup, { readonly kind: "missing" }>;

export async function replayKey(
  job: string,
  key: string,
  inputs: readonly string[],
  flags: ReplayFlags,
  firstSlot: ChildProcess | undefined,
): Promise<void> {
  const named = byName(flags.input);
  const isSpooled = [...inputs, ...[...named.values()].flat()].some(isReadOnce);
  // Before the job is loaded, as the temporary folder is not for its code.
  const folder = isSpooled ? mkdtempSync(join(tmpdir(), "millrace-replay-")) : undefined;
  try {
    const here = await loadHere({ job, environment: flags.env, firstSlot });
    here.close(); // the job is in memory now, so nothing is left behind, however this process ends
    const spec = await specOf({ here, module: resolve(job), inputs, named, flags, folder });
    await replay(here, spec, key, flags);
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** The files of named inputs, given as NAME=PATH; the same name again is one more path. */
function byName(given: readonly NameOrPath[] = []): ReadonlyMap<string, readonly string[]> {
  const named = new Map<string, string[]>();
  for (const { name, path } of given) {
    if (path === undefined) {
      throw new MillraceError(
        "wrong-usage",
        `--input takes NAME=PATH where --key is given, not ${JSON.stringify(name)}: all inputs are read`,
      );
    }
    named.set(name, [...(named.get(name) ?? []), path]);
  }
  return named;
}

interface Given {
  readonly here: JobHere;
  readonly module: string;
  readonly inputs: readonly string[];
  readonly named: ReadonlyMap<string, readonly string[]>;
  readonly flags: ReplayFlags;
  /** Where standard input and FIFOs are stored; undefined: there are none. */
  readonly folder: string | undefined;
}

/** A spec as a run with these inputs would have it. */
async function specOf({ here, module, inputs, named, flags, folder = "" }: Given): Promise<JobSpec> {
  const { description } = here;
  const given = namedInputs(description, inputs, named);
  const spooled = await spoolInputs(given, async () => folder, new AbortController().signal);
  return buildSpec(
    {
      inputs: given,
      ...spooled,
      params: paramsFromText(description.params, flags.param),
      files: Object.fromEntries(flags.file),
      ...(flags.decompress !== undefined && { decompress: flags.decompress }),
      skipBad: flags.skipBad,
    },
    {
      module,
      description,
      bundle: here.digest,
      destination: "",
      replaces: undefined,
      environment: Object.fromEntries(flags.env),
      startedAt: systemClock.date().toISOString(),
      storage: createStorage(),
      validate: here.validate,
    },
  );
}

async function replay(here: JobHere, spec: JobSpec, key: string, flags: ReplayFlags): Promise<void> {
  const { job } = here;
  if (flags.inspect && job.reduce === undefined) {
    throw new MillraceError(
      "wrong-usage",
      `the job ${job.name} has no reduce to stop at: its values are written as they are, or combined`,
    );
  }
  const print = linePrinter();
  const { reduce } = job;
  const inspectedJob = flags.inspect && reduce !== undefined ? { ...job, reduce: inspectedReduce(reduce) } : job;
  try {
    await withUserCode(async (late) => {
      const options: GroupOptions = {
        env: { ...environmentOf(job, spec), late },
        spec,
        kernel: createKernel({ arenaBytes }),
        key,
        combining: flags.withoutCombine ? "never" : "auto",
      };
      // What map prints is about all records; the reduce's is about this key.
      const restore = silenceConsole();
      let mapped: MappedGroup;
      try {
        mapped = await mapGroup(options);
      } finally {
        restore();
      }
      if (mapped.kind === "missing") throw missingKey(key, mapped);
      for (const line of groupLines(job, mapped, flags)) print(line);
      print("");
      const inspected = flags.inspect ? openInspector(print, "reduce") : undefined;
      try {
        const reduced = await reduceGroup({ ...options, env: { ...options.env, job: inspectedJob } }, mapped.held);
        for (const line of emissionLines(reduced)) print(line);
        if (reduced.failed !== undefined) throw reduced.failed;
      } finally {
        inspected?.close();
      }
    });
  } catch (thrown) {
    if (isA(thrown, MillraceError)) throw thrown;
    showFailure(isA(thrown, TaskFailure) ? thrown : userFailure(thrown));
  }
}

function* groupLines(job: JobDefinition, group: Found, flags: ReplayFlags): Generator<string> {
  const { key, others, pairs, values, records, aside } = group;
  const without = aside === 0 ? "" : `, without ${formatCounted(aside, "bad record")}`;
  const from = `${formatCounted(pairs, "value")} from ${formatCounted(records, "record")}${without}`;
  yield `${pc.bold(`key ${readable(key, { oneLine: true })}`)}  ${from}`;
  for (const value of values) yield `  ${readable(value, { oneLine: true })}`;
  yield* moreLine(pairs - values.length);
  for (const other of others) yield pc.dim(`this may also be the key ${readable(other, { oneLine: true })}`);
  if (job.aggregate !== undefined) {
    yield pc.dim("each is shown as what it comes to alone; reduce gets what all of them come to");
  } else if (job.combine !== undefined && job.reduce !== undefined && !flags.withoutCombine) {
    yield pc.dim("reduce gets them combined, as in a run; --without-combine gives it each of them");
  }
}

function missingKey(key: string, { pairs, keys }: Missing): MillraceError {
  const shown = JSON.stringify(key);
  if (pairs === 0) {
    return new MillraceError("wrong-usage", `map emits no pair for these inputs, so there is no key ${shown}`);
  }
  const words = keys.map((each) => keyWord(excerptOf(each)));
  const near = nearKeys(key, words, limits.namedMax);
  const listed = near.length > 0 ? near : words.slice(0, limits.namedMax);
  return new MillraceError(
    "wrong-usage",
    `none of the ${formatCounted(pairs, "pair")} that map emits for these inputs has the key ${shown}. ${near.length > 0 ? "Near ones" : "Keys that there are"}: ${listed.map(quoted).join(", ")}`,
  );
}
