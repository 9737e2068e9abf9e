// Builds what npm is about to pack, link or install from this folder: `prepack` and `prepare` of package.json. A clone
// that has no development dependencies yet gets them, unless it is the clone's own `npm ci --omit=dev` that asks.
//
// Nothing is written to standard output, where `npm pack --json` has its list.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isPacking = process.env.npm_lifecycle_event === "prepack";
const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const isInstalled = Object.keys(devDependencies).every((name) => existsSync(join(root, "node_modules", name)));

if (!isInstalled) {
  if (!isPacking && isOwnInstall()) {
    console.error("millrace: without its development dependencies this clone is not built");
    process.exit(0);
  }
  console.error(`millrace: installs the development dependencies of ${root}, to build it`);
  run(npm(), ["ci", "--ignore-scripts"], ownSettings());
}
run([process.execPath, join(root, "scripts/build.mjs")], isPacking ? [] : ["--if-stale"], process.env);

/** Whether it is an install within this very folder that calls: it is still under way, and no other may begin. */
function isOwnInstall() {
  const from = process.env.INIT_CWD;
  return from === undefined || (existsSync(from) && realpathSync(from) === realpathSync(root));
}

/** The npm that calls, or where another package manager does, the one on the path. */
function npm() {
  const own = process.env.npm_execpath;
  if (own !== undefined && /\bnpm-cli\.c?js$/.test(own)) return [process.execPath, own];
  return [process.platform === "win32" ? "npm.cmd" : "npm"];
}

/**
 * The environment without what the calling npm was told to do (`--global`, `--omit`, …), but with where packages are.
 */
function ownSettings() {
  const kept =
    /^npm_config_(registry|cache|userconfig|globalconfig|proxy|https_proxy|noproxy|ca|cafile|strict_ssl|(prefer_)?offline)$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name) || kept.test(name)));
}

function run([program, ...first], args, env) {
  const { status, error } = spawnSync(program, [...first, ...args], { cwd: root, env, stdio: ["ignore", 2, 2] });
  if (error !== undefined) console.error(`millrace: ${program} can't be started: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}
