// Starts one of the product's programs from a bundle whose code V8 has compiled before: `dist/program/NAME.cjs` beside
// `NAME-DIGEST-ARCH-TAG.cache`. Compiling what a command or a slot needs takes 60 ms; reading it from a code cache
// takes a tenth of that (v8.dev/blog/code-caching-for-devs). Without a cache only time is lost: the first process that
// has run the code writes one, where it may. The tag stands for the build of Node, and for what V8's own tag does: its
// version, its flags and what the processor can do. V8 refuses a cache with another tag of its own, but takes that of
// another build of the same V8, and crashes: Node 20.19.0 and 20.20.2 both have 11.3.244.8. So any two Nodes that share
// a folder have a cache each. Nor does V8 check whether the bytes are whole. Therefore their SHA-256 follows them.
import { createHash } from "node:crypto";
import { accessSync, constants as fs, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { cachedDataVersionTag, setFlagsFromString } from "node:v8";
import { Script } from "node:vm";
import { assert } from "./base/assert.ts";
import { exitCodes } from "./base/error-codes.ts";
import type { Host } from "./base/system/host.ts";
import { refuseOtherRuntimes } from "./base/system/runtime.ts";

// Without a listener SIGUSR1 makes Node open a debugger's port, which asks for no token: whoever reaches the port runs
// code here. This comes first of all, as the signal may come at any time. Where the listeners are removed, by a job's
// code for instance, the signal ends the process.
process.on("SIGUSR1", () => {});

/** The length of the checksum at the end of a cache. */
const sumBytes = 32;

/** Runs the program `name` of `directory`. `digest` is that of the bundle's code. */
export function boot(directory: string, name: string, digest: string): void {
  try {
    refuseOtherRuntimes();
  } catch (error) {
    process.stderr.write(`error: ${(error as Error).message}\n`);
    process.exit(exitCodes.machine);
  }
  if (name === "slot") optimizeLater();
  const path = join(directory, "program", `${name}.cjs`);
  const tag = `${withDefaultFlags(cachedDataVersionTag).toString(16)}-${nodeBuild()}`;
  const cachePath = join(directory, "program", `${name}-${digest}-${process.arch}-${tag}.cache`);
  // The bundler escapes all characters that are not ASCII.
  const code = readFileSync(path, "latin1");
  const cachedData = readCache(cachePath);
  const url = pathToFileURL(path).href;
  const script = withDefaultFlags(
    () =>
      new Script(`(function (exports, require, module, bundleUrl) {${code}\n})`, {
        // A cache keeps the name with which it was made, and a folder may be moved.
        filename: `millrace:program/${name}.cjs`,
        ...(cachedData !== undefined && { cachedData }),
      }),
  );
  const module: { exports: { main?: (host: Host) => void } } = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(path), module, url);
  let isCached = cachedData !== undefined && script.cachedDataRejected === false;
  const { main } = module.exports;
  assert(main !== undefined, `the program ${name} exports no main`);
  main({
    warmed() {
      if (isCached) return;
      isCached = true;
      writeCache(script, join(directory, "program"), cachePath);
    },
    importModule: (url) => import(url),
  });
}

/**
 * A slot runs a few functions for billions of records, and hundreds of others for a moment. V8 11 (Node 20) optimizes
 * both, and for the others that takes a fifth of a short slot's processor time; with this flag it waits half as long
 * again. A longer wait helps only short jobs, as each task has closures of its own to be optimized. Later versions
 * don't know the option, and have a quick compiler in between.
 */
function optimizeLater(): void {
  if (process.versions.v8.startsWith("11.")) setFlagsFromString(`--interrupt-budget=${100_000}`);
}

/** Tells builds of Node apart: of other versions, with other settings, or by other people. */
function nodeBuild(): string {
  const { version, versions, config, execPath } = process;
  let bytes = 0;
  try {
    bytes = statSync(execPath).size;
  } catch {
    // Replaced while this process runs.
  }
  const build = JSON.stringify([version, versions, config, bytes]);
  return createHash("sha256").update(build).digest("hex").slice(0, 16);
}

function readCache(path: string): Buffer | undefined {
  try {
    const content = readFileSync(path);
    const data = content.subarray(0, -sumBytes);
    return content.length > sumBytes && sumOf(data).equals(content.subarray(-sumBytes)) ? data : undefined;
  } catch {
    return undefined;
  }
}

function sumOf(data: Buffer): Buffer {
  return createHash("sha256").update(data).digest();
}

/**
 * Writes the cache whole, or not at all. Where it may not write (an installation that belongs to root) nothing changes.
 */
function writeCache(script: Script, directory: string, path: string): void {
  const temporary = `${path}.${process.pid}`;
  try {
    accessSync(directory, fs.W_OK);
    const data = withDefaultFlags(() => script.createCachedData());
    writeFileSync(temporary, Buffer.concat([data, sumOf(data)]));
    renameSync(temporary, path);
  } catch {
    // The only consequence is a slower start next time.
    rmSync(temporary, { force: true });
  }
}

/**
 * V8 takes a cache only under the flags with which it was made, and slots differ in the limit of their heap. That limit
 * was set when the process began, so its flag is taken away meanwhile, and one cache serves all.
 */
function withDefaultFlags<T>(work: () => T): T {
  const limit = process.execArgv.find((flag) => flag.startsWith("--max-old-space-size="));
  if (limit === undefined) return work();
  setFlagsFromString("--max-old-space-size=0");
  try {
    return work();
  } finally {
    setFlagsFromString(limit);
  }
}
