// PageRank: runs the step on its own output, again and again. Build it and run it with Node:
//   npx esbuild examples/pagerank/pagerank.ts --bundle --platform=node --format=esm --packages=external --outfile=…
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "millrace";
import step from "./step.ts";

/** Ranks after `steps` steps over a folder or file of `{ url, rank, links }` lines; the highest first. */
export async function pageRank(
  graph: string,
  pages: number,
  steps: number,
): Promise<(readonly [url: string, rank: number])[]> {
  const scratch = await mkdtemp(join(tmpdir(), "pagerank-"));
  try {
    let input = graph;
    for (let n = 1; n < steps; n++) {
      const output = join(scratch, `step-${n}`);
      await run(step, { inputs: [input], output, params: { pages } });
      input = output;
    }
    const ranks: (readonly [string, number])[] = [];
    for await (const page of await run(step, { inputs: [input], params: { pages } })) ranks.push([page.url, page.rank]);
    return ranks.sort(([, a], [, b]) => b - a);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
