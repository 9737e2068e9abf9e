// Small steps on a file system that are durable when they return, and looks at it for which "not there" is a normal
// answer.
import type { BigIntStats } from "node:fs";
import { systemCode } from "../../base/error.ts";
import type { LocalFs } from "./fs.ts";

/** Writes the whole content to disk. Not atomic: write to a name that no one reads, then rename. */
export async function writeDurably(fs: LocalFs, path: string, bytes: Uint8Array): Promise<void> {
  const file = await fs.promises.open(path, "w", 0o666);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a directory durable. */
export async function sync(fs: LocalFs, path: string): Promise<void> {
  const file = await fs.promises.open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function lstatOf(fs: LocalFs, path: string): Promise<BigIntStats | undefined> {
  try {
    return await fs.promises.lstat(path, { bigint: true });
  } catch (thrown) {
    return absent(thrown);
  }
}

/**
 * The content of a file that may be anyone's: "too large" beyond `bytesMax`, without reading it; undefined where there
 * is none.
 */
export async function contentOf(
  fs: LocalFs,
  path: string,
  bytesMax: number,
): Promise<Buffer | "too large" | undefined> {
  try {
    const { size } = await fs.promises.stat(path);
    return size > bytesMax ? "too large" : await fs.promises.readFile(path);
  } catch (thrown) {
    return absent(thrown);
  }
}

/** The names in a directory; undefined where there is none. */
export async function namesIn(fs: LocalFs, path: string): Promise<string[] | undefined> {
  try {
    return await fs.promises.readdir(path);
  } catch (thrown) {
    return absent(thrown);
  }
}

/** Waits for a step that may find its work done already, which these errors mean. */
export async function unless(codes: readonly string[], step: Promise<unknown>): Promise<void> {
  try {
    await step;
  } catch (thrown) {
    if (!codes.includes(systemCode(thrown) ?? "")) throw thrown;
  }
}

function absent(thrown: unknown): undefined {
  const code = systemCode(thrown);
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  throw thrown;
}
