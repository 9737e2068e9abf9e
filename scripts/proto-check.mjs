// Whether src/wire/gen is what proto/ says: generates the messages into a temporary folder and compares. `npm run
// proto` writes them.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const generated = "src/wire/gen";
const scratch = mkdtempSync(join(tmpdir(), "millrace-proto-"));
try {
  const { status, stderr, error } = spawnSync(join(root, "node_modules/.bin/buf"), ["generate", "--output", scratch], {
    cwd: root,
    encoding: "utf8",
  });
  if (error !== undefined || status !== 0) throw new Error(`buf generate failed: ${error?.message ?? stderr}`);
  const filesOf = (folder) =>
    readdirSync(join(folder, generated), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  const made = filesOf(scratch);
  if (made.length === 0) throw new Error("buf generate made nothing");
  for (const path of new Set([...made, ...filesOf(root)])) {
    const [here, there] = [join(root, path), join(scratch, path)];
    if (existsSync(here) && existsSync(there) && readFileSync(here).equals(readFileSync(there))) continue;
    console.error(
      existsSync(there)
        ? `${path} is not what proto/ says: run \`npm run proto\` and commit it`
        : `${path} belongs to no file of proto/: run \`npm run proto\` and commit that it is gone`,
    );
    process.exitCode = 1;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
