// Starts one of the product's programs from a bundle whose code V8 has compiled before: `dist/program/NAME.cjs` beside
// `NAME-DIGEST-ARCH-TAG.cache`. Compiling what a command or a slot needs takes 60 ms, reading it from a code cache a tenth of that
// (v8.dev/blog/code-caching-for-devs). Having none costs nothing but time: the first process that has run the code writes it where
// it may. The tag is V8's own, of its version, its flags and what the processor can do, which are what it refuses a cache by: two
// Nodes that share a folder have a cache each. Whether the bytes are whole V8 does not look; a damaged cache would crash it. So
// their SHA-256 is behind them.
import { createHash } from "node:crypto";
import { accessSync, constants as fs, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { cachedDataVersionTag, setFlagsFromString } from "node:v8";
import { Script } from "node:vm";
import { exitCodes } from "./base/error-codes.ts";
import type { Host } from "./base/system/host.ts";
import { refuseOtherRuntimes } from "./base/system/runtime.ts";

// Without a listener SIGUSR1 makes Node open a debugger's port, which asks nobody for a token: whoever reaches it runs code here.
// First of all, as the signal may come at any time. Where the listeners are removed, by a job's code for instance, the
// signal ends the process.
process.on("SIGUSR1", () => {});

/** At the end of a cache. */
const sumBytes = 32;

/** `digest`: of the bundle's code. */
export function boot(directory: string, name: string, digest: string): void {
  try {
    refuseOtherRuntimes();
  } catch (error) {
    process.stderr.write(`error ${(error as Error).message}\n`);
    process.exit(exitCodes.machine);
  }
  if (name === "slot") optimizeLater();
  const path = join(directory, "program", `${name}.cjs`);
  const tag = withDefaultFlags(cachedDataVersionTag).toString(16);
  const cachePath = join(directory, "program", `${name}-${digest}-${process.arch}-${tag}.cache`);
  // The bundler escapes what is not ASCII.
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
  module.exports.main!({
    warmed() {
      if (isCached) return;
      isCached = true;
      writeCache(script, join(directory, "program"), cachePath);
    },
    importModule: (url) => import(url),
  });
}

/**
 * A slot runs a few functions for billions of records, and hundreds of others for a moment. V8 11 (Node 20) optimizes both, and for the
 * others that is a fifth of a short slot's processor time: it waits half as long again here. Longer pays for short jobs alone, as each
 * task has closures of its own to be optimized. Later versions don't know the option, and have a quick compiler in between.
 */
function optimizeLater(): void {
  if (process.versions.v8.startsWith("11.")) setFlagsFromString(`--interrupt-budget=${100_000}`);
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

/** Whole, or not at all; where it may not write (an installation that belongs to root) things stay as they are. */
function writeCache(script: Script, directory: string, path: string): void {
  const temporary = `${path}.${process.pid}`;
  try {
    accessSync(directory, fs.W_OK);
    const data = withDefaultFlags(() => script.createCachedData());
    writeFileSync(temporary, Buffer.concat([data, sumOf(data)]));
    renameSync(temporary, path);
  } catch {
    // A slower start next time is all that comes of it.
    rmSync(temporary, { force: true });
  }
}

/**
 * V8 takes a cache only under the flags with which it was made, and slots differ in the limit of their heap. That limit was set
 * when the process began: without its flag meanwhile, one cache does for all.
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
