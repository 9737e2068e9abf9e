// The generated inputs in bench/.work, made once, and whether the disk holds what a run needs.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, statfsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const MB = 1_000_000;
/** Everything that a run writes. */
export const work = join(here, ".work");
/** What this run's contestants write; removed at its end. */
export const ownFolder = join(work, `run-${process.pid}`);
mkdirSync(ownFolder, { recursive: true });
process.on("exit", () => rmSync(ownFolder, { recursive: true, force: true }));

/** The file for data of this kind (generate.mjs) and size. */
export const dataFile = (kind, megabytes) => join(work, `${kind}-${megabytes}.dat`);

/** MB of data of about ten times the least budget (contestants.mjs) at the usual size of 500 MB. */
export const tenfold = (size) => Math.round((size * 1280) / 500);

const isThere = (kind, megabytes) => {
  const file = dataFile(kind, megabytes);
  if (!existsSync(file)) return false;
  const stat = statSync(file);
  return stat.isDirectory() || stat.size >= megabytes * MB; // a folder gets its name when all is in it
};

/**
 * Throws when the data missing of `inputs` ([kind, megabytes]) and three times the largest of them don't fit on the
 * disk.
 */
export function checkDisk(inputs) {
  const missing = new Map(inputs.filter((input) => !isThere(...input)).map((input) => [dataFile(...input), input[1]]));
  const data = [...missing.values()].reduce((sum, megabytes) => sum + megabytes, 0);
  const needed = data + 3 * Math.max(0, ...inputs.map(([, megabytes]) => megabytes));
  const { bavail, bsize } = statfsSync(work);
  const free = Math.floor((bavail * bsize) / MB);
  if (free >= needed) return;
  throw new Error(`${work} has ${free} MB free, and ${needed} MB may be needed; free some, or use a smaller --size`);
}

/** Generates what is missing, in a process that can be interrupted. */
export async function generateMissing(inputs, { signal, log }) {
  for (const [kind, megabytes] of inputs) {
    if (isThere(kind, megabytes)) continue;
    const file = dataFile(kind, megabytes);
    const partial = `${file}.partial`;
    log(`generating ${file}`);
    try {
      await new Promise((resolve, reject) => {
        const args = [join(here, "generate.mjs"), kind, String(megabytes * MB), partial];
        const child = spawn(process.execPath, args, { stdio: "inherit", signal });
        child.on("error", reject);
        child.on("close", (code) => (code === 0 ? resolve() : reject(new Error(`generate.mjs ended with ${code}`))));
      });
      renameSync(partial, file);
    } finally {
      rmSync(partial, { recursive: true, force: true });
    }
  }
}
