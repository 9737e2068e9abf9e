// A seed made of the sources: what chooses values by chance tries the same ones for the same commit, and others as soon
// as a file changes.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** @returns {string} an integer of 32 bits */
export function seedOfSources() {
  const hash = createHash("sha256");
  for (const folder of ["src", "test"]) {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
    for (const name of names.filter((each) => each.endsWith(".ts")).sort())
      hash.update(name).update(readFileSync(join(root, folder, name)));
  }
  return String(hash.digest().readInt32LE());
}
