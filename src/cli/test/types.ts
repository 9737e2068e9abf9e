// Checks the job's types, with the TypeScript and the tsconfig.json of the job's own folder.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Check, failed, ok, skipped } from "./check.ts";

const name = "types";
const errorsShown = 10;

/**
 * `module` is an absolute path, and `folder` a private folder to write to. Never rejects because of the job folder's
 * content.
 */
export async function checkTypes(module: string, folder: string, signal: AbortSignal): Promise<Check> {
  if (!/\.[cm]?tsx?$/.test(module)) return skipped(name, `the job is not TypeScript (${extname(module)})`);
  const compiler = compilerOf(module);
  if (compiler === undefined) return skipped(name, `typescript is not installed in ${dirname(module)} or above it`);
  if (!canImportMillrace(module))
    return skipped(name, `the package millrace is not installed in ${dirname(module)} or above it`);
  const config = join(folder, "tsconfig.json");
  writeFileSync(config, JSON.stringify(configFor(module)));
  const { code, output } = await run([compiler, "-p", config, "--pretty", "false"], dirname(module), signal);
  if (code === 0) return ok(name);
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const errors = lines.filter((line) => /error TS\d+/.test(line)).length;
  if (errors === 0) return failed(name, "the compiler failed", lines.slice(0, errorsShown));
  const shown = lines.slice(0, errorsShown);
  if (lines.length > shown.length) shown.push("…");
  return failed(name, `${errors} error${errors === 1 ? "" : "s"}`, shown);
}

/** Path of the `tsc` that is installed for the module; undefined where there is none. */
function compilerOf(module: string): string | undefined {
  try {
    const manifest = createRequire(pathToFileURL(module)).resolve("typescript/package.json");
    const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin?: { tsc?: string } };
    return bin?.tsc === undefined ? undefined : join(dirname(manifest), bin.tsc);
  } catch {
    return undefined; // not installed
  }
}

/**
 * Whether the module can import `millrace`. If not, every type of the job is unknown, and all errors follow from that.
 */
function canImportMillrace(module: string): boolean {
  const own = foldersAbove(module).some((folder) => existsSync(join(folder, "tsconfig.json")));
  if (own) return true; // its `paths` may lead to millrace
  try {
    createRequire(pathToFileURL(module)).resolve("millrace/package.json");
    return true;
  } catch {
    return false;
  }
}

/** The folder's own settings for this one file; where there are none, settings that fit the way a job is bundled. */
function configFor(module: string): object {
  const above = foldersAbove(module);
  const own = above.map((folder) => join(folder, "tsconfig.json")).find((path) => existsSync(path));
  const typeRoots = above.map((folder) => join(folder, "node_modules/@types")).filter((path) => existsSync(path));
  const always = {
    noEmit: true,
    emitDeclarationOnly: false,
    composite: false,
    incremental: false,
    skipLibCheck: true,
    // Made absolute, as nothing would be found relative to a temporary folder.
    ...(typeRoots.length > 0 && { typeRoots }),
  };
  if (own !== undefined) return { extends: own, files: [module], include: [], compilerOptions: always };
  const usual = {
    strict: true,
    target: "es2023",
    module: "preserve",
    moduleResolution: "bundler",
    allowImportingTsExtensions: true,
    types: typeRoots.some((path) => existsSync(join(path, "node"))) ? ["node"] : [],
  };
  return { files: [module], compilerOptions: { ...usual, ...always } };
}

function foldersAbove(path: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    folders.push(folder);
    if (dirname(folder) === folder) return folders;
  }
}

function run(
  words: readonly string[],
  cwd: string,
  signal: AbortSignal,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, words, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        if (output.length < 1_000_000) output += chunk.toString();
      });
    }
    const stop = () => void child.kill("SIGKILL");
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    child.on("error", (error) => resolve({ code: null, output: String(error) }));
    child.on("close", (code) => {
      signal.removeEventListener("abort", stop);
      resolve({ code, output });
    });
  });
}
