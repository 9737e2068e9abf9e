// PageRank: runs the step on its own output, again and again. Node 20 runs no TypeScript by itself, so bundle it first:
//   npx esbuild examples/pagerank/pagerank.ts --bundle --packages=external --platform=node --format=esm --outfile=examples/pagerank/pagerank.mjs
//   node examples/pagerank/pagerank.mjs examples/data/graph.ndjson 4
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "millrace";
import step from "./step.ts";

// The bundle is another file than the job's, so it says where that is.
const module = new URL("./step.ts", import.meta.url).href;

/** Ranks after ten steps over `{ url, rank, links }` lines, the highest first. */
async function pageRank(graph: string, pages: number): Promise<[url: string, rank: number][]> {
  const scratch = await mkdtemp(join(tmpdir(), "pagerank-"));
  try {
    let input = graph;
    for (let n = 1; n < 10; n++) {
      const output = join(scratch, `step-${n}`);
      await run(step, { inputs: [input], output, params: { pages }, module });
      input = output;
    }
    const ranks: [string, number][] = [];
    for await (const { url, rank } of await run(step, { inputs: [input], params: { pages }, module }))
      ranks.push([url, rank]);
    return ranks.sort(([, a], [, b]) => b - a);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

for (const [url, rank] of await pageRank(process.argv[2] ?? "", Number(process.argv[3]))) console.log(url, rank);
