// A run on this machine runs nothing that only a cluster needs: it starts as fast as before there were clusters, and
// what it has not begun can't listen or connect. Seen in V8's coverage: which modules of the program's bundle were
// evaluated.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { millrace, scratchFolder } from "../support/cli.ts";

/** Parts of paths, as the bundler names the functions that evaluate modules. */
const libraries = [
  "@connectrpc/",
  "prom-client/",
  "pino/",
  "aws4fetch/",
  "fzstd/",
  "src/rpc/server/listener",
  "src/master/node",
  // a simulated one
  "src/sim/job/world",
  // for commands that look at files
  "src/guess/",
] as const;

let folder: ReturnType<typeof scratchFolder>;
beforeAll(() => {
  folder = scratchFolder();
  writeFileSync(join(folder.path, "in.txt"), "to be or not to be\n");
});
afterAll(() => folder.remove());

interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly functionName: string;
      readonly ranges: readonly { readonly count: number }[];
    }[];
  }[];
}

/** Modules of the command's bundle that were evaluated, and all that it has. */
async function modulesOf(name: string, words: readonly string[]): Promise<{ evaluated: string[]; all: string[] }> {
  const directory = join(folder.path, name);
  mkdirSync(directory);
  await millrace(words, { env: { NODE_V8_COVERAGE: directory } });
  const functions = readdirSync(directory).flatMap((file) => {
    const { result } = JSON.parse(readFileSync(join(directory, file), "utf8")) as Coverage;
    return result.filter(({ url }) => url === "millrace:program/cli.cjs").flatMap((script) => script.functions);
  });
  const modules = functions.filter(({ functionName }) => /^(?:src|node_modules)\//.test(functionName));
  const evaluated = modules.filter(({ ranges }) => ranges[0]!.count > 0);
  return { evaluated: evaluated.map(({ functionName }) => functionName), all: modules.map((one) => one.functionName) };
}

test("a run on this machine evaluates nothing of a cluster", async () => {
  const output = join(folder.path, "out");
  const words = ["run", "examples/word-count.ts", join(folder.path, "in.txt"), "-o", output];
  const { evaluated, all } = await modulesOf("run", words);
  expect(readdirSync(output)).toContain("_SUCCESS");
  expect(evaluated).toContain("src/cli/commands/run.ts");
  for (const library of libraries) {
    expect(
      all.some((name) => name.includes(library)),
      `${library} is no module of the bundle: what it is recognised by has changed`,
    ).toBe(true);
    expect(
      evaluated.filter((name) => name.includes(library)),
      library,
    ).toEqual([]);
  }
});

test("and the same look at a command of a cluster finds what it evaluates", async () => {
  const { evaluated } = await modulesOf("jobs", ["jobs", "--master", "http://127.0.0.1:1", "--token-file", "/nowhere"]);
  expect(evaluated.filter((name) => name.includes("@connectrpc/"))).not.toEqual([]);
});
