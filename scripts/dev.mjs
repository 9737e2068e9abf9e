// `npm run dev`: builds now and after each change of what a build is made of, until Ctrl-C. One build at a time; a
// build that fails says why, leaves the dist/ of before, and the next change is tried.
import { spawn } from "node:child_process";
import { existsSync, watch } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** An editor writes a file in several steps, and a change of branches writes many files. */
const quietMs = 100;

let timer;
let building;
let isStale = false;

function changed() {
  isStale = true;
  clearTimeout(timer);
  timer = setTimeout(build, quietMs);
}

function build() {
  if (building !== undefined || !isStale) return;
  isStale = false;
  const started = performance.now();
  building = spawn(process.execPath, [join(root, "scripts/build.mjs"), ...process.argv.slice(2)], {
    cwd: root,
    stdio: "inherit",
  });
  building.on("close", (code) => {
    building = undefined;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(code === 0 ? `built in ${seconds} s` : `the build failed after ${seconds} s: dist/ is as it was`);
    // What changed meanwhile.
    build();
  });
}

for (const path of ["src", "scripts", "package.json"]) {
  const isFolder = path !== "package.json";
  if (!existsSync(join(root, path))) throw new Error(`${path} is not here: run this in a checkout`);
  watch(join(root, path), { recursive: isFolder }, (_, name) => {
    // Tests are not part of a build.
    if (name === null || !/\.test\.ts$/.test(name)) changed();
  });
}
changed();
