// Values of --env may be secrets. On a cluster they are in the job's specification, in the master's state; callers that
// may only look see them nowhere, and no log, history or manifest has them.
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startCluster } from "./processes.ts";

const secret = "hush-hush-42";

function filesWith(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile())
    .filter((name) => readFileSync(join(folder, name)).includes(secret));
}

test("a value of --env is in the master's store alone", { timeout: 120_000 }, async () => {
  const cluster = await startCluster(["w1"]);
  try {
    const { folder } = cluster;
    writeFileSync(join(folder, "in.txt"), "a line\n");
    writeFileSync(
      join(folder, "job.mjs"),
      `import { defineJob, text } from "millrace";
export default defineJob({ name: "secret", input: text(), reducers: 0, output: text(), map(line, emit) { emit(String(process.env.SECRET.length)); } });
`,
    );
    const output = join(folder, "out");
    const words = ["run", join(folder, "job.mjs"), join(folder, "in.txt"), "-o", output, "--env", "SECRET"];
    const { code, stderr } = await cluster.ask(words, { env: { SECRET: secret } });
    expect(code, stderr).toBe(0);
    expect(stderr).not.toContain(secret);
    // It had it.
    expect(readFileSync(join(output, "part-m-00000.txt"), "utf8")).toBe(`${secret.length}\n`);
    const { job } = JSON.parse((await cluster.ask(["jobs", "--json"])).stdout.toString()) as { readonly job: string };
    const token = ["--token-file", join(folder, "state/tokens/read")];
    for (const look of [["status"], ["status", job], ["jobs"], ["workers"], ["history", job], ["logs", job]]) {
      for (const more of [[], ["--json"]]) {
        const seen = await cluster.ask([...look, ...more, ...token]);
        expect(seen.code, seen.stderr).toBe(0);
        expect(seen.stdout.toString() + seen.stderr, look.join(" ")).not.toContain(secret);
      }
    }
    const holders = filesWith(folder);
    expect(holders).not.toEqual([]);
    expect(holders.filter((name) => !name.startsWith("state/store/"))).toEqual([]);
    expect(cluster.master.output()).not.toContain(secret);
  } finally {
    await cluster.close();
  }
});
