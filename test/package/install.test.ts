// The package as others have it: packed from a clean clone after the README's set-up, installed in projects outside the
// repository by npm, pnpm and yarn, as a workspace's dependency, as a folder and by `npm link`; with each a job is
// type-checked, a wrong one is refused, and the right one runs. matrix.ts says on which Node and with which settings.
// What newcomers read is done as it is typed: the README and the recipes with the packed package, and the README's
// project of one's own.
//
// It needs other Nodes, other installers and the network: `.ci/run` sets MILLRACE_TOOLS.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { perform } from "../docs/blocks.ts";
import { fencesOf, isExecutable } from "../docs/fences.ts";
import { compilerOptions, installers, pagesWherePackageIs, type Run, runs } from "./matrix.ts";
import { command, environment, findTools, Installations, succeed } from "./projects.ts";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const compiler = join(root, "node_modules/typescript/bin/tsc");
const minutes = 60_000;

const rightJob = `import { defineJob, sum, text, tuple, uint, utf8 } from "millrace";
import type { Job } from "millrace";

declare const process: { readonly versions: { readonly node: string } };

const job = defineJob({
  name: "words",
  input: text(),
  key: tuple(utf8, uint),
  value: uint,
  params: { least: { type: "number", default: 1 } },
  map(line, emit, ctx) {
    for (const word of line.split(" ")) if (word !== "") emit([word, ctx.params.least], 1);
  },
  combine: sum,
  reduce([word], values, emit) {
    for (const n of values) emit([word, n, process.versions.node]);
  },
});
export const typed: Job = job;
export default job;
`;
const uses = `import { run, MillraceError } from "millrace";
import type { RunOptions } from "millrace";
import { runInline } from "millrace/testing";
import type { InlineResult } from "millrace/testing";
import job from "./job.ts";

const { records }: InlineResult<any> = await runInline(job, ["a b"], { params: { least: 2 } });
const result = await run(job, { inputs: ["in.txt"], slots: 1 });
for await (const [word, n] of result) records.at(0)?.includes([word, n]);
export const isOurs = (error: unknown): boolean => error instanceof MillraceError && error.code === "output-exists";
export type Given = RunOptions<any>;
`;
/** Each line with a comment has this error, at the text that the comment quotes. */
const wrongJob = `import { defineJob, sum, text, uint, utf8 } from "millrace";

export default defineJob({
  name: "wrong",
  input: text(),
  key: utf8,
  value: uint,
  map(line, emit) {
    emit(line, "1"); // TS2345 at "1"
    line.nothing(); // TS2339 at nothing
  },
  combine: sum,
});
`;
const wrongUses = `import { runInline } from "millrace/testing";
import job from "./job.ts";

await runInline(job, [1]); // TS2322 at 1
await runInline(job, ["a"], { params: { most: 1 } }); // TS2353 at most
`;
const expectedErrors = Object.entries({ "wrong.ts": wrongJob, "wrong-uses.ts": wrongUses }).flatMap(([file, text]) =>
  text.split("\n").flatMap((line, index) => {
    const said = / \/\/ (TS\d+) at (.+)$/.exec(line);
    return said === null ? [] : [`${file} ${index + 1},${line.lastIndexOf(said[2]!, said.index) + 1} ${said[1]}`];
  }),
);

const found = await findTools();
const missing = "missing" in found ? found.missing : undefined;

it.runIf(missing !== undefined && process.env["CI"] === "true")("CI has what installing the package needs", () => {
  expect(missing).toBe(undefined);
});

describe.skipIf(missing !== undefined)(missing ?? "the package", () => {
  const places = new Installations("missing" in found ? { nodes: new Map(), pnpm: "", yarn: "" } : found);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  const name = ({ installer, node, types }: Run) =>
    `by ${installer} on Node ${node}, ${Object.entries(types)
      .map(([key, value]) => `${key} ${String(value)}`)
      .join(", ")}`;
  /** What the compiler says of each project's folder: with one process per combination of settings, for all of them. */
  const said = new Map<string, readonly string[]>();
  /** What the README's block for a project of one's own has printed. */
  let ownTyped = "";
  const keyOf = (run: Run) => `${run.installer} ${JSON.stringify(run.types)}`;

  beforeAll(async () => {
    await places.cloneRepository();
    // The README's set-up as it stands there.
    const blocks = fencesOf("README.md", readFileSync(join(places.clone, "README.md"), "utf8"));
    const setUp = blocks[0]!.code;
    expect(setUp.split("\n")[0]).toContain("npm ci && npm start");
    const shown = await places.runInClone(setUp.split("\n")[0]!);
    expect(shown).toContain("the ten most frequent words:");
    // Of that, and of nothing later, are what a folder and a link hold.
    await places.install("link", "");
    const [ownProject, ...more] = blocks.filter(({ code }) => /^mkdir .*my-jobs$/m.test(code.replace(/ +#.*$/gm, "")));
    expect(more).toEqual([]);
    ownTyped = await places.runInClone(ownProject!.code);
    const manifest = join(places.project("folder"), "package.json");
    write(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, "utf8")), type: "module" }));
    const tarball = await places.pack();
    // They wait for the network more than they work.
    const others = installers.filter((installer) => installer !== "folder" && installer !== "link");
    await Promise.all(others.map((installer) => places.install(installer, tarball)));

    for (const installer of installers) {
      write(join(places.project(installer), "in.txt"), "b a\na\n");
      write(join(places.project(installer), "job.ts"), rightJob);
      write(join(places.project(installer), "uses.ts"), uses);
      write(join(places.project(installer), "wrong.ts"), wrongJob);
      write(join(places.project(installer), "wrong-uses.ts"), wrongUses);
    }
    for (const settings of new Set(runs.map(({ types }) => types))) {
      const those = runs.filter(({ types }) => types === settings);
      const files = those.flatMap(({ installer }) =>
        ["job.ts", "uses.ts", "wrong.ts", "wrong-uses.ts"].map((file) => join(places.project(installer), file)),
      );
      const config = join(places.folder, `tsconfig.${runs.indexOf(those[0]!)}.json`);
      write(config, JSON.stringify({ compilerOptions: compilerOptions(settings), files }));
      const { output } = await command([process.execPath, compiler, "-p", config, "--pretty", "false"], {
        cwd: places.folder,
        path: [],
      });
      const lines = output.split("\n").filter((line) => /error TS\d+/.test(line));
      for (const run of those) {
        const own = `${relative(places.folder, places.project(run.installer))}/`;
        said.set(
          keyOf(run),
          lines.filter((line) => line.startsWith(own)).map((line) => line.slice(own.length)),
        );
      }
      const tops = installers.map((one) => (one === "folder" ? relative(places.folder, places.project(one)) : one));
      const foreign = lines.filter((line) => !tops.some((top) => line.startsWith(`${top}/`)));
      expect(foreign, JSON.stringify(settings)).toEqual([]);
    }
  }, 20 * minutes);
  afterAll(() => places.remove());

  it.each(runs.map((run) => [name(run), run] as const))(
    "%s: checks a job, refuses a wrong one where it is wrong, runs it",
    async (_, run) => {
      const errors = said
        .get(keyOf(run))!
        .map((line) => line.replace(/^(.*?)\((\d+,\d+)\): error (TS\d+):.*$/, "$1 $2 $3"));
      expect(errors.toSorted()).toEqual(expectedErrors.toSorted());
      const tools = found as Exclude<typeof found, { missing: string }>;
      const path = [dirname(tools.nodes.get(run.node)!), places.bin(run.installer)];
      const cwd = places.project(run.installer);
      const rows = await succeed(["millrace", "run", "job.ts", "in.txt", "--quiet", "--slots", "1"], { cwd, path });
      const version = new RegExp(`^${run.node}\\.\\d+\\.\\d+$`);
      expect(
        rows
          .trimEnd()
          .split("\n")
          .map((row) => row.split("\t")),
      ).toEqual([
        ["a", "2", expect.stringMatching(version)],
        ["b", "1", expect.stringMatching(version)],
      ]);
    },
    2 * minutes,
  );

  it("the README's project of one's own comes about, is tested and runs as it is typed", () => {
    expect(ownTyped).toMatch(/wrote .*my-job\.ts[\s\S]*passed my-job\.test\.ts\n[\s\S]*^the\t\d+$/m);
  });

  it.each(pagesWherePackageIs)(
    "the blocks of %s do what the page says, in order, with the package",
    (page) => {
      const unpacked = join(places.project("npm"), "node_modules/millrace");
      const folder = join(places.project("npm"), page.replace(/\W/g, "-"));
      cpSync(join(places.clone, "examples"), join(folder, "examples"), { recursive: true });
      const fences = fencesOf(page, readFileSync(join(unpacked, page), "utf8")).filter(isExecutable);
      expect(fences.length).toBeGreaterThan(3);
      perform(fences, { folder, env: environment([dirname(process.execPath), places.bin("npm")]) });
    },
    4 * minutes,
  );

  it(
    "after the README's set-up a linked millrace refuses a job that does not compile",
    async () => {
      const cwd = places.project("link");
      symlinkSync(join(root, "node_modules/typescript"), join(cwd, "node_modules/typescript"));
      const path = [dirname(process.execPath), places.bin("link")];
      const wrong = await command(["millrace", "test", "wrong.ts", "in.txt"], { cwd, path });
      expect(wrong.code).not.toBe(0);
      expect(wrong.output).toMatch(/types\b.*\b2 errors/);
      expect(wrong.output).toContain(`wrong.ts(9,16): error TS2345`);
    },
    2 * minutes,
  );

  it("links of its pages lead to files that are in it", () => {
    const unpacked = join(places.project("npm"), "node_modules/millrace");
    const files = readdirSync(unpacked, { recursive: true, encoding: "utf8" });
    const pages = files.filter((path) => path.endsWith(".md") && !path.startsWith("node_modules"));
    expect(pages).toEqual(expect.arrayContaining(["README.md", "docs/guide.md", "SECURITY.md"]));
    const links = pages.flatMap((page) =>
      [...readFileSync(join(unpacked, page), "utf8").matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)].map(
        ([, link]) => [page, link!] as const,
      ),
    );
    expect(links.length).toBeGreaterThan(50);
    expect(links.filter(([page, link]) => !existsSync(join(unpacked, page, "..", link)))).toEqual([]);
  });

  it(
    "examples of the package run where it is installed",
    async () => {
      const cwd = places.project("pnpm");
      const path = [dirname(process.execPath), places.bin("pnpm")];
      const words = ["run", "node_modules/millrace/examples/word-count.ts", "in.txt", "--quiet", "--slots", "1"];
      expect(await succeed(["millrace", ...words], { cwd, path })).toBe("a\t2\nb\t1\n");
    },
    2 * minutes,
  );
});
