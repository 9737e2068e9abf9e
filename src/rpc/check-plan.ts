// A plan, as a plan attempt reports it: nothing is taken from it that its job did not ask for. Everything later is built on it (as
// many tasks in memory as it says), and it is stored, so what can't be must not get past here. Cost: once per job, some
// comparisons per file and piece.
import { relative } from "node:path";
import { compareBytes } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { absolutePath, isUrl } from "../base/paths.ts";
import type { Plan, PlannedFile } from "../input/plan.ts";
import type { JobSpec } from "../job/spec.ts";
import { isCount, isPath, isText } from "./check-report.ts";

/** Why the plan can't be one of that job; undefined: it can. */
export function whyNoPlan(spec: JobSpec, plan: Plan): string | undefined {
  return whyNoPartitions(spec, plan) ?? whyNoFiles(spec, plan) ?? whyNoSplits(plan);
}

function whyNoPartitions({ partitions: asked }: JobSpec, { partitions, boundaries }: Plan): string | undefined {
  if (!isCount(partitions) || partitions > limits.partitionsMax)
    return `a plan of ${partitions} partitions, and at most ${limits.partitionsMax} can be`;
  if (asked !== undefined && partitions !== asked)
    return `a plan of ${partitions} partitions for a job of which ${asked} were asked`;
  if (boundaries.length >= Math.max(1, partitions) && boundaries.length > 0)
    return `${boundaries.length} boundaries of ${partitions} partitions`;
  for (const [index, boundary] of boundaries.entries()) {
    if (boundary.length > limits.keyBytesMax) return `a boundary of ${boundary.length} bytes`;
    if (index > 0 && compareBytes(boundaries[index - 1]!, boundary) >= 0) return "boundaries that are not in order";
  }
  return undefined;
}

function whyNoFiles(spec: JobSpec, { files }: Plan): string | undefined {
  if (files.length > limits.plannedFilesMax) return `a plan of ${files.length} files, ${fewer(limits.plannedFilesMax)}`;
  const inputs = spec.inputs.map(({ paths }) => paths.map((path) => placeOf(spec, path)));
  let bytes = 0;
  for (const [index, file] of files.entries()) {
    const why = whyNoFile(spec, inputs, file);
    if (why !== undefined) return `file ${index} of its plan ${why}`;
    bytes += file.bytes;
  }
  return isCount(bytes) ? undefined : "files of more than 2^53 bytes";
}

function whyNoFile(
  spec: JobSpec,
  inputs: readonly (readonly Place[])[],
  { path, bytes, version, hosts, source, input }: PlannedFile,
): string | undefined {
  const places = inputs[input];
  if (places === undefined) return `is of input ${input}, which the job has not`;
  if (!isPath(path) || path === "") return "has a path that can't be";
  if (!places.some((place) => isBelow(place, path))) return `is ${JSON.stringify(path)}, which no input asked for`;
  if (!isCount(bytes)) return "has a size that can't be";
  if (!isText(version, limits.pathBytesMax)) return "has a version that can't be";
  if (hosts.length > limits.hostsMax || !hosts.every((host) => isText(host, 255))) return "has hosts that can't be";
  // What messages call it is made from its path, so that nothing else gets to anybody's terminal by it.
  if (source === path || (source === "-" && path === spec.standardInput)) return undefined;
  return !isUrl(path) && source === relative(spec.directory, path) ? undefined : "is called by a name that can't be";
}

function whyNoSplits({ files, splits }: Plan): string | undefined {
  if (splits.length > limits.splitsMax)
    return `a plan of ${splits.length} splits, ${fewer(limits.splitsMax)} (--split-size)`;
  let at = { file: -1, end: 0 };
  for (const [index, split] of splits.entries()) {
    if (split.length === 0 || split.length > limits.piecesPerSplitMax)
      return `split ${index} of its plan has ${split.length} pieces`;
    for (const { file, start, end } of split) {
      const planned = files[file];
      if (planned === undefined) return `split ${index} is of file ${file}, which the plan has not`;
      if (!isCount(start) || !isCount(end) || start >= end || end > planned.bytes)
        return `split ${index} has a piece from ${start} to ${end} of a file of ${planned.bytes} bytes`;
      if (planned.input !== files[split[0]!.file]!.input) return `split ${index} is of several inputs`;
      // In order and once, whatever is between: a record is read by who has its first byte.
      if (file < at.file || (file === at.file && start < at.end)) return `split ${index} is not in order`;
      at = { file, end };
    }
  }
  return undefined;
}

/** What an argument names: itself and what is below it, or what begins as its pattern does. */
interface Place {
  readonly path: string;
  /** Of a pattern: as far as it is certain. */
  readonly prefix: string | undefined;
  readonly mayGoUp: boolean;
}

function placeOf({ directory, standardInput }: JobSpec, given: string): Place {
  const path =
    given === "-" && standardInput !== undefined
      ? standardInput
      : absolutePath(directory, given).replace(/^s3:/i, "s3:");
  const sign = path.search(/[*?[\]{}()!+@]/);
  // A name with such a sign in it may also be just that name.
  const prefix = sign < 0 ? undefined : path.slice(0, path.lastIndexOf("/", sign) + 1);
  return { path, prefix, mayGoUp: /[{(][^)}]*\.\./.test(path) };
}

/** As far as it can be told without a look at the storage: of a pattern only its beginning is compared. */
function isBelow({ path, prefix, mayGoUp }: Place, found: string): boolean {
  if (found === path) return true;
  if (!mayGoUp && /(^|\/)\.\.?(\/|$)/.test(found)) return false;
  if (found.startsWith(path.endsWith("/") ? path : `${path}/`)) return true;
  return prefix !== undefined && found.startsWith(prefix);
}

function fewer(most: number): string {
  return `and at most ${most} can be: give fewer and larger ones`;
}
