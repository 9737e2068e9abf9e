// A run on this machine loads nothing that only a cluster needs: it starts as fast as before there were clusters, and what it has
// not loaded can't listen or connect.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

/** What only one library has in it, so that its chunk is recognised wherever the bundler put it. */
const marks = {
  connect: "ConnectError",
  "prom-client": "# HELP ",
  pino: "pino.destination",
  aws4fetch: "AWS4-HMAC-SHA256",
} as const;

const dist = join(repository, "dist");
let folder: ReturnType<typeof scratchFolder>;
beforeAll(() => {
  folder = scratchFolder();
  writeFileSync(join(folder.path, "in.txt"), "to be or not to be\n");
  // Notes every module that a process loads.
  const hooks = `import { appendFileSync } from "node:fs";
    export async function load(url, context, next) { appendFileSync(process.env.LOADED, url + "\\n"); return next(url, context); }`;
  writeFileSync(join(folder.path, "hooks.mjs"), hooks);
  const register = `import { register } from "node:module"; register(${JSON.stringify(pathToFileURL(join(folder.path, "hooks.mjs")).href)});`;
  writeFileSync(join(folder.path, "register.mjs"), register);
});
afterAll(() => folder.remove());

function chunksWith(mark: string): string[] {
  return readdirSync(dist, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".js") && readFileSync(join(dist, name), "utf8").includes(mark))
    .map((name) => join(dist, name));
}

async function loadedBy(name: string, words: readonly string[]): Promise<readonly string[]> {
  const list = join(folder.path, `${name}.loaded`);
  const env = { NODE_OPTIONS: `--import ${join(folder.path, "register.mjs")}`, LOADED: list };
  await millrace(words, { env });
  return readFileSync(list, "utf8")
    .split("\n")
    .filter((url) => url.startsWith("file:"))
    .map((url) => fileURLToPath(url));
}

test("a run on this machine loads nothing of a cluster", async () => {
  const output = join(folder.path, "out");
  const words = ["run", "examples/word-count.ts", join(folder.path, "in.txt"), "-o", output];
  const loaded = await loadedBy("run", words);
  expect(readdirSync(output)).toContain("_SUCCESS");
  expect(loaded).toContain(join(dist, "cli.js"));
  for (const [library, mark] of Object.entries(marks)) {
    const chunks = chunksWith(mark);
    expect(chunks.length, `${library} is in no chunk: what it is recognised by has changed`).toBeGreaterThan(0);
    expect(
      loaded.filter((path) => chunks.includes(path)),
      library,
    ).toEqual([]);
  }
});

test("and the same look at a command of a cluster finds what it loads", async () => {
  const loaded = await loadedBy("jobs", ["jobs", "--master", "http://127.0.0.1:1", "--token-file", "/nowhere"]);
  expect(loaded.filter((path) => chunksWith(marks.connect).includes(path))).not.toEqual([]);
});
