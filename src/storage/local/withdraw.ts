// Withdraws a decision that can't be published because a file of it is gone. What is left is saved for another
// decision, and a publisher that was paused in the middle of the old one finds none of its paths.
//
//   staging/ ──rename──► withdrawn-DECISION/ ──► staging/files/, each file under a new token
//
// The rename succeeds once per decision, so a late call, of a master that was paused, does not touch the next decision.
import { basename, dirname, join } from "node:path";
import { limits } from "../../base/limits.ts";
import { forEachAtMost } from "../../base/system/parallel.ts";
import type { CommitDecision, StagedFile, Withdrawal } from "../storage.ts";
import { lstatOf, sync, unless } from "./durable.ts";
import { type LocalFs, outputError } from "./fs.ts";
import { checkedName, checkedToken, type DecisionFolders, hiddenOfDecision } from "./hidden.ts";
import { whyLost } from "./lost.ts";
import { isPublished, putBackReplaced } from "./publish.ts";
import { isUnderWay, leaveDestination } from "./publish-into.ts";

export async function withdraw(decision: CommitDecision, fs: LocalFs): Promise<Withdrawal> {
  const hidden = hiddenOfDecision(decision);
  try {
    const isBegun = (await lstatOf(fs, hidden.withdrawn)) !== undefined;
    if (!isBegun && (await isWhole(fs, decision, hidden))) return { kind: "whole" };
    if (!isBegun) {
      // ENOENT: nothing is left at all. Not empty: another call was first.
      await unless(["ENOENT", "ENOTEMPTY", "EEXIST"], fs.promises.rename(hidden.staging, hidden.withdrawn));
      await unless(["ENOENT"], sync(fs, hidden.work));
    }
    // From here on no publisher gets any further: one that was done before the rename is done.
    if (await isPublished(fs, decision, hidden)) return { kind: "whole" };
    await leaveDestination(fs, decision, hidden);
    await putBackReplaced(fs, hidden, hidden.withdrawn);
    return { kind: "withdrawn", files: await saved(fs, decision, hidden) };
  } catch (thrown) {
    throw outputError(thrown, "Withdrawing the staged files of", hidden.destination);
  }
}

/** Whether a publisher would find every file. */
async function isWhole(fs: LocalFs, decision: CommitDecision, hidden: DecisionFolders): Promise<boolean> {
  if (await isPublished(fs, decision, hidden)) return true;
  const folders = [hidden.publish, ...((await isUnderWay(fs, decision, hidden)) ? [hidden.destination] : [])];
  let isAny = true;
  await forEachAtMost(limits.looksAtOnce, decision.files, async (file) => {
    const token = checkedToken(file, hidden.destination);
    const paths = [join(hidden.files, token), ...folders.map((folder) => join(folder, checkedName(file.name)))];
    if (isAny && (await firstGood(fs, paths, file)) === undefined) isAny = false;
  });
  return isAny;
}

async function saved(
  fs: LocalFs,
  decision: CommitDecision,
  hidden: DecisionFolders,
): Promise<(StagedFile | undefined)[]> {
  const publish = join(hidden.withdrawn, basename(hidden.publish));
  const staged = join(hidden.withdrawn, basename(hidden.files));
  const files: (StagedFile | undefined)[] = decision.files.map(() => undefined);
  await forEachAtMost(limits.looksAtOnce, decision.files.entries(), async ([index, file]) => {
    const old = checkedToken(file, hidden.destination);
    const token = `${hidden.decision}=${old.slice(old.indexOf("=") + 1)}`;
    const target = join(hidden.files, token);
    const found = await firstGood(fs, [target, join(staged, old), join(publish, checkedName(file.name))], file);
    if (found === undefined) return;
    if (found !== target) await moveTo(fs, found, target, hidden);
    files[index] = { ...file, token };
  });
  if (files.some((file) => file !== undefined)) {
    for (const directory of [hidden.files, hidden.staging, hidden.work]) await sync(fs, directory);
  }
  return files;
}

async function moveTo(fs: LocalFs, source: string, target: string, hidden: DecisionFolders): Promise<void> {
  for (const directory of [hidden.staging, dirname(target)]) {
    await unless(["EEXIST"], fs.promises.mkdir(directory, { mode: 0o700 }));
  }
  await fs.promises.rename(source, target);
}

async function firstGood(fs: LocalFs, paths: readonly string[], file: StagedFile): Promise<string | undefined> {
  for (const path of paths) if ((await whyLost(fs, path, file)) === undefined) return path;
  return undefined;
}
