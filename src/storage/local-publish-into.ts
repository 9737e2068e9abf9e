// Publishing into an empty directory that can't be replaced by a rename, as it is a mount point: files first, `_SUCCESS`
// last, so that who waits for it sees all or nothing. A hidden directory with the job's id in it says that this is under way,
// and keeps other jobs out.
import { dirname, join } from "node:path";
import { systemCode } from "../base/error.ts";
import { lstatOf, sync, writeDurably } from "./local-durable.ts";
import type { LocalFs } from "./local-fs.ts";
import { firstUnlisted } from "./local-prepare.ts";
import { outputExists, StagedFileGone } from "./local-publish-errors.ts";
import { manifestName } from "./manifest.ts";
import type { Places } from "./places.ts";
import type { CommitDecision } from "./storage.ts";

export interface PublishOptions {
  readonly fs: LocalFs;
  /** A name that no other process uses: for files that two publishers must not share. */
  readonly uniqueName: () => string;
}

/** Whether an earlier try began to move files into the destination. */
export async function isUnderWay(fs: LocalFs, decision: CommitDecision, places: Places): Promise<boolean> {
  return (await lstatOf(fs, join(markerIn(places), decision.job))) !== undefined;
}

export async function publishInto(decision: CommitDecision, places: Places, options: PublishOptions): Promise<void> {
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
      if ((await lstatOf(fs, target))?.size === BigInt(file.bytes)) continue; // moved by an earlier try
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
  const copy = `${marker}.${options.uniqueName()}`;
  await writeDurably(fs, copy, decision.manifest);
  await fs.promises.rename(copy, join(destination, manifestName));
  await sync(fs, destination);
}

/** After `_SUCCESS` is there: the marker and what cut-off copies left. */
export async function removeMarker(fs: LocalFs, decision: CommitDecision, places: Places): Promise<void> {
  if (!(await isUnderWay(fs, decision, places))) return;
  const marker = markerIn(places);
  for (const name of await fs.promises.readdir(places.destination)) {
    const path = join(places.destination, name);
    if (path.startsWith(`${marker}.`)) await fs.promises.rm(path, { recursive: true, force: true });
  }
  await fs.promises.rm(marker, { recursive: true, force: true });
}

/** A directory that isn't empty takes a name exclusively: renaming it onto another one's fails. */
async function takeDestination(decision: CommitDecision, places: Places, options: PublishOptions): Promise<void> {
  const { fs } = options;
  const own = `${markerIn(places)}.${options.uniqueName()}`;
  await fs.promises.mkdir(join(own, decision.job), { recursive: true });
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
