// Publishes into an empty directory that a rename can't replace because it is a mount point. The files come first and
// `_SUCCESS` last, so that readers that wait for it see all or nothing. A hidden directory with the job's id and the
// decision in it says that this is under way, and keeps other jobs out.
import { basename, dirname, join } from "node:path";
import { systemCode } from "../../base/error.ts";
import { manifestName } from "../manifest.ts";
import type { CommitDecision, StagedFile } from "../storage.ts";
import { lstatOf, namesIn, sync, unless, writeDurably } from "./durable.ts";
import type { LocalFs } from "./fs.ts";
import type { DecisionFolders, HiddenFolders } from "./hidden.ts";
import { firstUnlisted } from "./prepare.ts";
import { decisionWithdrawn, outputExists, StagedFileGone } from "./publish-errors.ts";

export interface PublishOptions {
  readonly fs: LocalFs;
  /** Returns a name that no other process uses, for files that two publishers must not share. */
  readonly uniqueName: () => string;
}

/** Whether an earlier try began to move files into the destination. */
export async function isUnderWay(fs: LocalFs, decision: CommitDecision, hidden: DecisionFolders): Promise<boolean> {
  return (await lstatOf(fs, join(markerIn(hidden), entryOf(decision, hidden)))) !== undefined;
}

export async function publishInto(
  decision: CommitDecision,
  hidden: DecisionFolders,
  options: PublishOptions,
): Promise<void> {
  const { fs } = options;
  const { destination } = hidden;
  const marker = markerIn(hidden);
  if (!(await isUnderWay(fs, decision, hidden))) await takeDestination(decision, hidden, options);
  const directories = new Set([destination]);
  for (const file of decision.files) directories.add(dirname(join(destination, file.name)));
  for (const directory of directories) await fs.promises.mkdir(directory, { recursive: true });
  for (const file of decision.files) {
    const source = join(hidden.publish, file.name);
    const target = join(destination, file.name);
    if ((await lstatOf(fs, source)) === undefined) {
      if ((await lstatOf(fs, target))?.size === BigInt(file.bytes)) continue; // moved by an earlier try
      throw new StagedFileGone(file, hidden);
    }
    const copy = `${marker}.${options.uniqueName()}`;
    await fs.promises.copyFile(source, copy);
    await sync(fs, copy);
    await fs.promises.rename(copy, target);
    await sync(fs, dirname(target));
    await fs.promises.unlink(source);
  }
  for (const directory of [...directories].reverse()) await sync(fs, directory);
  const gone = await firstGone(fs, destination, decision.files);
  if (gone !== undefined) throw new StagedFileGone(gone, hidden);
  const copy = `${marker}.${options.uniqueName()}`;
  await writeDurably(fs, copy, decision.manifest);
  // Checked after the copy was written: a withdrawal takes the marker first, then removes all copies.
  if (!(await isUnderWay(fs, decision, hidden))) {
    // The decision was withdrawn, or another publisher has published it and removed the copies that were there by then.
    await fs.promises.rm(copy, { force: true });
    throw decisionWithdrawn(hidden);
  }
  await fs.promises.rename(copy, join(destination, manifestName));
  await sync(fs, destination);
}

/**
 * The last look before `_SUCCESS` becomes visible. Putting the files on disk takes a while, in which something may have
 * removed some. It checks only the names in the folders, as each file itself was checked before.
 */
export async function firstGone(
  fs: LocalFs,
  folder: string,
  files: readonly StagedFile[],
): Promise<StagedFile | undefined> {
  const namesOf = new Map<string, ReadonlySet<string>>();
  for (const file of files) {
    const path = join(folder, file.name);
    const directory = dirname(path);
    let names = namesOf.get(directory);
    if (names === undefined) namesOf.set(directory, (names = new Set(await fs.promises.readdir(directory))));
    if (!names.has(basename(path))) return file;
  }
  return undefined;
}

/** Removes, once `_SUCCESS` is there, the marker and what interrupted copies left. */
export async function removeMarker(fs: LocalFs, decision: CommitDecision, hidden: DecisionFolders): Promise<void> {
  if (!(await isUnderWay(fs, decision, hidden))) return;
  await removeCopies(fs, hidden);
  await fs.promises.rm(markerIn(hidden), { recursive: true, force: true });
}

/**
 * Withdraws the decision from the destination: removes what it has put there, so that no publisher of it can add
 * `_SUCCESS`. The directory stays reserved for the job. May be repeated.
 */
export async function leaveDestination(fs: LocalFs, decision: CommitDecision, hidden: DecisionFolders): Promise<void> {
  const marker = markerIn(hidden);
  const withdrawing = join(marker, withdrawnEntry(decision, hidden));
  await unless(["ENOENT", "ENOTDIR"], fs.promises.rename(join(marker, entryOf(decision, hidden)), withdrawing));
  if ((await lstatOf(fs, withdrawing)) === undefined) return;
  await removeCopies(fs, hidden);
  for (const { name } of decision.files) await fs.promises.rm(join(hidden.destination, name), { force: true });
  await sync(fs, hidden.destination);
  await fs.promises.rename(withdrawing, join(marker, withdrawnEntry(decision)));
}

async function removeCopies(fs: LocalFs, hidden: HiddenFolders): Promise<void> {
  const marker = markerIn(hidden);
  for (const name of await fs.promises.readdir(hidden.destination)) {
    const path = join(hidden.destination, name);
    if (path.startsWith(`${marker}.`)) await fs.promises.rm(path, { recursive: true, force: true });
  }
}

/**
 * Takes the destination exclusively with a directory that isn't empty: renaming it onto another such directory fails.
 */
async function takeDestination(
  decision: CommitDecision,
  hidden: DecisionFolders,
  options: PublishOptions,
): Promise<void> {
  const { fs } = options;
  const entry = entryOf(decision, hidden);
  // An earlier decision of the job had taken it, or its publisher has done so only now, continuing after a pause.
  for (const other of (await namesIn(fs, markerIn(hidden))) ?? []) {
    if (other === entry || !other.startsWith(`${decision.job}.`)) continue;
    if ((await lstatOf(fs, hidden.withdrawn)) !== undefined) throw decisionWithdrawn(hidden);
    await unless(["ENOENT"], fs.promises.rename(join(markerIn(hidden), other), join(markerIn(hidden), entry)));
  }
  if (await isUnderWay(fs, decision, hidden)) return;
  const own = `${markerIn(hidden)}.${options.uniqueName()}`;
  await fs.promises.mkdir(join(own, entry), { recursive: true });
  const foreign = await firstUnlisted(fs, hidden.destination, (name) => name.startsWith(markerName));
  try {
    if (foreign !== undefined) throw outputExists(hidden.destination);
    await fs.promises.rename(own, markerIn(hidden));
  } catch (thrown) {
    await fs.promises.rm(own, { recursive: true, force: true });
    // Another publisher of the same decision was first.
    if (!(await isUnderWay(fs, decision, hidden))) {
      throw ["ENOTEMPTY", "EEXIST"].includes(systemCode(thrown) ?? "") ? outputExists(hidden.destination) : thrown;
    }
  }
  await sync(fs, hidden.destination);
}

const markerName = `.${manifestName}.publishing`;

function markerIn(hidden: HiddenFolders): string {
  return join(hidden.destination, markerName);
}

/** The entry in the marker that says whose the directory is. */
function entryOf({ job }: CommitDecision, { decision }: DecisionFolders): string {
  return `${job}.${decision}`;
}

/**
 * The entry that reserves the directory for the job's next decision; with `places`, while that decision is being
 * withdrawn.
 */
function withdrawnEntry({ job }: CommitDecision, hidden?: DecisionFolders): string {
  return hidden === undefined ? `${job}.withdrawn` : `${job}.${hidden.decision}.withdrawn`;
}
