// A bundle is written for slots of this machine, or is on its way to others, where nothing of it may stay outside.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { WorkDirectory } from "../worker/disk/work-directory.ts";
import { writeBundle } from "./bundle-file.ts";

const root = mkdtempSync(join(tmpdir(), "millrace-bundle-file-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it("refuses to ship a native addon, and names it", async () => {
  const folder = join(root, "node_modules/fast");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "fast", version: "2.0.0", main: "index.js" }));
  writeFileSync(join(folder, "index.js"), `module.exports = require("./fast.node");`);
  writeFileSync(join(folder, "fast.node"), "");
  const module = join(root, "job.ts");
  writeFileSync(module, `import fast from "fast";\nexport default fast;\n`);
  const work = { path: root, bundle: join(root, "bundle.mjs") } as unknown as WorkDirectory;
  const shipped = writeBundle({ module, work, environment: {}, isShipped: true });
  await expect(shipped).rejects.toMatchObject({
    code: "wrong-job",
    message: expect.stringMatching(/native addons.*fast@2\.0\.0 in .*node_modules\/fast\. .*\(--master none\)/),
  });
  expect(() => readFileSync(work.bundle)).toThrow("ENOENT");
  await writeBundle({ module, work, environment: {} });
  expect(readFileSync(work.bundle, "utf8")).toContain("node_modules/fast/index.js");
});
