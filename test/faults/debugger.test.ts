// SIGUSR1 makes Node open a debugger's port, which asks for no token: with it anyone on the machine, and a job's code,
// could run code in a master or a worker. In no process of ours does it.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCluster, type TestCluster } from "../cluster/processes.ts";
import { Scratch, start, until } from "./support.ts";

const opened = "Debugger listening";

test("the same look at a Node without a listener sees a debugger", async () => {
  const child = spawn(process.execPath, ["-e", "console.log('up'); setInterval(() => {}, 1000)"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk) => (said += chunk));
  child.stdout.once("data", () => child.kill("SIGUSR1"));
  try {
    await until(() => said.includes(opened));
  } finally {
    child.kill("SIGKILL");
  }
});

describe("of a cluster", () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startCluster([]);
  }, 60_000);
  afterAll(() => cluster?.close());

  test("the master and a worker go on, without a debugger", { timeout: 60_000 }, async () => {
    const worker = await cluster.startWorker("w1");
    for (const process of [cluster.master, worker]) expect(process.child.kill("SIGUSR1")).toBe(true);
    // They have had the signal when they have done something since.
    for (let i = 0; i < 5; i++) expect((await cluster.ask(["workers", "--json"])).stdout.toString()).toContain('"w1"');
    for (const process of [cluster.master, worker]) {
      expect(process.child.exitCode ?? process.child.signalCode).toBeNull();
      expect(process.output()).not.toContain(opened);
    }
  });
});

test("a run and its slot go on, without a debugger", { timeout: 60_000 }, async () => {
  const scratch = new Scratch();
  try {
    scratch.write("in.txt", "one\n");
    scratch.write(
      "job.mjs",
      `import { existsSync, writeFileSync } from "node:fs";
import inspector from "node:inspector";
import { defineJob, text } from "millrace";
let heard = 0;
process.on("SIGUSR1", () => heard++);
export default defineJob({
  name: "heard", input: text(), reducers: 0, output: text(),
  async map(line, emit) {
    writeFileSync(${JSON.stringify(join(scratch.path, "slot"))}, String(process.pid));
    while (!existsSync(${JSON.stringify(join(scratch.path, "go"))}) || heard === 0) await new Promise((done) => setTimeout(done, 20));
    emit(\`heard \${heard}, debugger \${inspector.url()}\`);
  },
});
`,
    );
    const run = start(scratch, ["run", "job.mjs", "in.txt", "-o", "out"]);
    const slot = join(scratch.path, "slot");
    await until(() => existsSync(slot) && readFileSync(slot, "utf8") !== "");
    process.kill(Number(readFileSync(slot, "utf8")), "SIGUSR1");
    expect(run.child.kill("SIGUSR1")).toBe(true);
    writeFileSync(join(scratch.path, "go"), "");
    const { code, stderr } = await run.ended;
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).not.toContain(opened);
    expect(readFileSync(join(scratch.output, "part-m-00000.txt"), "utf8")).toBe("heard 1, debugger undefined\n");
  } finally {
    scratch.remove();
  }
});
