// Publishes into an empty directory that a rename can't replace because it is a mount point. The files come first and
// `_SUCCESS` last, so that readers that wait for it see all or nothing. A hidden directory with the job's id and the
// decision in it says that this is under way, and keeps other jobs out.
import { basename, dirname, join } from "node:path";
import { systemCode } from "../../base/error.ts";
import { manifestName } from "../manifest.ts";
import type { CommitDecision, StagedFile } from "../storage.ts";
import { lstatOf, namesIn, sync, unless, writeDurably } from "./durable.ts";
import type { LocalFs } from "./fs.ts";
import type { DecisionPlaces, Places } from "./hidden.ts";
import { firstUnlisted } from "./prepare.ts";
import { decisionWithdrawn, outputExists, StagedFileGone } from "./publish-errors.ts";

export interface PublishOptions {
  readonly fs: LocalFs;
  /** Returns a name that no other process uses, for files that two publishers must not share. */
  readonly uniqueName: () => string;
}

/** Whether an earlier try began to move files into the destination. */
export async function isUnderWay(fs: LocalFs, decision: CommitDecision, places: DecisionPlaces): Promise<boolean> {
  return (await lstatOf(fs, join(markerIn(places), entryOf(decision, places)))) !== undefined;
}

export async function publishInto(
  decision: CommitDecision,
  places: DecisionPlaces,
  options: PublishOptions,
): Promise<void> {
  const { fs } = options;
  const { destination } = places;
  const marker = markerIn(places);
  if (!(await isUnderWay(fs, decision, places))) await takeDestination(decision, places, options);
  const directories = new Set([destination]);
  for (const file of decision.files) directories.add(dirname(join(destination, file.name)));
  for (const directory of directories) await fs.promises.mkdir(directory, { recursive: true });
  for (const file of decision.files) {
    const source = join(places.publish, file.name);
    const target = join(destination, file.name);
    if ((await lstatOf(fs, source)) === undefined) {
      if ((await lstatOf(fs, target))?.size === BigInt(file.bytes)) continue; // an earlier try moved it
      throw new StagedFileGone(file, places);
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
  if (gone !== undefined) throw new StagedFileGone(gone, places);
  const copy = `${marker}.${options.uniqueName()}`;
  await writeDurably(fs, copy, decision.manifest);
  // Checked after the copy was written: a withdrawal takes the marker first, then removes all copies.
  if (!(await isUnderWay(fs, decision, places))) {
    // The decision was withdrawn, or another publisher has published it and removed the copies that were there by then.
    await fs.promises.rm(copy, { force: true });
    throw decisionWithdrawn(places);
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
    if (!namesOf.has(directory)) namesOf.set(directory, new Set(await fs.promises.readdir(directory)));
    if (!namesOf.get(directory)!.has(basename(path))) return file;
  }
  return undefined;
}

/** Removes, once `_SUCCESS` is there, the marker and what interrupted copies left. */
export async function removeMarker(fs: LocalFs, decision: CommitDecision, places: DecisionPlaces): Promise<void> {
  if (!(await isUnderWay(fs, decision, places))) return;
  await removeCopies(fs, places);
  await fs.promises.rm(markerIn(places), { recursive: true, force: true });
}

/**
 * Withdraws the decision from the destination: removes what it has put there, so that no publisher of it can add
 * `_SUCCESS`. The directory stays reserved for the job. May be repeated.
 */
export async function leaveDestination(fs: LocalFs, decision: CommitDecision, places: DecisionPlaces): Promise<void> {
  const marker = markerIn(places);
  const withdrawing = join(marker, withdrawnEntry(decision, places));
  await unless(["ENOENT", "ENOTDIR"], fs.promises.rename(join(marker, entryOf(decision, places)), withdrawing));
  if ((await lstatOf(fs, withdrawing)) === undefined) return;
  await removeCopies(fs, places);
  for (const { name } of decision.files) await fs.promises.rm(join(places.destination, name), { force: true });
  await sync(fs, places.destination);
  await fs.promises.rename(withdrawing, join(marker, withdrawnEntry(decision)));
}

async function removeCopies(fs: LocalFs, places: Places): Promise<void> {
  const marker = markerIn(places);
  for (const name of await fs.promises.readdir(places.destination)) {
    const path = join(places.destination, name);
    if (path.startsWith(`${marker}.`)) await fs.promises.rm(path, { recursive: true, force: true });
  }
}

/**
 * Takes the destination exclusively with a directory that isn't empty: renaming it onto another such directory fails.
 */
async function takeDestination(
  decision: CommitDecision,
  places: DecisionPlaces,
  options: PublishOptions,
): Promise<void> {
  const { fs } = options;
  const entry = entryOf(decision, places);
  // An earlier decision of the job had taken it, or its publisher has done so only now, continuing after a pause.
  for (const other of (await namesIn(fs, markerIn(places))) ?? []) {
    if (other === entry || !other.startsWith(`${decision.job}.`)) continue;
    if ((await lstatOf(fs, places.withdrawn)) !== undefined) throw decisionWithdrawn(places);
    await unless(["ENOENT"], fs.promises.rename(join(markerIn(places), other), join(markerIn(places), entry)));
  }
  if (await isUnderWay(fs, decision, places)) return;
  const own = `${markerIn(places)}.${options.uniqueName()}`;
  await fs.promises.mkdir(join(own, entry), { recursive: true });
  const foreign = await firstUnlisted(fs, places.destination, (name) => name.startsWith(markerName));
  try {
    if (foreign !== undefined) throw outputExists(places.destination);
    await fs.promises.rename(own, markerIn(places));
  } catch (thrown) {
    await fs.promises.rm(own, { recursive: true, force: true });
    // Another publisher of the same decision was first.
    if (!(await isUnderWay(fs, decision, places))) {
      throw ["ENOTEMPTY", "EEXIST"].includes(systemCode(thrown) ?? "") ? outputExists(places.destination) : thrown;
    }
  }
  await sync(fs, places.destination);
}

const markerName = `.${manifestName}.publishing`;

function markerIn(places: Places): string {
  return join(places.destination, markerName);
}

/** The entry in the marker that says whose the directory is. */
function entryOf({ job }: CommitDecision, { decision }: DecisionPlaces): string {
  return `${job}.${decision}`;
}

/**
 * The entry that reserves the directory for the job's next decision; with `places`, while that decision is being
 * withdrawn.
 */
function withdrawnEntry({ job }: CommitDecision, places?: DecisionPlaces): string {
  return places === undefined ? `${job}.withdrawn` : `${job}.${places.decision}.withdrawn`;
}
