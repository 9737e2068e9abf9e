import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { expect, it } from "vitest";
import { repository, scratchFolder } from "../support/cli.ts";

interface Page {
  readonly url: string;
  rank: number;
  readonly links: readonly string[];
}

it("pagerank runs its step ten times, each on what the one before wrote", () => {
  const scratch = scratchFolder();
  try {
    cpSync(join(repository, "examples"), join(scratch.path, "examples"), { recursive: true });
    mkdirSync(join(scratch.path, "node_modules"));
    symlinkSync(repository, join(scratch.path, "node_modules/millrace"));
    const outfile = join(scratch.path, "examples/pagerank/pagerank.mjs");
    buildSync({
      entryPoints: [join(scratch.path, "examples/pagerank/pagerank.ts")],
      outfile,
      bundle: true,
      packages: "external",
      platform: "node",
      format: "esm",
      logLevel: "silent",
    });
    const graph = join(scratch.path, "examples/data/graph.ndjson");
    const result = spawnSync(process.execPath, [outfile, graph, "4"], { encoding: "utf8", cwd: scratch.path });
    expect(result.stderr).toBe("");
    const ranks = new Map(
      result.stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ") as [string, string]),
    );

    let pages: Page[] = readFileSync(graph, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (let step = 0; step < 10; step++) {
      pages = pages.map((page) => {
        const incoming = pages.filter(({ links }) => links.includes(page.url));
        const shares = incoming.reduce((sum, { rank, links }) => sum + rank / links.length, 0);
        return { ...page, rank: 0.15 / 4 + 0.85 * shares };
      });
    }
    expect(ranks.size).toBe(4);
    for (const { url, rank } of pages) expect(Number(ranks.get(url))).toBeCloseTo(rank, 10);
  } finally {
    scratch.remove();
  }
});
