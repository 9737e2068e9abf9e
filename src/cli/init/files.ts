// The files that `millrace init` writes: all of them, or none, and never over one that is there.
import { existsSync, mkdirSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { MillraceError, systemCode } from "../../base/error.ts";

export interface NewFile {
  /** Its name in the folder. */
  readonly name: string;
  readonly text: string;
}

/** Throws `wrong-usage` where one of them is there already; then nothing is written. */
export function writeNew(folder: string, files: readonly NewFile[]): void {
  for (const { name } of files) if (existsSync(join(folder, name))) throw isThere(join(folder, name));
  const written: string[] = [];
  try {
    for (const { name, text } of files) {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text, { flag: "wx" });
      written.push(path);
    }
  } catch (thrown) {
    for (const path of written) unlinkSync(path);
    const code = systemCode(thrown);
    if (code === "EEXIST") throw isThere(join(folder, files[written.length]!.name));
    throw new MillraceError("io-error", `the job can't be written to ${folder}: ${code ?? String(thrown)}`, {
      cause: thrown,
    });
  }
}

function isThere(path: string): MillraceError {
  return new MillraceError(
    "wrong-usage",
    `${path} exists already: give the job another name (millrace init NAME), or remove it`,
  );
}
