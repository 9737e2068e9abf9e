// Checks a plan as a plan attempt reports it: nothing is taken from it that its job did not ask for. Everything later
// is built on it (as many tasks in memory as it says), and it is stored, so an impossible plan must not get past here.
// Cost: once per job, some comparisons per file and piece.
import { relative } from "node:path";
import { compareBytes } from "../base/bytes/bytes.ts";
import { limits } from "../base/limits.ts";
import { absolutePath, isUrl, spooledFile } from "../base/paths.ts";
import type { Plan, PlannedFile } from "../input/plan.ts";
import type { JobSpec } from "../job/spec.ts";
import { isCount, isPath, isText } from "./check-report.ts";

/** Why the plan can't be the job's; undefined: it can. */
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
  const inputs = spec.inputs.map(({ paths }) => givenPaths(spec, paths));
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
  inputs: readonly GivenPaths[],
  { path, bytes, version, hosts, source, input }: PlannedFile,
): string | undefined {
  const places = inputs[input];
  if (places === undefined) return `is of input ${input}, which the job has not`;
  if (!isPath(path) || path === "") return "has a path that can't be";
  if (!isBelow(places, path)) return `is ${JSON.stringify(path)}, which no input asked for`;
  if (!isCount(bytes)) return "has a size that can't be";
  if (!isText(version, limits.pathBytesMax)) return "has a version that can't be";
  if (hosts.length > limits.hostsMax || !hosts.every((host) => isText(host, 255))) return "has hosts that can't be";
  // The name for messages must be made from the path, so that a job can't write anything else to a terminal with it.
  if (source === path || path === spooledFile(spec, source)) return undefined;
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
      // Pieces must be in order and not overlap: a record is read by the split that has its first byte.
      if (file < at.file || (file === at.file && start < at.end)) return `split ${index} is not in order`;
      at = { file, end };
    }
  }
  return undefined;
}

/**
 * The files that an input's arguments can name: themselves and everything below them, or paths that begin as their
 * patterns do. Sets are used because a shell makes a hundred thousand arguments of a pattern, and a plan has as many
 * files.
 */
interface GivenPaths {
  readonly paths: ReadonlySet<string>;
  /** Folders, which end with a slash: paths, and the fixed beginnings of patterns. */
  readonly folders: ReadonlySet<string>;
  /** Fixed beginnings of patterns that may go up again ("..") behind them. */
  readonly upward: ReadonlySet<string>;
}

function givenPaths(spec: JobSpec, given: readonly string[]): GivenPaths {
  const paths = new Set<string>();
  const folders = new Set<string>();
  const upward = new Set<string>();
  for (const argument of given) {
    const path = spooledFile(spec, argument) ?? absolutePath(spec.directory, argument).replace(/^s3:/i, "s3:");
    paths.add(path);
    const sign = path.search(/[*?[\]{}()!+@]/);
    // A name with a pattern's sign in it may also be the name of a file.
    const found = [path.endsWith("/") ? path : `${path}/`];
    if (sign >= 0) found.push(path.slice(0, path.lastIndexOf("/", sign) + 1));
    const bracket = path.search(/[{(]/);
    const mayGoUp = bracket >= 0 && path.includes("..", bracket);
    for (const folder of found) {
      folders.add(folder);
      if (mayGoUp) upward.add(folder);
    }
  }
  return { paths, folders, upward };
}

/**
 * Whether a file can belong to the input, as far as that is known without the storage: only the beginning of a pattern
 * is compared.
 */
function isBelow({ paths, folders, upward }: GivenPaths, found: string): boolean {
  if (paths.has(found)) return true;
  const above = /(^|\/)\.\.?(\/|$)/.test(found) ? upward : folders;
  if (above.size === 0) return false;
  for (let end = found.indexOf("/"); end >= 0; end = found.indexOf("/", end + 1))
    if (above.has(found.slice(0, end + 1))) return true;
  return false;
}

function fewer(most: number): string {
  return `and at most ${most} can be: give fewer and larger ones`;
}
