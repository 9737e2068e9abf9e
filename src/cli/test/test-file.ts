// Tests of jobs, written for a test runner (*.test.ts), run by every Node: one that does not read TypeScript is given
// a bundle. `millrace` and `millrace/testing` are those of this program, also where neither is installed.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import type { BuildFailure, Plugin } from "esbuild";
import { MillraceError } from "../../base/error.ts";
import { interruptSignals } from "../interrupts.ts";

/**
 * Runs the file in a process of its own, which prints what its tests say. Returns whether all passed. Throws
 * `wrong-job` for a file that does not compile.
 */
export async function runTestFile(path: string): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-test-"));
  try {
    const bundled = join(folder, `${basename(path).replace(/\.[^.]+$/, "")}.mjs`);
    writeFileSync(bundled, await bundle(path));
    return await run(["--enable-source-maps", "--test-reporter=spec", bundled]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function bundle(path: string): Promise<Uint8Array> {
  const folder = dirname(path);
  // Loaded when it is needed, as in job/load/bundle.ts.
  const { build } = createRequire(import.meta.url)("esbuild") as typeof import("esbuild");
  const withBanner = async (banner: string) => {
    const { outputFiles } = await build({
      absWorkingDir: folder,
      entryPoints: [path],
      outfile: join(folder, "test.mjs"), // never written, but sources are named relative to it
      write: false,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      sourcemap: "inline",
      sourcesContent: false,
      sourceRoot: pathToFileURL(`${folder}/`).href,
      banner: { js: banner },
      // Files beside the test are found by its URL.
      define: {
        "import.meta.url": JSON.stringify(pathToFileURL(path).href),
        "import.meta.dirname": JSON.stringify(folder),
        "import.meta.filename": JSON.stringify(path),
      },
      logLevel: "silent",
      plugins: [ownModules],
    });
    return outputFiles[0]!;
  };
  try {
    const { text, contents } = await withBanner("");
    // Packages in CommonJS call `require` for Node's own modules. A test may define a `require` of its own.
    return text.includes("\nvar __require = ") ? (await withBanner(requireBanner)).contents : contents;
  } catch (thrown) {
    const { errors } = thrown as BuildFailure;
    if (!Array.isArray(errors) || errors.length === 0) throw thrown;
    const texts = errors.slice(0, 5).map(({ text, location }) => {
      const where = location === null ? "" : `${shown(join(folder, location.file))}:${location.line}: `;
      return where + text;
    });
    throw new MillraceError("wrong-job", `the test can't be bundled:\n${texts.join("\n")}`, { cause: thrown });
  }
}

const requireBanner =
  'import { createRequire as millraceCreateRequire } from "node:module"; const require = millraceCreateRequire(import.meta.url);';

/** vitest is not bundled: a test that imports it only where vitest runs it does not need it here. */
const ownModules: Plugin = {
  name: "own-modules",
  setup(plugin) {
    const parts: Readonly<Record<string, string>> = { millrace: "../index.js", "millrace/testing": "../testing.js" };
    plugin.onResolve({ filter: /^millrace(?:$|\/testing$)/ }, ({ path }) => ({
      path: new URL(parts[path]!, import.meta.url).href,
      external: true,
    }));
    plugin.onResolve({ filter: /^(?:vitest|node:test)$/ }, ({ path }) => ({ path, external: true }));
  },
};

/** An interrupt goes to the test, which a terminal tells of it anyway, and this process ends when it has ended. */
function run(words: readonly string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    // This process may itself be part of a test, of which that one must not take itself for a part.
    const { VITEST: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
    const child = spawn(process.execPath, words, { stdio: "inherit", env });
    const pass = (signal: NodeJS.Signals) => void child.kill(signal);
    for (const signal of interruptSignals) process.on(signal, pass);
    const end = () => {
      for (const signal of interruptSignals) process.off(signal, pass);
    };
    child.on("error", (error) => {
      end();
      reject(error);
    });
    child.on("close", (code) => {
      end();
      resolve(code === 0);
    });
  });
}

function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith("..") ? path : short;
}
