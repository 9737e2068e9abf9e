// What is left when all jobs are over: of their files nothing but the outputs, of their records nothing but how they
// ended, and of their processes none.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseKey } from "../../src/protocol/records.ts";
import type { StateStore } from "../../src/state/store.ts";
import type { ChaosCluster } from "./cluster.ts";
import { workers } from "./settings.ts";

/** Runs and spills in workers' directories, working folders of attempts, staging folders of outputs. */
export function filesLeft({ folder }: ChaosCluster): string[] {
  const left = readdirSync(folder).filter((name) => /^\.out-\d+\.millrace-/.test(name));
  for (const worker of workers) {
    for (const entry of namesBelow(join(folder, worker)))
      if (/\.run$|\.spill-\d+$/.test(entry)) left.push(join(worker, entry));
  }
  return left;
}

/** Records of jobs that only those have that are not over. */
export async function recordsLeft(store: StateStore): Promise<string[]> {
  const left: string[] = [];
  for await (const { key } of store.scan("job/")) {
    const parsed = parseKey(key);
    if (parsed === undefined || !["spec", "ended", "failure"].includes(parsed.kind)) left.push(key);
  }
  return left;
}

function namesBelow(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];
}
