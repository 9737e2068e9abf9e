// Checks whether staged files are where their attempts left them, with the size they had, and will stay there when the
// power fails.
import { join } from "node:path";
import { limits } from "../../base/limits.ts";
import { forEachAtMost } from "../../base/system/parallel.ts";
import type { LostFile, StagedFile } from "../storage.ts";
import { lstatOf, sync, unless } from "./durable.ts";
import { type LocalFs, outputError } from "./fs.ts";
import { checkedToken, type HiddenFolders } from "./hidden.ts";

export async function findLost(fs: LocalFs, hidden: HiddenFolders, files: readonly StagedFile[]): Promise<LostFile[]> {
  const lost: LostFile[] = [];
  try {
    // Attempts have synced the content of their files; this makes their names durable.
    if (files.length > 0) await syncFolders(fs, hidden);
    await forEachAtMost(limits.looksAtOnce, files, async (file) => {
      const why = await whyLost(fs, join(hidden.files, checkedToken(file, hidden.destination)), file);
      if (why !== undefined) lost.push({ token: file.token, why });
    });
  } catch (thrown) {
    throw outputError(thrown, "Looking at the staged files of", hidden.destination);
  }
  return lost;
}

/** Syncs the folders that the makers of staged files may have made. Where a folder is gone, so are its files. */
async function syncFolders(fs: LocalFs, hidden: HiddenFolders): Promise<void> {
  for (const folder of [hidden.files, hidden.staging, hidden.work, hidden.parent])
    await unless(["ENOENT", "ENOTDIR"], sync(fs, folder));
}

export const isMissing = "is missing";

/** Says in words why this is not the file that the attempt wrote; undefined when it is. */
export async function whyLost(fs: LocalFs, path: string, { bytes }: StagedFile): Promise<string | undefined> {
  const stats = await lstatOf(fs, path);
  if (stats === undefined) return isMissing;
  if (!stats.isFile()) return "is no longer a file";
  return stats.size === BigInt(bytes) ? undefined : `has ${stats.size} bytes, but its attempt wrote ${bytes}`;
}
