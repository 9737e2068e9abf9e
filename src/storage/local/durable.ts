// Small steps on a file system that are durable when they return, and looks that take "not there" for an answer.
import type { BigIntStats } from "node:fs";
import { systemCode } from "../../base/error.ts";
import type { LocalFs } from "./fs.ts";

/** The whole content, on disk. Not atomic: write to a name that nobody reads, then rename. */
export async function writeDurably(fs: LocalFs, path: string, bytes: Uint8Array): Promise<void> {
  const file = await fs.promises.open(path, "w", 0o666);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Of a directory: its names are durable. */
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

/** Of a file that somebody else may have made: "too large" beyond `bytesMax`, without reading it. */
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

/** Names in a directory. */
export async function namesIn(fs: LocalFs, path: string): Promise<string[] | undefined> {
  try {
    return await fs.promises.readdir(path);
  } catch (thrown) {
    return absent(thrown);
  }
}

/** Waits for a step that may find its work done already: these errors say so. */
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
