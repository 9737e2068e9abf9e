// What the pages and comments of this repository say of it, as far as a test can hold it: files, folders, rules,
// commands, options, variables and codes that they name are there.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { errorCodes } from "../../src/base/error-codes.ts";
import { program } from "../../src/cli/main.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const below = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));

const folders = ["src", "test", "scripts", "bench", "docs", "proto", "examples", "bin", ".github", ".vscode", ".ci"];
const paths = folders
  .filter((folder) => existsSync(join(root, folder)))
  .flatMap(below)
  .filter((path) => !path.includes("node_modules"));
const atTop = readdirSync(root);
const names = new Set([...paths.map((path) => basename(path)), ...atTop]);
const pages = [
  ...atTop.filter((name) => name.endsWith(".md")),
  ...paths.filter((path) => /^(docs|bench)\/.*\.md$/.test(path)),
];
const sources = paths.filter((path) => /\.(ts|mjs)$/.test(path) && !/^src\/wire\/gen\/|\/\.types-/.test(path));
const product = sources.filter((path) => path.startsWith("src/") && !path.endsWith(".test.ts"));

/** For each page, what its pattern finds and `isRight` refuses, with the page. */
function wrong(from: readonly string[], pattern: RegExp, isRight: (found: string, path: string) => boolean): string[] {
  return from.flatMap((path) =>
    [...read(path).matchAll(pattern)]
      .map((match) => match[1]!)
      .filter((found) => !isRight(found, path))
      .map((found) => `${path}: ${found}`),
  );
}

describe("pages", () => {
  it("name files and folders of the repository that are there", () => {
    const there = (path: string) => existsSync(join(root, path.replace(/[/.]$/, "")));
    // Patterns, and what a run of the benchmarks writes.
    const generic = /[*…{]|NAME|\$|^bench\/\.work/;
    const found = wrong(
      pages,
      /`((?:src|test|scripts|bench|docs|proto|bin)\/[^`\s:]+)`/g,
      (path) => generic.test(path) || there(path),
    );
    expect(found).toEqual([]);
  });

  it("name sources, by the name alone, that are there", () => {
    const ofReaders = new Set([
      "job.ts",
      "levels.ts",
      "average.ts",
      "spend.ts",
      "x.ts",
      "x.test.ts",
      "vendor.ts",
      "utils.ts",
    ]);
    expect(
      wrong(
        pages,
        /`(?:[a-z0-9-]+\/)*([a-z0-9][a-z0-9-]*(?:\.test)?\.(?:ts|mjs|proto))`/g,
        (name) => names.has(name) || ofReaders.has(name),
      ),
    ).toEqual([]);
  });

  it("link to files that are there", () => {
    expect(
      wrong(pages, /\]\((?!https?:|#)([^)#\s]+)/g, (link, page) => existsSync(join(root, page, "..", link))),
    ).toEqual([]);
  });

  it("link to headings that are there", () => {
    const anchors = (page: string) =>
      new Set(
        [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
          heading!
            .toLowerCase()
            .replace(/[^\p{L}\p{N}\s_-]/gu, "")
            .trim()
            .replaceAll(" ", "-"),
        ),
      );
    expect(
      wrong(pages, /\]\((?!https?:)([^)\s]*#[^)\s]+)\)/g, (link, page) => {
        const [file, anchor] = link.split("#") as [string, string];
        return anchors(file === "" ? page : join(page, "..", file)).has(anchor);
      }),
    ).toEqual([]);
  });

  it("name npm scripts that package.json has", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    expect(wrong(pages, /npm run ([a-z:-]+)/g, (name) => scripts[name] !== undefined)).toEqual([]);
  });

  it("list the metrics that masters and workers have, and no other", () => {
    const made = (file: string, prefix: string) =>
      [...read(file).matchAll(/(?:counter|gauge|histogram)(?:<[^>]*>)?\(\s*"([a-z_]+)"/g)].map(
        ([, name]) => prefix + name,
      );
    const metrics = [
      ...made("src/master/metrics.ts", "millrace_"),
      ...made("src/worker/node/metrics.ts", "millrace_worker_"),
    ];
    const listed = [...read("docs/operations.md").matchAll(/^\| .*$/gm)].flatMap(([row]) =>
      [...row.split(" | ")[0]!.matchAll(/`(millrace_[a-z_]+)`/g)].map((match) => match[1]!),
    );
    expect(metrics.length).toBeGreaterThan(20);
    expect(listed.toSorted()).toEqual(metrics.toSorted());
  });

  it("list the failpoints of masters and workers", () => {
    const all = product.flatMap((path) =>
      [...read(path).matchAll(/\bfailpoint\("([a-zA-Z.]+)"/g)].map((match) => match[1]!),
    );
    const page = read("docs/state.md");
    expect(all.length).toBeGreaterThan(5);
    expect(all.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  it("name environment variables that something reads", () => {
    const code = [...sources.filter((path) => !path.startsWith("test/docs/")), "vitest.config.ts", ...below(".ci")]
      .map(read)
      .join("\n");
    expect(wrong(pages, /\b(MILLRACE_[A-Z_]+)\b/g, (name) => code.includes(name))).toEqual([]);
  });

  it("name options that millrace has", () => {
    const millrace = program();
    const ofCommands = [millrace, ...millrace.commands].flatMap((command) => command.options.map(({ long }) => long));
    const options = new Set([...ofCommands, "--help"]);
    const commands = pages.filter(
      (page) => !/^(bench|CONTRIBUTING|docs\/(simulation|mutants|performance|state|scheduler))/.test(page),
    );
    const others = new Set(["--create-home", "--home-dir", "--uid", "--shm-size", "--max-old-space-size"]);
    for (const option of ["--long", "--no-check"]) others.add(option); // of zstd
    const lines = (page: string) =>
      read(page)
        .split("\n")
        .filter((line) => !/\b(npm|openssl|node|RUN|npx) /.test(line) && !/^\s*-(newkey|keyout|addext)/.test(line));
    const unknown = commands.flatMap((page) =>
      lines(page)
        .flatMap((line) => [...line.matchAll(/(?<![\w-])(--[a-z][a-z-]+)/g)].map(([option]) => option))
        .filter((option) => !options.has(option) && !others.has(option))
        .map((option) => `${page}: ${option}`),
    );
    expect(options.size).toBeGreaterThan(30);
    expect(unknown).toEqual([]);
  });

  it("name error codes, in brackets behind what happens, that there are", () => {
    // The scheduler's page names commands and facts in this way too.
    const ofCodes = pages.filter((page) => page !== "docs/scheduler.md");
    expect(wrong(ofCodes, /\(`([a-z]+-[a-z-]+)`\)/g, (code) => code in errorCodes)).toEqual([]);
  });
});

describe("comments", () => {
  it("name sources and pages that are there", () => {
    const named =
      /(?<=^\s*(?:\/\/|\/?\*).*[(\s`])((?:[a-z0-9-]+\/)*[a-z0-9-]+(?:\.test)?\.(?:ts|mjs|md))(?=[`),:; ])/gm;
    const ofUsers = new Set(["job.ts", "x.ts", "lookup.ts", "count.ts", "pagerank.mjs"]);
    expect(
      wrong(sources, named, (path) => {
        const name = basename(path);
        if (ofUsers.has(name)) return true;
        return path.includes("/") ? paths.some((one) => one === path || one.endsWith(`/${path}`)) : names.has(name);
      }),
    ).toEqual([]);
  });

  it("say of functions that they throw error codes that there are", () => {
    const said = product.flatMap((path) =>
      [...read(path).matchAll(/Throws ([^.]*)\./g)].flatMap(([, what]) =>
        [...what!.matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map((match) => ({ path, code: match[1]! })),
      ),
    );
    expect(said.length).toBeGreaterThan(30);
    expect(said.filter(({ code }) => !(code in errorCodes))).toEqual([]);
  });

  it("cite no page that is outside of the repository", () => {
    expect(wrong(product, /\b(DESIGN)\b/g, () => false)).toEqual([]);
  });
});

describe("ARCHITECTURE.md", () => {
  const rooms = [
    ...read("ARCHITECTURE.md")
      .split("## The rooms")[1]!
      .split("\n## ")[0]!
      .matchAll(/^\| ((?:`[a-z]+`(?:, )?)+) \|.*\| (.+) \|$/gm),
  ];
  const folder = (path: string) => existsSync(join(root, "src", path, ".")) && !path.includes(".");
  const inSource = readdirSync(join(root, "src")).filter(folder);

  it("has a row for each folder of src, and none for another", () => {
    const named = rooms.flatMap(([, folders]) => [...folders!.matchAll(/[a-z]+/g)].map(([name]) => name));
    expect(named.toSorted()).toEqual(inSource.toSorted());
  });

  it("says of each with which files to begin, and those are there", () => {
    for (const [, folders, begin] of rooms) {
      const files = [...begin!.matchAll(/`([a-z/-]+\.ts)`/g)].map((match) => match[1]!);
      expect(files.length, folders).toBeGreaterThan(0);
      for (const file of files) {
        const homes = ["", ...[...folders!.matchAll(/[a-z]+/g)].map(([name]) => name)];
        expect(
          homes.some((home) => existsSync(join(root, "src", home, file))),
          `${folders}: ${file}`,
        ).toBe(true);
      }
    }
  });

  it("is right that imports are checked for every folder and for the files above them", () => {
    const { forbidden } = createRequire(import.meta.url)(join(root, ".dependency-cruiser.cjs")) as {
      forbidden: { name: string; from: { path?: string } }[];
    };
    const rules = forbidden.filter(({ name }) => name.endsWith("-imports"));
    const unchecked = product.filter((path) => !rules.some(({ from }) => new RegExp(from.path!).test(path)));
    expect(unchecked).toEqual([]);
  });

  it("is right that the scheduler has no clock, no chance, and waits for nothing", () => {
    const scheduler = product.filter((path) => path.startsWith("src/schedule/"));
    const code =
      /^(?!\s*(?:\/\/|\/?\*)).*?(\bawait\b|\basync\b|\bnew Promise\b|\bDate\b|Math\.random|\bperformance\.|\bset(?:Timeout|Interval|Immediate)\b|\bprocess\.)/gm;
    expect(scheduler.length).toBeGreaterThan(20);
    expect(wrong(scheduler, code, () => false)).toEqual([]);
  });
});

it("each suite of test/conformance is run by a test", () => {
  const tests = sources
    .filter((path) => path.endsWith(".test.ts"))
    .map(read)
    .join("\n");
  const suites = paths.filter((path) => path.startsWith("test/conformance/"));
  const within = suites.map(read).join("\n");
  const unused = suites.filter(
    (path) => !tests.includes(`conformance/${basename(path)}`) && !within.includes(`./${basename(path)}`),
  );
  expect(unused).toEqual([]);
});

it("each format has a file of its name, which says what it is", () => {
  const api = read("src/job/api.ts");
  const formats = ["text", "lines", "ndjson", "csv", "tsv", "records", "whole-files"];
  for (const name of formats) {
    expect(existsSync(join(root, "docs/formats", `${name}.md`)), name).toBe(true);
    const exported = name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    const path = product.find((file) => /^src\/format\/(?!assembly)/.test(file) && basename(file) === `${name}.ts`)!;
    expect(api, name).toContain(path.replace(/^src\//, "../"));
    expect(read(path), name).toMatch(new RegExp(`export function ${exported}\\b`));
  }
});

describe("docs/changing.md", () => {
  const recipes = read("docs/changing.md").split(/^## /m).slice(1);

  it("has a recipe for each thing that one may add", () => {
    const titles = recipes.map((recipe) => recipe.split("\n", 1)[0]);
    expect(titles).toEqual([
      "A codec",
      "The numbers of an aggregate",
      "A format",
      "A storage",
      "A command",
      "A state store",
      "A rule of the scheduler",
      "A metric",
      "A fault in the simulation",
      "A kind of task",
      "An engine",
      "An error code",
    ]);
  });

  it("says of each in which files, in order, and by which command to try it, whose files are there", () => {
    for (const recipe of recipes) {
      const title = recipe.split("\n", 1)[0]!;
      expect(recipe.match(/^1\. /m), title).not.toBe(null);
      expect([...recipe.matchAll(/`((?:src|test|proto|scripts)\/[^`*…]+)`/g)].length, title).toBeGreaterThan(0);
      const commands = recipe.split("```text\n")[1]!.split("```")[0]!;
      for (const [path] of commands.matchAll(/\b(?:src|test)\/[\w/.-]+/g))
        expect(existsSync(join(root, path)), `${title}: ${path}`).toBe(true);
    }
  });
});

it(".nvmrc names the oldest Node that package.json allows", () => {
  const { engines } = JSON.parse(read("package.json")) as { engines: { node: string } };
  expect(`>=${read(".nvmrc").trim()}`).toBe(engines.node);
});

it("launch configurations start programs, with files, that are there", () => {
  const { configurations, inputs } = JSON.parse(read(".vscode/launch.json")) as {
    configurations: { name: string; program?: string; args?: string[]; preLaunchTask?: string }[];
    inputs: { id: string }[];
  };
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  for (const { name, program, args = [], preLaunchTask } of configurations) {
    if (program !== undefined) expect(existsSync(program.replace(/^\$\{workspaceFolder\}/, root)), name).toBe(true);
    for (const arg of args.filter((one) => one.startsWith("examples/")))
      expect(existsSync(join(root, arg)), name).toBe(true);
    if (preLaunchTask !== undefined) expect(scripts[preLaunchTask.replace("npm: ", "")], name).toBeDefined();
    const asked = args.flatMap((arg) => [...arg.matchAll(/\$\{input:(\w+)\}/g)].map((match) => match[1]));
    for (const id of asked)
      expect(
        inputs.map((input) => input.id),
        name,
      ).toContain(id);
  }
});
