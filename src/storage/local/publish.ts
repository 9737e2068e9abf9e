// Makes an output visible, on a file system.
//
//   staged files ──rename──► publish-…/ ──+ _SUCCESS, fsync──► (DIR ──rename──► replaced/) ──► publish-…/ ──rename──► DIR
//
// Every step may be cut off by a crash, and every step may be under way in two masters at the same time (an old leader
// that was paused goes on where it stopped). So each step is one rename that can succeed only once, each file is in
// exactly one place, and a publisher that finds something gone checks whether the output is complete: then there is
// nothing left to do. The old directory's place, `replaced/`, stays taken by a marker until the job is discarded, so
// that a late `--overwrite` can't move the new output there.
import { basename, dirname, join } from "node:path";
import { MillraceError, systemCode } from "../../base/error.ts";
import { manifestName } from "../manifest.ts";
import type { CommitDecision, StagedFile } from "../storage.ts";
import { contentOf, lstatOf, namesIn, sync, unless, writeDurably } from "./durable.ts";
import { type LocalFs, outputError, showPath } from "./fs.ts";
import {
  badStagedFile,
  checkedName,
  checkedToken,
  type DecisionFolders,
  type HiddenFolders,
  hiddenOfDecision,
  withdrawnPrefix,
} from "./hidden.ts";
import { isMissing, whyLost } from "./lost.ts";
import { foreignIn, identityOf } from "./prepare.ts";
import { outputExists, StagedFileGone } from "./publish-errors.ts";
import { firstGone, isUnderWay, type PublishOptions, publishInto, removeMarker } from "./publish-into.ts";

/** Two publishers can get into each other's way once per rename; after more rounds than this it is not a race. */
const roundsMax = 8;
const replacedMarker = ".replaced";

export async function publish(decision: CommitDecision, options: PublishOptions): Promise<void> {
  const { fs } = options;
  const hidden = hiddenOfDecision(decision);
  checkDecision(decision);
  try {
    for (let round = 1; !(await isPublished(fs, decision, hidden)); round++) {
      try {
        await publishOnce(decision, hidden, options);
      } catch (thrown) {
        // Whatever was in the way: when the output is complete, another publisher of the same decision completed it.
        // And ENOENT means that one moved something between two of our calls.
        const raced = (await isPublished(fs, decision, hidden)) || systemCode(thrown) === "ENOENT";
        if (!raced || round === roundsMax) throw thrown;
      }
    }
    await removeMarker(fs, decision, hidden);
    await sync(fs, hidden.destination);
    await sync(fs, hidden.parent);
    await removeReplaced(fs, hidden);
  } catch (thrown) {
    throw outputError(thrown, "Publishing", hidden.destination);
  }
}

/**
 * Removes everything that was staged, after putting back what an unfinished publish moved aside. May be repeated, and
 * cut off anywhere.
 */
export async function discard(hidden: HiddenFolders, fs: LocalFs): Promise<void> {
  try {
    const withdrawn = ((await namesIn(fs, hidden.work)) ?? [])
      .filter((name) => name.startsWith(withdrawnPrefix))
      .map((name) => join(hidden.work, name));
    for (const from of [hidden.staging, ...withdrawn]) await putBackReplaced(fs, hidden, from);
    // One rename first: a publisher that was paused then finds none of its paths, instead of some.
    const doomed = join(hidden.work, "discarded");
    await fs.promises.rm(doomed, { recursive: true, force: true });
    await unless(["ENOENT"], fs.promises.rename(hidden.staging, doomed));
    for (const path of [doomed, ...withdrawn]) await fs.promises.rm(path, { recursive: true, force: true });
    await unless(["ENOENT", "ENOTEMPTY", "EEXIST"], fs.promises.rmdir(hidden.work));
  } catch (thrown) {
    throw outputError(thrown, "Removing the staged files of", hidden.destination);
  }
}

/**
 * Puts back an output that `--overwrite` moved aside, unless another one has taken its place. `staging` is the
 * directory that was the staging directory.
 */
export async function putBackReplaced(fs: LocalFs, hidden: HiddenFolders, staging: string): Promise<void> {
  const replaced = join(staging, basename(hidden.replaced));
  const names = await namesIn(fs, replaced);
  if (names === undefined || names.includes(replacedMarker)) return;
  if ((await lstatOf(fs, hidden.destination)) !== undefined) return;
  await fs.promises.rename(replaced, hidden.destination);
  await sync(fs, hidden.parent);
}

async function publishOnce(decision: CommitDecision, hidden: DecisionFolders, options: PublishOptions): Promise<void> {
  const { fs } = options;
  const missing = await assemble(decision, hidden, options);
  const gone = missing ?? (await firstGone(fs, hidden.publish, decision.files));
  // Asked after the files were looked at: another publisher may have begun to move them meanwhile.
  if (await isUnderWay(fs, decision, hidden)) return publishInto(decision, hidden, options);
  if (gone !== undefined) throw new StagedFileGone(gone, hidden);
  await moveAside(fs, decision, hidden);
  await moveIntoPlace(decision, hidden, options);
}

/**
 * Collects every file of the decision below `publish-…/`, with the size that was reported, and `_SUCCESS`; all of it
 * durable. Returns a file that is neither there nor staged.
 */
async function assemble(
  decision: CommitDecision,
  hidden: DecisionFolders,
  options: PublishOptions,
): Promise<StagedFile | undefined> {
  const { fs } = options;
  if (decision.files[0] !== undefined && (await lstatOf(fs, hidden.staging)) === undefined) return decision.files[0];
  await fs.promises.mkdir(hidden.parent, { recursive: true });
  for (const directory of [hidden.work, hidden.staging, hidden.files]) {
    await unless(["EEXIST"], fs.promises.mkdir(directory, { mode: 0o700 }));
  }
  await unless(["EEXIST"], fs.promises.mkdir(hidden.publish));
  const directories = new Set([hidden.publish]);
  for (const file of decision.files) directories.add(dirname(join(hidden.publish, file.name)));
  for (const directory of [...directories].slice(1)) await fs.promises.mkdir(directory, { recursive: true });
  let missing: StagedFile | undefined;
  for (const file of decision.files) {
    if (!(await place(fs, file, hidden))) missing ??= file;
  }
  // Written beside it and moved in: another publisher may make `publish-…/` visible at any moment.
  const manifest = join(hidden.staging, options.uniqueName());
  await writeDurably(fs, manifest, decision.manifest);
  await fs.promises.rename(manifest, join(hidden.publish, manifestName));
  for (const directory of [...directories].reverse()) await sync(fs, directory);
  await sync(fs, hidden.staging);
  await sync(fs, hidden.work);
  return missing;
}

async function place(fs: LocalFs, file: StagedFile, hidden: DecisionFolders): Promise<boolean> {
  const target = join(hidden.publish, file.name);
  // ENOENT: an earlier try moved it, or it is lost; the look at the target says which.
  await unless(["ENOENT"], fs.promises.rename(join(hidden.files, file.token), target));
  const why = await whyLost(fs, target, file);
  if (why === isMissing) return false;
  if (why !== undefined) throw new StagedFileGone(file, hidden, `${why}: something else changed it`);
  return true;
}

/** With `--overwrite`, moves aside the one directory that the decision names; any other directory stays. */
async function moveAside(fs: LocalFs, decision: CommitDecision, hidden: HiddenFolders): Promise<void> {
  if (decision.replaces === undefined) return;
  if ((await identityOf(fs, hidden.destination)) !== decision.replaces) return;
  if ((await foreignIn(fs, hidden.destination)) !== undefined) {
    if ((await identityOf(fs, hidden.destination)) !== decision.replaces) return; // another publisher was first
    throw outputExists(hidden.destination);
  }
  try {
    await fs.promises.rename(hidden.destination, hidden.replaced);
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === "ENOTEMPTY" || code === "EEXIST") return; // another publisher was first
    if (code === "EBUSY" || code === "EXDEV") {
      throw new MillraceError(
        "output-exists",
        `${showPath(hidden.destination)} can't be moved aside as a whole (it is a mount point, or spans file systems). Empty it, or choose another output directory with -o.`,
        { cause: thrown },
      );
    }
    throw thrown;
  }
  if ((await identityOf(fs, hidden.replaced)) !== decision.replaces) {
    // Between the look and the rename another directory took the name. It goes back.
    await fs.promises.rename(hidden.replaced, hidden.destination);
    throw outputExists(hidden.destination);
  }
  await sync(fs, hidden.parent);
}

async function moveIntoPlace(
  decision: CommitDecision,
  hidden: DecisionFolders,
  options: PublishOptions,
): Promise<void> {
  const { fs } = options;
  const existing = await lstatOf(fs, hidden.destination);
  // An empty directory that the user made is replaced, but its permissions stay.
  if (existing?.isDirectory()) await fs.promises.chmod(hidden.publish, Number(existing.mode & 0o7777n));
  try {
    await fs.promises.rename(hidden.publish, hidden.destination);
  } catch (thrown) {
    const code = systemCode(thrown);
    if (code === "EBUSY" || code === "EXDEV") return publishInto(decision, hidden, options);
    if (code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR") {
      if (await isPublished(fs, decision, hidden)) return;
      throw outputExists(hidden.destination);
    }
    throw thrown;
  }
}

export async function isPublished(fs: LocalFs, decision: CommitDecision, hidden: HiddenFolders): Promise<boolean> {
  if (!(await lstatOf(fs, hidden.destination))?.isDirectory()) return false;
  const { manifest } = decision;
  const found = await contentOf(fs, join(hidden.destination, manifestName), manifest.length);
  return found !== undefined && found !== "too large" && found.equals(manifest);
}

/** Removes the replaced output, but keeps its place taken. */
async function removeReplaced(fs: LocalFs, hidden: HiddenFolders): Promise<void> {
  if ((await lstatOf(fs, hidden.replaced)) === undefined) return;
  await writeDurably(fs, join(hidden.replaced, replacedMarker), new Uint8Array(0));
  for (const name of await fs.promises.readdir(hidden.replaced)) {
    if (name !== replacedMarker) await fs.promises.rm(join(hidden.replaced, name), { recursive: true, force: true });
  }
}

function checkDecision(decision: CommitDecision): void {
  const names = new Set<string>([manifestName]);
  for (const file of decision.files) {
    if (names.has(checkedName(file.name))) throw badStagedFile(file.name, decision.destination);
    checkedToken(file, decision.destination);
    names.add(file.name);
  }
}
