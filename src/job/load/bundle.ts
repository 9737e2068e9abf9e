// Makes a job's module into the one file that is shipped to every slot: ESM for Node, with everything that it imports
// inside, except `millrace`, which the slot provides with its own objects, and native addons (addons.ts). The same
// sources in the same place give the same bytes, whichever process bundles them.
import { createHash } from "node:crypto";
import { readFile, realpath, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { BuildFailure, Message, Metafile, Plugin } from "esbuild";
import { toHex } from "../../base/bytes/bytes.ts";
import { MillraceError, systemCode } from "../../base/error.ts";
import { limits } from "../../base/limits.ts";
import { systemClock } from "../../base/system/clock.ts";
import { formatBytes } from "../../base/units.ts";
import { version } from "../../base/version.ts";
import * as api from "../api.ts";
import { addons, type Outside, outsideOf, outsideTexts, packageOf, saysAddon } from "./addons.ts";
import { environmentReads } from "./environment-reads.ts";

export interface JobBundle {
  readonly code: Uint8Array;
  /** The SHA-256 of `code` in hexadecimal, which names the bundle everywhere. */
  readonly digest: string;
  /** The bundler's warnings, ready to be shown. */
  readonly warnings: readonly string[];
  /** What the job's own modules import by a name that is known only at run time: it is not in the bundle. */
  readonly unbundled: readonly string[];
  /** Packages with native addons and such files, by place: with any, the bundle runs on this machine only. */
  readonly outside: readonly string[];
  /** Environment variables that the job's own modules read, without those in node_modules. */
  readonly environmentReads: readonly string[];
}

/**
 * Bundles the job's module, given as a path or a file URL. Throws `wrong-job` when it does not compile or imports
 * something that can't be shipped (naming file and line), and `over-limit` above 16 MiB.
 */
export async function bundleJob(module: string): Promise<JobBundle> {
  const path = await entryPath(module);
  let built = await build(path, { banner: "", outside: outsideOf([]) });
  // What a package imports is known once it is bundled. Each round leaves one more outside, at least.
  while (built.outside.found.size > 0) {
    const { packages, found } = built.outside;
    built = await build(path, { banner: "", outside: outsideOf([...packages, ...found]) });
  }
  const outside = await outsideTexts(built.outside);
  // Packages in CommonJS call `require` for Node's own modules, which ESM doesn't have. The banner is added only for
  // them, because a job may define a `require` of its own.
  const banner = built.code.includes("\nvar __require = ") ? requireBanner : "";
  if (banner !== "" || outside.length > 0) {
    const footer = outside.map((text) => `// outside of this bundle: ${JSON.stringify(text)}`).join("\n");
    built = await build(path, { banner, footer, outside: outsideOf(built.outside.packages) });
  }
  const { code, warnings, unbundled, modules } = built;
  if (code.length > limits.bundleBytesMax) {
    throw new MillraceError(
      "over-limit",
      `${shown(path)} and all that it imports make a bundle of ${formatBytes(code.length)}, and at most ${formatBytes(limits.bundleBytesMax)} are allowed: ship data as side files (files: { name: PATH })`,
    );
  }
  const environmentReads = code.includes("env") ? await readsOf(modules) : [];
  const digest = toHex(createHash("sha256").update(code).digest());
  return { code, digest, warnings, unbundled, outside, environmentReads };
}

/**
 * Scans the modules for reads of the environment. It only serves a warning, so files that it can't read are skipped.
 */
async function readsOf(modules: readonly string[]): Promise<readonly string[]> {
  const names = new Set<string>();
  for (const path of modules) {
    const source = await readFile(path, "utf8").catch(() => "");
    for (const name of await environmentReads(esbuild(), path, source)) names.add(name);
  }
  return [...names].toSorted();
}

/**
 * Loaded by `require` when it is needed: to import a CommonJS module Node first parses it for its exports, which takes
 * 60 ms here.
 */
function esbuild(): typeof import("esbuild") {
  return createRequire(import.meta.url)("esbuild") as typeof import("esbuild");
}

const requireBanner =
  'import { createRequire as millraceCreateRequire } from "node:module"; const require = millraceCreateRequire(import.meta.url);';

async function entryPath(module: string): Promise<string> {
  const given = module.startsWith("file:") ? fileURLToPath(module) : resolve(module);
  try {
    const path = await realpath(given); // the same file by another name is the same job
    if (!(await stat(path)).isFile())
      throw new MillraceError(
        "wrong-usage",
        `${shown(given)} is not a file: give the module whose default export is the job`,
      );
    return path;
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    throw new MillraceError(
      "wrong-usage",
      systemCode(error) === "ENOENT"
        ? `there is no job file ${shown(given)}`
        : `the job file ${shown(given)} can't be read: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

/** The bundler's names for imports that it leaves as they are. */
const unbundledKinds = ["unsupported-dynamic-import", "unsupported-require-call", "indirect-require"] as const;

function isUnbundled(id: string): boolean {
  return unbundledKinds.some((kind) => kind === id);
}

function unbundledText({ location }: Message, directory: string): string {
  const place =
    location === null
      ? "the job"
      : `${shown(resolve(directory, location.file))}:${location.line}:${location.column + 1}`;
  return `${place} imports a module whose name is known only at run time, so it is not in the bundle that slots load, and is not found there: import it by a literal name, or declare a file of data as a side file (files: { name: PATH }) and read it from ctx.file("name")`;
}

interface BuildOptions {
  readonly banner: string;
  readonly footer?: string;
  readonly outside: Outside;
}

interface Built extends Pick<JobBundle, "warnings" | "unbundled"> {
  readonly code: Buffer;
  readonly modules: readonly string[];
  readonly outside: Outside;
}

async function build(path: string, { banner, footer = "", outside }: BuildOptions): Promise<Built> {
  const directory = dirname(path);
  try {
    const result = await inTime(
      path,
      esbuild().build({
        absWorkingDir: directory,
        entryPoints: [`./${basename(path)}`],
        outfile: join(directory, "job.mjs"), // never written, but sources are named relative to it
        write: false,
        bundle: true,
        format: "esm",
        platform: "node",
        target: "node20",
        charset: "utf8",
        legalComments: "none",
        sourcemap: "inline",
        sourcesContent: false,
        sourceRoot: pathToFileURL(`${directory}/`).href,
        banner: { js: banner },
        footer: { js: footer },
        logLevel: "silent",
        logOverride: Object.fromEntries(unbundledKinds.map((kind) => [kind, "warning" as const])),
        metafile: true,
        plugins: [leftToTheSlot, addons(path, outside)],
      }),
    );
    const { contents } = result.outputFiles[0]!;
    for (const folder of await nativePackages(result.warnings, directory))
      if (!outside.packages.has(folder)) outside.found.add(folder);
    return {
      outside,
      code: Buffer.from(contents.buffer, contents.byteOffset, contents.length),
      warnings: result.warnings.filter(({ id }) => !isUnbundled(id)).map((warning) => messageText(warning, directory)),
      unbundled: result.warnings
        .filter(({ id, location }) => isUnbundled(id) && !inPackage.test(location?.file ?? ""))
        .map((warning) => unbundledText(warning, directory)),
      modules: ownModules(result.metafile, directory),
    };
  } catch (thrown) {
    if (thrown instanceof MillraceError) throw thrown;
    // The errors may be those of a package that is going to stay outside.
    if (outside.found.size > 0) return { outside, code: Buffer.alloc(0), warnings: [], unbundled: [], modules: [] };
    const { errors } = thrown as BuildFailure;
    if (!Array.isArray(errors) || errors.length === 0) throw thrown;
    const texts = errors.slice(0, 5).map((error) => messageText(error, directory));
    const more = errors.length > 5 ? `\n… and ${errors.length - 5} more` : "";
    throw new MillraceError("wrong-job", `the job file can't be bundled:\n${texts.join("\n")}${more}`, {
      cause: thrown,
    });
  }
}

/** Packages that load something by a name that is known only at run time, and say that they have an addon. */
async function nativePackages(warnings: readonly Message[], directory: string): Promise<readonly string[]> {
  const files = warnings.flatMap(({ id, location }) =>
    isUnbundled(id) && inPackage.test(location?.file ?? "") ? [resolve(directory, location!.file)] : [],
  );
  const folders = new Set(await Promise.all(files.map(packageOf)));
  const found = [...folders].map(async (folder) => (folder !== undefined && (await saysAddon(folder)) ? [folder] : []));
  return (await Promise.all(found)).flat();
}

const inPackage = /(?:^|\/)node_modules\//;

/** The modules in the bundle that are not from packages. */
function ownModules({ outputs }: Metafile, directory: string): readonly string[] {
  const used = Object.values(outputs).flatMap(({ inputs }) => Object.entries(inputs));
  return used
    .filter(([name, { bytesInOutput }]) => bytesInOutput > 0 && !inPackage.test(name))
    .map(([name]) => resolve(directory, name));
}

/** Bounds the time: a pipe among the imported files would be read for ever. */
async function inTime<T>(path: string, work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const tooLong = systemClock.sleep(limits.loadMs, timer.signal).then(() => {
    throw new MillraceError(
      "wrong-job",
      `${shown(path)} and what it imports are not read after ${limits.loadMs / 1000} s: does it import a pipe, or from a folder that does not answer?`,
    );
  });
  tooLong.catch(() => {}); // it may never time out
  try {
    return await Promise.race([work, tooLong]);
  } finally {
    timer.abort();
  }
}

/** `import "millrace"` gets the slot's own objects, so that `sum` and `utf8` are recognised by identity. */
const leftToTheSlot: Plugin = {
  name: "left-to-the-slot",
  setup(plugin) {
    plugin.onResolve({ filter: /^millrace(?:$|\/)/ }, ({ path }) => {
      if (path === "millrace") return { path, namespace: "millrace", sideEffects: true };
      const reason =
        path === "millrace/testing"
          ? "it is for tests: import it in the test, not in the job's module"
          : "there is no such module";
      return { errors: [{ text: `${path} can't be imported by a job: ${reason}` }] };
    });
    plugin.onLoad({ filter: /.*/, namespace: "millrace" }, () => ({ contents: slotModule, loader: "js" }));
  },
};

const slotModule = `const api = globalThis[Symbol.for("millrace")];
if (api === undefined) throw new Error("this is the bundle of a Millrace job, which only a slot can load: use millrace run");
if (api.version !== "${version}") throw new Error("the job was bundled by millrace ${version}, and this worker runs " + api.version + ": install the same version everywhere");
export const { ${[...Object.keys(api), "run"].sort().join(", ")} } = api;
`;

/** "jobs/count.ts:3:7: Expected ";" but found "x"", and the line itself. */
function messageText(message: Message, directory: string): string {
  const { location } = message;
  const missing = /^Could not resolve "((?:@[^/"]+\/)?[^./"][^/"]*)/.exec(message.text)?.[1];
  const advice = missing === undefined ? "" : `: is it installed where the job file is (npm install ${missing})?`;
  if (location === null) return `${message.text}${advice}`;
  const place = `${shown(resolve(directory, location.file))}:${location.line}:${location.column + 1}`;
  const line = location.lineText.length > 200 ? `${location.lineText.slice(0, 200)}…` : location.lineText;
  return `${place}: ${message.text}${advice}\n  ${location.line} | ${line}`;
}

/** The path, relative where that is shorter. */
function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.length < path.length && !short.startsWith("..") ? short : path;
}
