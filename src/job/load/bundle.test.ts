// Jobs as users write them: bundled from files, then loaded in a process of their own, as slots do.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleJob } from "./bundle.ts";
import type { JobDescription } from "./describe.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "millrace-bundle-")));
const loader = join(root, "dist", "loader.mjs");

function write(path: string, content: string | Uint8Array): string {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, content);
  return full;
}

interface Loaded {
  readonly description?: JobDescription;
  /** The error that the first input's map threw for the record "x". */
  readonly mapError?: { readonly message: string; readonly stack?: string };
  readonly emitted?: readonly unknown[];
  readonly error?: { readonly code?: string; readonly message: string; readonly stack?: string };
}

/** Loads the bundle in a new process, runs map once and reports the outcome. */
async function load(
  path: string,
  options: { readonly install?: boolean; readonly digest?: string } = {},
): Promise<Loaded> {
  const { code, digest } = await bundleJob(path);
  const bundle = write(`slots/${digest}.mjs`, code);
  const request = { bundle, digest: options.digest ?? digest, install: options.install ?? true };
  return JSON.parse(
    execFileSync(process.execPath, [loader, JSON.stringify(request)], { encoding: "utf8", cwd: root }),
  ) as Loaded;
}

beforeAll(async () => {
  const here = fileURLToPath(new URL(".", import.meta.url));
  await build({
    stdin: {
      resolveDir: here,
      loader: "ts",
      contents: `
        import { describeJob } from "./describe.ts";
        import { installMillrace, loadJob } from "./load.ts";
        import { describeThrown } from "../thrown.ts";
        const { bundle, digest, install } = JSON.parse(process.argv[2]!);
        const answer: Record<string, unknown> = {};
        try {
          if (install) installMillrace();
          const job = await loadJob(bundle, digest);
          answer["description"] = describeJob(job);
          const emitted: unknown[] = [];
          try {
            await job.inputs[0]!.map("x", (...pair: unknown[]) => emitted.push(pair), {});
          } catch (thrown) {
            answer["mapError"] = describeThrown(thrown);
          }
          answer["emitted"] = emitted;
        } catch (thrown) {
          answer["error"] = { code: (thrown as { code?: unknown }).code, ...describeThrown(thrown) };
        }
        console.log(JSON.stringify(answer));
      `,
    },
    outfile: loader,
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    sourcemap: "linked",
  });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const wordCount = `
import { defineJob, text, utf8, uint, sum, type Emit } from "millrace";
import { wordsOf } from "./lib/words.ts";

interface Unused { a: string }

export default defineJob({
  name: "word-count",
  input: text(),
  key: utf8,
  value: uint,
  map(line, emit: Emit<string, number>) {
    for (const word of wordsOf(line)) emit(word, 1);
  },
  combine: sum,
});
`;
const wordsOf = `
export function wordsOf(line: string): string[] {
  return line.split(" ");
}
`;

describe("bundleJob", () => {
  it("bundles a job that a slot can load, with the slot's own objects", async () => {
    write("good/lib/words.ts", wordsOf);
    const loaded = await load(write("good/word-count.ts", wordCount));
    expect(loaded.error).toBeUndefined();
    expect(loaded.description).toMatchObject({ name: "word-count", combine: "sum", partition: "hash" });
    expect(loaded.emitted).toEqual([["x", 1]]);
  });

  it("gives the same bytes wherever it is called, and by whatever name", async () => {
    write("same/lib/words.ts", wordsOf);
    const path = write("same/word-count.ts", wordCount);
    symlinkSync(path, join(root, "same", "linked.ts"));
    const first = await bundleJob(path);
    const directory = process.cwd();
    process.chdir(join(root, "same", "lib"));
    try {
      for (const name of ["../word-count.ts", pathToFileURL(path).href, join(root, "same", "linked.ts")]) {
        expect((await bundleJob(name)).digest).toBe(first.digest);
      }
    } finally {
      process.chdir(directory);
    }
    expect(Buffer.from(first.code).toString()).not.toContain(directory);
    expect(first.warnings).toEqual([]);
    expect(first.unbundled).toEqual([]);
  });

  it("names what is imported by a name that only running it tells, in the job's own modules", async () => {
    const lines = [
      `import { helper } from "some-package";`,
      "const name = process.argv[2] ?? helper;",
      "const imported = await import(name);",
      "const required = require(name);",
      `export default [imported, required, await import("./other.ts")];`,
    ];
    const path = write("dynamic/job.ts", `${lines.join("\n")}\n`);
    write("dynamic/other.ts", "export const fine = 1;\n");
    write("dynamic/node_modules/some-package/package.json", `{"name":"some-package","main":"index.js"}`);
    write("dynamic/node_modules/some-package/index.js", "exports.helper = (name) => require(name);\n");
    const { unbundled, warnings } = await bundleJob(path);
    expect(unbundled.map((text) => /job\.ts:\d+/.exec(text)?.[0])).toEqual(["job.ts:3", "job.ts:4"]);
    expect(unbundled[0]).toMatch(/not in the bundle .*files: \{ name: PATH \}.*ctx\.file\("name"\)/);
    expect(warnings).toEqual([]);
  });

  it.each<[string, string, string, RegExp]>([
    [
      "a syntax error",
      "syntax.ts",
      `export default {\n  map(line) { return line +; }\n};\n`,
      /syntax\.ts:2:28: Unexpected ";"\n {2}2 \| {3}map\(line\) \{ return line \+; \}/,
    ],
    [
      "a missing module",
      "missing.ts",
      `import { x } from "./nowhere.ts";\nexport default x;\n`,
      /missing\.ts:1:19: Could not resolve "\.\/nowhere\.ts"\n {2}1 \| import/,
    ],
    [
      "a missing package",
      "package.ts",
      `import { x } from "left-pad/a";\nexport default x;\n`,
      /Could not resolve "left-pad\/a".*npm install left-pad\)/,
    ],
    [
      "an export that millrace does not have",
      "export.ts",
      `import { sums } from "millrace";\nexport default sums;\n`,
      /export\.ts:1:10: No matching export in "millrace:millrace" for import "sums"/,
    ],
    [
      "millrace/testing",
      "testing.ts",
      `import { runInline } from "millrace/testing";\nexport default runInline;\n`,
      /testing\.ts:1:27: millrace\/testing can't be imported by a job: it is for tests/,
    ],
    [
      "another module of millrace",
      "other.ts",
      `import x from "millrace/dist/index.js";\nexport default x;\n`,
      /there is no such module/,
    ],
    [
      "a native addon that is not there",
      "addon.ts",
      `import x from "./slow.node";\nexport default x;\n`,
      /addon\.ts:1:15: Could not resolve "\.\/slow\.node"/,
    ],
    [
      "a loader of native addons, which would look beside the bundle",
      "bindings.ts",
      `import load from "bindings";\nexport default load("x");\n`,
      /bindings\.ts:1:18: bindings looks for a native addon beside the module that calls it/,
    ],
  ])("refuses %s and shows the line", async (_, name, content, message) => {
    const path = write(`bad/${name}`, content);
    await expect(bundleJob(path)).rejects.toThrow(expect.objectContaining({ code: "wrong-job" }));
    await expect(bundleJob(path)).rejects.toThrow(message);
  });

  it("refuses what is no file", async () => {
    await expect(bundleJob(join(root, "nowhere.ts"))).rejects.toThrow(/there is no job file .*nowhere\.ts/);
    await expect(bundleJob(root)).rejects.toThrow(/is not a file/);
  });

  it("refuses a bundle above 16 MiB, and says what to do with data", async () => {
    write("large/data.json", JSON.stringify({ text: "x".repeat(17 << 20) }));
    const path = write("large/job.ts", `import data from "./data.json";\nexport default data;\n`);
    await expect(bundleJob(path)).rejects.toThrow(expect.objectContaining({ code: "over-limit" }));
    await expect(bundleJob(path)).rejects.toThrow(/17\.0 MiB, and at most 16\.0 MiB.*side files/);
  });

  it("bundles packages in CommonJS, which call require for Node's modules", async () => {
    write("cjs/node_modules/old/package.json", `{"name":"old","version":"1.0.0","main":"index.js"}`);
    write("cjs/node_modules/old/index.js", `const path = require("path"); exports.base = (p) => path.basename(p);`);
    const job = (
      extra: string,
    ) => `import { base } from "old";\nimport { createRequire } from "node:module";\nimport { defineJob, text } from "millrace";\n${extra}
      export default defineJob({ name: "cjs", input: text(), map(line, emit) { emit(base("/a/" + line), 1); } });\n`;
    expect(await load(write("cjs/job.ts", job("void createRequire;")))).toMatchObject({ emitted: [["x", 1]] });
    const own = await load(
      write("cjs/own.ts", job("const require = createRequire(import.meta.url); void require('fs');")),
    );
    expect(own).toMatchObject({ emitted: [["x", 1]] });
  });

  it("lets a job define require by itself", async () => {
    const path = write(
      "own-require/job.ts",
      `import { createRequire } from "node:module";\nimport { defineJob, text } from "millrace";\nconst require = createRequire(import.meta.url);\nconst path = require("node:path");\nexport default defineJob({ name: "own", input: text(), map(line, emit) { emit(path.basename("/b/" + line), 1); } });\n`,
    );
    expect(await load(path)).toMatchObject({ emitted: [["x", 1]] });
  });
});

describe("native addons, which run on this machine only", () => {
  const classicLevel = fileURLToPath(new URL("../../../node_modules/classic-level", import.meta.url));
  /** Emits what `expression` is. */
  const job = (imports: string, expression: string) =>
    `import { defineJob, text } from "millrace";\n${imports}\nexport default defineJob({ name: "native", input: text(), map(line, emit) { emit(line, ${expression}); } });\n`;
  /** A package in CommonJS. */
  const install = (folder: string, name: string, main: string, manifest: object = {}) => {
    write(
      `${folder}/node_modules/${name}/package.json`,
      JSON.stringify({ name, version: "1.2.3", main: "index.js", ...manifest }),
    );
    write(`${folder}/node_modules/${name}/index.js`, main);
  };
  const link = (folder: string) => {
    mkdirSync(join(root, folder, "node_modules"), { recursive: true });
    symlinkSync(classicLevel, join(root, folder, "node_modules/classic-level"));
  };

  /** A real one, for this machine. */
  const addon = () => {
    const { header } = process.report.getReport() as { readonly header: { readonly glibcVersionRuntime?: string } };
    const name = header.glibcVersionRuntime === undefined ? "classic-level.musl.node" : "classic-level.node";
    return readFileSync(join(classicLevel, `prebuilds/${process.platform}-${process.arch}`, name));
  };

  it("leaves a package that has one where it is installed", async () => {
    link("level");
    const path = write(
      "level/job.ts",
      job(`import { ClassicLevel } from "classic-level";`, `typeof new ClassicLevel("nowhere", {}).get`),
    );
    const bundle = await bundleJob(path);
    expect(bundle.outside).toEqual([
      expect.stringMatching(/^classic-level@[\d.]+ in \/.*node_modules\/classic-level$/),
    ]);
    expect(bundle.warnings).toEqual([]);
    expect(Buffer.from(bundle.code).toString()).toContain(pathToFileURL(realpathSync(classicLevel)).href);
    expect((await bundleJob(path)).digest).toBe(bundle.digest);
    expect(await load(path)).toMatchObject({ emitted: [["x", "function"]] });
  });

  it("also where another package requires it, which is in the bundle", async () => {
    link("deep");
    install("deep", "wrapper", `exports.has = typeof require("classic-level").ClassicLevel;`);
    const path = write("deep/job.ts", job(`import { has } from "wrapper";`, "has"));
    expect((await bundleJob(path)).outside).toEqual([expect.stringMatching(/^classic-level@/)]);
    expect(await load(path)).toMatchObject({ emitted: [["x", "function"]] });
  });

  it("also where a package finds it by a name that only running it tells, and says that it has one", async () => {
    const main = `const { join } = require("node:path"); module.exports = require(join(__dirname, "built.js"));`;
    for (const [folder, manifest] of [
      ["says", { gypfile: true }],
      ["silent", {}],
    ] as const) {
      install(folder, "lib", main, manifest);
      write(`${folder}/node_modules/lib/built.js`, `exports.made = "here";`);
      const path = write(`${folder}/job.ts`, job(`import lib from "lib";`, "lib.made"));
      const { outside } = await bundleJob(path);
      expect(outside.length).toBe(folder === "says" ? 1 : 0);
      const loaded = await load(path);
      if (folder === "says") expect(loaded.emitted).toEqual([["x", "here"]]);
      else expect(loaded.error).toBeDefined();
    }
  });

  it("also one that is linked, and imports what no bundle could hold", async () => {
    write(
      "linked/addon/package.json",
      JSON.stringify({ name: "addon", version: "0.0.1", type: "module", exports: "./main.js" }),
    );
    write(
      "linked/addon/main.js",
      `import { createRequire } from "node:module";\nexport const real = createRequire(import.meta.url)("./data.cjs");\nexport const none = () => import("./none.node");\n`,
    );
    write("linked/addon/none.node", "");
    write("linked/addon/data.cjs", `module.exports = "data";`);
    write("linked/job/package.json", JSON.stringify({ name: "job" }));
    mkdirSync(join(root, "linked/job/node_modules"), { recursive: true });
    symlinkSync(join(root, "linked/addon"), join(root, "linked/job/node_modules/addon"));
    const path = write("linked/job/job.ts", job(`import { real } from "addon";`, "real"));
    expect((await bundleJob(path)).outside).toEqual([`addon@0.0.1 in ${join(root, "linked/addon")}`]);
    expect(await load(path)).toMatchObject({ emitted: [["x", "data"]] });
  });

  it("also where the file itself is what a package's name leads to", async () => {
    write("platform/node_modules/fast-here/package.json", JSON.stringify({ name: "fast-here", main: "fast.node" }));
    write("platform/node_modules/fast-here/fast.node", addon());
    install("platform", "fast", `module.exports = require("fast-here");`);
    const path = write("platform/job.ts", job(`import fast from "fast";`, "typeof fast.db_init"));
    expect((await bundleJob(path)).outside).toContainEqual(expect.stringContaining("node_modules/fast-here"));
    expect(await load(path)).toMatchObject({ emitted: [["x", "function"]] });
  });

  it("requires the job's own .node file by its path, and knows another one by its bytes", async () => {
    write("own node/fast.node", addon());
    const path = write("own node/job.ts", job(`import level from "./fast.node";`, "typeof level.db_init"));
    const first = await bundleJob(path);
    expect(first.outside).toEqual([expect.stringContaining(`${join(root, "own node/fast.node")} (SHA-256 `)]);
    expect(await load(path)).toMatchObject({ emitted: [["x", "function"]] });
    write("own node/fast.node", Buffer.concat([addon(), Buffer.alloc(1)]));
    expect((await bundleJob(path)).digest).not.toBe(first.digest);
  });

  it("changes nothing where there is none", async () => {
    install("none", "plain", `exports.one = 1;`);
    const { outside, code } = await bundleJob(write("none/job.ts", job(`import { one } from "plain";`, "one")));
    expect([outside, Buffer.from(code).includes("outside of this bundle")]).toEqual([[], false]);
  });
});

describe("loadJob", () => {
  const header = `import { defineJob, run, text, utf8, json, MillraceError } from "millrace";\n`;

  it("maps the user's stack to their sources, and leaves the engine's frames out", async () => {
    write(
      "stack/lib/fail.ts",
      `interface Shape { a: number }\n\nexport function fail(line: string, shape: Shape): never {\n  throw new TypeError("no " + line + shape.a);\n}\n`,
    );
    const path = write(
      "stack/job.ts",
      `${header}import { fail } from "./lib/fail.ts";\ntype Line = string;\nexport default defineJob({\n  name: "fails",\n  input: text(),\n  map(line: Line) {\n    fail(line, { a: 1 });\n  },\n});\n`,
    );
    const { mapError } = await load(path);
    expect(mapError?.message).toBe("TypeError: no x1");
    expect(mapError?.stack?.split("\n")).toEqual(
      ["at fail (stack/lib/fail.ts:4:9)", "at map (stack/job.ts:8:5)"].map((line) =>
        expect.stringContaining(line.split(" (")[1]!),
      ),
    );
  });

  it("shows where defineJob was called wrongly", async () => {
    const { error } = await load(
      write(
        "wrong/define.ts",
        `${header}\n\nexport default defineJob({ name: "x", input: text(), key: json() as never, map() {} });\n`,
      ),
    );
    expect(error).toMatchObject({
      code: "wrong-job",
      message: expect.stringMatching(/job "x": key: json\(\) has no order/),
    });
    expect(error?.stack).toMatch(/^at wrong\/define\.ts:4:\d+$/);
  });

  it.each<[string, string, RegExp, RegExp | undefined]>([
    [
      "that throws",
      `${header}const table: Record<string, () => void> = {};\ntable["x"]!();\n`,
      /the job file throws while it is loaded: TypeError: .*not a function/,
      /^at wrong\/job\.ts:3:/,
    ],
    ["fault 17: that throws null", `${header}throw null;\n`, /throws while it is loaded: null was thrown/, undefined],
    [
      "without default export",
      `${header}export const job = 1;\n`,
      /no default export: write export default defineJob/,
      undefined,
    ],
    [
      "whose default export is no job",
      `${header}export default { name: "x", input: text(), map() {} };\n`,
      /default export is not a job made by defineJob, but what defineJob takes/,
      undefined,
    ],
    [
      "that throws an error of ours which blames a machine",
      `${header}throw new MillraceError("io-error", "no such disk", { retry: "elsewhere" });\n`,
      /^no such disk/,
      /^at wrong\/job\.ts:2:/,
    ],
    [
      "that calls run",
      `${header}const job = defineJob({ name: "x", input: text(), map() {} });\nexport default job;\nawait run(job, { inputs: ["a"] });\n`,
      /a job module must not call run/,
      /^at wrong\/job\.ts:4:/,
    ],
  ])("refuses a module %s", async (_, content, message, stack) => {
    const { error } = await load(write("wrong/job.ts", content));
    expect(error).toMatchObject({ code: "wrong-job", message: expect.stringMatching(message) });
    if (stack === undefined) expect(error?.stack).toBeUndefined();
    else expect(error?.stack).toMatch(stack);
  });

  it("refuses a bundle whose bytes are not those of its name, before it runs", async () => {
    const { error } = await load(write("damaged/job.ts", `${header}process.exit(3);\nexport default 1;\n`), {
      digest: "0".repeat(64),
    });
    expect(error).toMatchObject({
      code: "io-error",
      message: expect.stringMatching(/damaged: its SHA-256 is [0-9a-f]{64}, not 0{64}/),
    });
  });

  it("says that a bundle belongs into a slot", async () => {
    const { error } = await load(
      write("bare/job.ts", `${header}export default defineJob({ name: "x", input: text(), map() {} });\n`),
      { install: false },
    );
    expect(error?.message).toMatch(/bundle of a Millrace job, which only a slot can load/);
  });
});
