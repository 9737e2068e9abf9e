// Whether staged files are where, and as large as, their attempts left them, and stay there when the power fails.
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
    // Attempts have synced what is in their files; that these have names is on disk from here on.
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

/** The folders that makers of staged files may have made. Where one is gone, so are the files. */
async function syncFolders(fs: LocalFs, hidden: HiddenFolders): Promise<void> {
  for (const folder of [hidden.files, hidden.staging, hidden.work, hidden.parent])
    await unless(["ENOENT", "ENOTDIR"], sync(fs, folder));
}

export const isMissing = "is missing";

/** Why this is not the file that the attempt wrote, in words. */
export async function whyLost(fs: LocalFs, path: string, { bytes }: StagedFile): Promise<string | undefined> {
  const stats = await lstatOf(fs, path);
  if (stats === undefined) return isMissing;
  if (!stats.isFile()) return "is no file any more";
  return stats.size === BigInt(bytes) ? undefined : `has ${stats.size} bytes, but its attempt wrote ${bytes}`;
}
