// Decides whether a directory may become a job's output: before any work is done, and in part again when it is
// published. Losing a user's directory to a typing error is the one thing that can't be repaired. So `--overwrite`
// takes only a directory that is recognisably an output of ours with nothing else in it.
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { MillraceError, systemCode } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import { insideOutput, isOurManifest, manifestName, parseManifest } from "../manifest.ts";
import { contentOf, lstatOf } from "./durable.ts";
import { isPermission, type LocalFs, outputError, showPath, userName } from "./fs.ts";

/** Refuses what `publish` would refuse. Missing parents are made when the first file is staged. */
export async function prepare(
  fs: LocalFs,
  destination: string,
  overwrite: boolean,
): Promise<{ readonly replaces: string | undefined }> {
  try {
    return await check(fs, resolve(destination), overwrite);
  } catch (thrown) {
    throw outputError(thrown, "Checking", destination);
  }
}

async function check(
  fs: LocalFs,
  path: string,
  overwrite: boolean,
): Promise<{ readonly replaces: string | undefined }> {
  if (path.includes("\0"))
    throw new MillraceError("wrong-usage", `The output path ${showPath(path)} holds a zero byte.`);
  const stats = await lstatOf(fs, path);
  const parent = await checkParent(fs, path);
  const around = await outputAround(fs, parent);
  if (around !== undefined) throw insideOutput(path, around);
  if (stats === undefined) return { replaces: undefined };
  if (stats.isSymbolicLink()) {
    throw new MillraceError(
      "wrong-usage",
      `The output ${showPath(path)} is a symbolic link, which publishing would replace: give the path it leads to.`,
    );
  }
  if (!stats.isDirectory()) {
    throw new MillraceError(
      "output-exists",
      `The output ${showPath(path)} is a file; an output is a directory. Choose another one with -o.`,
    );
  }
  const names = await fs.promises.readdir(path);
  if (names.length === 0) return { replaces: undefined };
  if (!overwrite) {
    throw new MillraceError(
      "output-exists",
      `The output directory ${showPath(path)} exists and is not empty. Choose another one with -o, or add --overwrite to replace it when the job is done.`,
    );
  }
  const beside = await lstatOf(fs, dirname(path));
  if (path === dirname(path) || beside?.dev !== stats.dev) {
    throw new MillraceError(
      "output-exists",
      `The output directory ${showPath(path)} is a mount point, which can't be replaced in one step. Choose a directory inside it, or empty it.`,
    );
  }
  const foreign = await foreignIn(fs, path);
  if (foreign !== undefined) {
    throw new MillraceError(
      "output-exists",
      `--overwrite does not replace ${showPath(path)}: ${foreign}. Move it away or remove it yourself, or choose another output directory with -o.`,
    );
  }
  return { replaces: await identityOf(fs, path) };
}

/**
 * The identity of a directory that `--overwrite` may move aside: this inode with this manifest. A directory that takes
 * its name later has another one.
 */
export async function identityOf(fs: LocalFs, directory: string): Promise<string | undefined> {
  const stats = await lstatOf(fs, directory);
  if (!stats?.isDirectory()) return undefined;
  const manifest = await contentOf(fs, join(directory, manifestName), limits.manifestBytesMax);
  if (manifest === undefined || manifest === "too large") return undefined;
  return `${stats.ino}:${createHash("sha256").update(manifest).digest("hex")}`;
}

/** Says in words why a directory is not just an output of ours; undefined when it is. */
export async function foreignIn(fs: LocalFs, directory: string): Promise<string | undefined> {
  const path = join(directory, manifestName);
  const content = await contentOf(fs, path, limits.manifestBytesMax);
  if (content === "too large") return `its ${manifestName} is larger than a manifest can be`;
  if (content === undefined) return `it has no ${manifestName}, so it is not the output of a finished job`;
  let listed: Set<string>;
  try {
    const manifest = parseManifest(content, path);
    if (manifest === undefined) return `its ${manifestName} was not written by Millrace`;
    listed = new Set([manifestName, ...manifest.files.map((file) => file.name)]);
  } catch (thrown) {
    if (thrown instanceof MillraceError) return `its ${manifestName} can't be read (${thrown.message})`;
    throw thrown;
  }
  const foreign = await firstUnlisted(fs, directory, (name) => listed.has(name));
  return foreign === undefined ? undefined : `it holds ${showPath(foreign)}, which no job wrote`;
}

/** A file, or an empty directory, below `directory` whose name is not listed. */
export async function firstUnlisted(
  fs: LocalFs,
  directory: string,
  isListed: (name: string) => boolean,
  below = "",
): Promise<string | undefined> {
  for (const entry of await fs.promises.readdir(join(directory, below), { withFileTypes: true })) {
    const name = below + entry.name;
    if (isListed(name)) continue;
    if (!entry.isDirectory()) return name;
    const inside = await fs.promises.readdir(join(directory, name));
    if (inside.length === 0) return `${name}/`;
    const foreign = await firstUnlisted(fs, directory, isListed, `${name}/`);
    if (foreign !== undefined) return foreign;
  }
  return undefined;
}

/**
 * The published output that holds `directory` or is it: one more inside would be a file there that no job wrote. Links
 * are followed, as the new output would be where they lead. What this user can't look into is none.
 */
async function outputAround(fs: LocalFs, directory: string): Promise<string | undefined> {
  for (let folder = await fs.promises.realpath(directory); ; folder = dirname(folder)) {
    if (await hasOurManifest(fs, join(folder, manifestName))) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}

async function hasOurManifest(fs: LocalFs, path: string): Promise<boolean> {
  try {
    // Anything else of that name is not ours, and a FIFO would be waited for.
    if ((await lstatOf(fs, path))?.isFile() !== true) return false;
    const content = await contentOf(fs, path, limits.manifestBytesMax);
    return content !== undefined && content !== "too large" && isOurManifest(content, path);
  } catch (thrown) {
    if (isPermission(systemCode(thrown))) return false;
    throw thrown;
  }
}

/** Checks the existing directory in which the others would have to be made, and returns it. */
async function checkParent(fs: LocalFs, path: string): Promise<string> {
  let parent = dirname(path);
  while ((await lstatOf(fs, parent)) === undefined && parent !== dirname(parent)) parent = dirname(parent);
  if (!(await fs.promises.stat(parent)).isDirectory()) {
    throw new MillraceError(
      "wrong-usage",
      `The output ${showPath(path)} can't be made: ${showPath(parent)} is not a directory.`,
    );
  }
  try {
    await fs.promises.access(parent, constants.W_OK | constants.X_OK);
  } catch (thrown) {
    if (!isPermission(systemCode(thrown))) throw thrown;
    throw new MillraceError(
      "wrong-usage",
      `The output ${showPath(path)} can't be made: user ${userName()} may not write in ${showPath(parent)}, where it is put together before it appears. Choose another output directory with -o.`,
      { cause: thrown },
    );
  }
  return parent;
}
