// One master and two workers as their user starts them: the same job gives the same bytes as on one machine, and
// whoever runs it may go and come back.
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runToEnd } from "../process/support.ts";
import { millrace, repository } from "../support/cli.ts";
import { eventsIn } from "../support/events.ts";
import { startCluster, type TestCluster, until } from "./processes.ts";

const gateJob = fileURLToPath(new URL("./jobs/gate.ts", import.meta.url));
const books = join(repository, "examples/data/books");

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.close());

const at = (name: string) => join(cluster.folder, name);
const ask = (...words: string[]) => cluster.ask(words);

/** Every file below a folder but the manifest, which holds times and counts of spills, by its name. */
function filesOf(folder: string): Readonly<Record<string, string>> {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /part-/.test(name));
  return Object.fromEntries(names.toSorted().map((name) => [name, readFileSync(join(folder, name), "latin1")]));
}

/** A folder of `files` small files; "BOOM" is in the last one. */
function writeInput(name: string, files: number, last = "the last BOOM"): string {
  mkdirSync(at(name));
  for (let i = 0; i < files; i++)
    writeFileSync(join(at(name), `${i}.txt`), i === files - 1 ? `${last}\n` : `the file ${i}\n`);
  return at(name);
}

/** Each file is a split of its own, as each is larger than this. */
const ownSplits = ["--split-size", "8"];

function json(text: Buffer | string): Record<string, unknown>[] {
  return text
    .toString()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

async function stateOf(id: string): Promise<unknown> {
  return json((await ask("status", id, "--json")).stdout)[0]!["state"];
}

describe("a job on a cluster", () => {
  test.each([
    ["word count", ["examples/word-count.ts", books, "--reducers", "3", "--split-size", "200KB"]],
    ["a total sort", ["examples/total-sort.ts", books, "--reducers", "4", "--split-size", "200KB"]],
    [
      "a join of CSV and NDJSON with two outputs",
      ["examples/join.ts", "--input", "users=examples/data/users.csv", "--input", "orders=examples/data/orders.ndjson"],
    ],
  ])("gives the same bytes as on one machine: %s", async (name, words) => {
    const [here, there] = [at(`${name} here`), at(`${name} there`)];
    const local = await millrace(["run", ...words, "-o", here]);
    expect(local.code, local.stderr).toBe(0);
    const remote = await ask("run", ...words, "-o", there);
    expect(remote.code, remote.stderr).toBe(0);
    expect(filesOf(there)).toEqual(filesOf(here));
    expect(Object.keys(filesOf(here)).length).toBeGreaterThan(0);
    expect(remote.stderr).toMatch(/^done \S+ in /m);
    // The same summary but for the times, where intermediate data lay, and estimates, whose samples depend on memory.
    const facts = (text: string) =>
      text
        .split("\n")
        .filter((line) => /^ {2}(grouped|wrote|count) /.test(line))
        .map((line) => line.replace(/about [\d,]+/, "about N"));
    expect(facts(remote.stderr)).toEqual(facts(local.stderr));
    expect(local.stderr).toMatch(/; the largest has .*, the key \S/);
  });

  test("two jobs at once share the workers, and the first need not end for the second", async () => {
    const input = writeInput("shared", 3);
    const gate = at("gate-of-the-first");
    const mended = ["--param", `mended=${input}`];
    const first = ask(
      "run",
      gateJob,
      input,
      "-o",
      at("first"),
      ...ownSplits,
      "--param",
      `gate=${gate}`,
      ...mended,
      "--max-slots",
      "1",
    );
    await until(async () =>
      json((await ask("jobs", "--json")).stdout).some(
        ({ output, state }) => output === at("first") && state === "mapping",
      ),
    );
    const second = await ask("run", gateJob, input, "-o", at("second"), ...ownSplits, ...mended);
    expect(second.code, second.stderr).toBe(0);
    writeFileSync(gate, "");
    const ended = await first;
    expect(ended.code, ended.stderr).toBe(0);
    expect(filesOf(at("first"))).toEqual(filesOf(at("second")));
  });

  test("reads standard input, which is gone from beside the output at the end", async () => {
    const { code, stderr } = await cluster.ask(["run", "examples/word-count.ts", "-", "-o", at("piped")], {
      input: "to be or not to be\n",
    });
    expect(code, stderr).toBe(0);
    expect(Object.values(filesOf(at("piped"))).join("")).toContain("be\t2\n");
    expect(readdirSync(cluster.folder).filter((name) => name.startsWith(".piped"))).toEqual([]);
  });
});

describe("whoever has started a job", () => {
  test("may leave at once with --detach and look again with its id, or the beginning of it", async () => {
    const input = writeInput("detached", 2);
    const gate = at("gate-of-the-detached");
    const words = ["run", gateJob, input, "-o", at("later"), "--param", `gate=${gate}`, "--param", `mended=${input}`];
    const { code, stdout, stderr } = await ask(...words, "--detach");
    expect(code, stderr).toBe(0);
    const id = stdout.toString().trim();
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(stderr).toContain(`submitted gate as job ${id.slice(0, 8)}`);
    const watching = ask("status", id.slice(0, 8), "--watch");
    await until(async () => (await stateOf(id)) === "mapping");
    writeFileSync(gate, "");
    const watched = await watching;
    expect(watched.code, watched.stderr).toBe(0);
    expect(watched.stderr).toMatch(/^done gate in /m);
    expect(Object.values(filesOf(at("later"))).join("")).toContain("the\t2\n");
  });

  test("may be killed: the job goes on, and nothing of it is lost", async () => {
    const input = writeInput("killed", 2);
    const gate = at("gate-of-the-killed");
    const words = ["run", gateJob, input, "-o", at("orphan"), "--param", `gate=${gate}`, "--param", `mended=${input}`];
    const client = spawn(
      process.execPath,
      [join(repository, "bin/millrace.js"), ...words, "--master", cluster.address],
      {
        env: { ...process.env, ...cluster.env },
        stdio: "ignore",
      },
    );
    const ended = new Promise((resolve) => client.once("close", resolve));
    let id = "";
    await until(async () => {
      const job = json((await ask("jobs", "--json")).stdout).find(({ output }) => output === at("orphan"));
      id = (job?.["job"] as string | undefined) ?? "";
      return job?.["state"] === "mapping";
    });
    client.kill("SIGKILL");
    await ended;
    writeFileSync(gate, "");
    const watched = await ask("status", id, "--watch", "--json");
    expect(watched.code, watched.stderr).toBe(0);
    expect(eventsIn(watched.stdout).at(-1)).toMatchObject({ event: "done", job: id });
    expect(Object.values(filesOf(at("orphan"))).join("")).toContain("the\t2\n");
  });

  test("cancels it with the first Ctrl-C, and is told how to leave instead", async () => {
    const input = writeInput("interrupted", 2);
    const words = ["run", gateJob, input, "-o", at("never"), "--param", `gate=${at("never-made")}`];
    let id = "";
    const { code, stdout, stderr } = await cluster.ask([...words, "--json"], {
      started: (child) =>
        void until(async () => {
          const job = json((await ask("jobs", "--json")).stdout).find(({ output }) => output === at("never"));
          id = (job?.["job"] as string | undefined) ?? "";
          return job?.["state"] === "mapping";
        }).then(() => child.kill("SIGINT")),
    });
    expect(code, stderr).toBe(130);
    expect(eventsIn(stdout).map(({ event }) => event)).toEqual(expect.arrayContaining(["submitted", "cancelled"]));
    expect(await stateOf(id)).toBe("cancelled");
    expect(readdirSync(cluster.folder)).not.toContain("never");
  });

  test("does not notice that the master is started again, but for a word", async () => {
    const input = writeInput("restarted", 2);
    const gate = at("gate-of-the-restarted");
    const running = ask(
      "run",
      gateJob,
      input,
      "-o",
      at("survivor"),
      "--param",
      `gate=${gate}`,
      "--param",
      `mended=${input}`,
    );
    await until(async () =>
      json((await ask("jobs", "--json")).stdout).some(
        ({ output, state }) => output === at("survivor") && state === "mapping",
      ),
    );
    cluster.master.child.kill("SIGKILL");
    await cluster.master.ended;
    await cluster.restartMaster();
    writeFileSync(gate, "");
    const { code, stderr } = await running;
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("the connection was lost; trying again");
    expect(stderr).toContain("warning: the master answers again");
    expect(Object.values(filesOf(at("survivor"))).join("")).toContain("the\t2\n");
  });
});

describe("a job that has failed", () => {
  test("is explained, and started again without doing twice what was done", async () => {
    const input = writeInput("broken", 4);
    const [mended, trace] = [at("mended"), at("trace")];
    const words = ["run", gateJob, input, "-o", at("mended-output"), ...ownSplits];
    const failed = await ask(...words, "--param", `mended=${mended}`, "--param", `trace=${trace}`);
    expect(failed.code, failed.stderr).toBe(1);
    expect(failed.stderr).toContain("this line is broken");
    expect(failed.stderr).toMatch(/at .*broken\/3\.txt:0/);
    // The same job fails again, as far as anyone knows, so no one is told to go on; here its cause goes away.
    expect(failed.stderr).not.toContain("millrace retry");
    const jobs = json((await ask("jobs", "--json")).stdout);
    const id = String(jobs.find(({ output }) => output === at("mended-output"))!.job);

    const logs = await ask("logs", id);
    expect(logs.code, logs.stderr).toBe(0);
    expect(logs.stdout.toString()).toMatch(/^map-00003\.\d+\.\d+ on w[12]$/m);
    // S6: what a job prints is data.
    expect(logs.stdout.toString()).toContain("waiting for the gate \\x1b[31m");

    // What the job failed in the middle of is begun again; what had won is not.
    const won = json((await ask("history", id, "--json")).stdout).filter(({ kind }) => kind === "attempt-won");
    const done = new Set(won.map(({ attempt }) => `map-${Number(/^map-(\d+)/.exec(String(attempt))?.[1])}`));
    expect(done.size).toBeGreaterThan(0);
    writeFileSync(trace, "");
    writeFileSync(mended, "");
    const retried = await ask("retry", id);
    expect(retried.code, retried.stderr).toBe(0);
    const watched = await ask("status", id, "--watch");
    expect(watched.code, watched.stderr).toBe(0);
    expect(Object.values(filesOf(at("mended-output"))).join("")).toContain("the\t4\n");
    const again = readFileSync(trace, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("map-"));
    expect(again).toContain("map-3");
    expect(again.filter((task) => done.has(task))).toEqual([]);

    const history = (await ask("history", id)).stdout.toString();
    const kinds = json((await ask("history", id, "--json")).stdout).map(({ kind }) => kind);
    expect(kinds).toEqual(
      expect.arrayContaining(["job-submitted", "attempt-started", "attempt-failed", "attempt-won", "job-resumed"]),
    );
    expect(kinds.indexOf("job-submitted")).toBe(0);
    expect(history).toMatch(/^\+.* attempt-failed +map-00003\.\S+ on w[12]: .*this line is broken/m);
    expect((await ask("retry", id)).stderr).toContain("only a failed job can be started again");
  });
});

describe("--dead-letters on a cluster", () => {
  const letters = (name: string) => ["--skip-bad", "2", "--dead-letters", at(name), ...ownSplits];
  const linesOf = (name: string): { readonly text: string }[] =>
    Object.values(filesOf(at(name)))
      .flatMap((text) => text.split("\n").slice(0, -1))
      .map((line) => JSON.parse(line));
  const hidden = () => readdirSync(cluster.folder).filter((name) => /^\.(bad|good)/.test(name));

  test("is a folder of its own beside the result, the same as on one machine, and nothing is left beside it", async () => {
    const input = writeInput("with-bad", 3);
    const words = ["run", gateJob, input];
    const there = await ask(...words, "-o", at("good-there"), ...letters("bad-there"));
    expect(there.code, there.stderr).toBe(0);
    expect(there.stderr).toContain(`1 bad record, put aside in ${at("bad-there")}`);
    const here = await millrace([...words, "-o", at("good-here"), ...letters("bad-here")]);
    expect(here.code, here.stderr).toBe(0);
    expect(linesOf("bad-there")).toEqual(linesOf("bad-here"));
    expect(linesOf("bad-there")).toMatchObject([{ text: "the last BOOM" }]);
    expect(filesOf(at("good-there"))).toEqual(filesOf(at("good-here")));
    expect(readdirSync(at("good-there")).sort()).toEqual(readdirSync(at("good-here")).sort());
    expect((await millrace(["verify", at("bad-there")])).code).toBe(0);
    await until(async () => hidden().length === 0);
  });

  test("that exists, overlaps the output or is used by a job that runs is refused before any work; --overwrite replaces it", async () => {
    const input = writeInput("with-bad-again", 2);
    const words = ["run", gateJob, input];
    const refused = await ask(...words, "-o", at("good-2"), ...letters("bad-there"));
    expect(refused.code, refused.stderr).toBe(3);
    expect(refused.stderr).toMatch(/bad-there.* exists/);
    expect((await ask(...words, "-o", at("bad-2/in"), ...letters("bad-2"))).code).toBe(2);
    const gate = at("gate-of-the-letters");
    const first = ask(...words, "-o", at("good-3"), ...letters("bad-3"), "--param", `gate=${gate}`);
    await until(async () => json((await ask("jobs", "--json")).stdout).some(({ output }) => output === at("good-3")));
    const second = await ask(...words, "-o", at("good-4"), ...letters("bad-3"));
    expect(second.code, second.stderr).not.toBe(0);
    expect(second.stderr).toContain(at("bad-3"));
    writeFileSync(gate, "");
    expect((await first).code).toBe(0);
    const replaced = await ask(...words, "-o", at("good-there"), ...letters("bad-there"), "--overwrite");
    expect(replaced.code, replaced.stderr).toBe(0);
    expect(linesOf("bad-there")).toHaveLength(1);
    await until(async () => hidden().length === 0);
  });

  test("of a job that fails or is cancelled does not appear, and nothing is left beside it", async () => {
    const input = writeInput("too-bad", 3);
    writeFileSync(join(input, "0.txt"), "BOOM the first\n");
    writeFileSync(join(input, "1.txt"), "BOOM the second\n");
    const words = ["run", gateJob, input, "-o", at("good-5"), ...letters("bad-5")];
    const failed = await ask(...words);
    expect(failed.code, failed.stderr).toBe(1);
    expect(failed.stderr).toMatch(/BOOM/);
    const gated = ask(...words.map((word) => word.replace("-5", "-6")), "--param", `gate=${at("never")}`);
    const isHere = ({ output, state }: Record<string, unknown>) => output === at("good-6") && state === "mapping";
    let job: Record<string, unknown> | undefined;
    await until(async () => (job = json((await ask("jobs", "--json")).stdout).find(isHere)) !== undefined);
    expect((await ask("cancel", String(job!["job"]))).code).toBe(0);
    expect((await gated).code).toBe(130);
    const names = readdirSync(cluster.folder).filter((name) => /^(good|bad)-[56]$/.test(name));
    expect(names).toEqual([]);
    // A failed job's are kept for a retry; a cancelled one's go.
    await until(async () => hidden().every((name) => name.includes("-5.")));
  });
});

describe("run() with a master", () => {
  const options = (output: string, more: object = {}) => ({
    module: gateJob,
    output,
    master: cluster.address,
    ...more,
  });

  test("gives counters and the files that can be seen from here", async () => {
    const input = writeInput("from-code", 2, "the last");
    const result = await runToEnd(options(at("from-code-output"), { inputs: [input] }), cluster.env);
    expect(result, result.stderr).toMatchObject({ ok: true, counters: {} });
    expect(result.files!.map(({ path, records }) => [path, records])).toEqual([
      [join(at("from-code-output"), "part-00000.tsv"), 3],
    ]);
  });

  test("puts bad records aside in `deadLetters`, and the same without a master", async () => {
    const input = writeInput("bad-from-code", 2);
    const more = { inputs: [input], skipBad: 1, splitSize: "8" };
    const there = options(at("code-there"), { ...more, deadLetters: at("code-bad-there") });
    expect(await runToEnd(there, cluster.env)).toMatchObject({ ok: true });
    const here = { module: gateJob, output: at("code-here"), ...more, deadLetters: at("code-bad-here") };
    expect(await runToEnd(here)).toMatchObject({ ok: true });
    const records = { module: gateJob, records: true, ...more, deadLetters: at("code-bad-records") };
    expect((await runToEnd(records)).records).toHaveLength(2);
    const found = filesOf(at("code-bad-there"));
    expect(Object.values(found).join("")).toContain("the last BOOM");
    expect(filesOf(at("code-bad-here"))).toEqual(found);
    expect(filesOf(at("code-bad-records"))).toEqual(found);
    expect(filesOf(at("code-here"))).toEqual(filesOf(at("code-there")));
    expect(await runToEnd({ module: gateJob, ...more })).toMatchObject({ code: "wrong-usage" });
  });

  test("takes the token from the file that it is told, and as many slots as it may", async () => {
    const input = writeInput("with-token", 2, "the last");
    const env = { XDG_CONFIG_HOME: at("no-config") };
    const more = { inputs: [input], maxSlots: 1 };
    expect(await runToEnd(options(at("no-token-given"), more), env)).toMatchObject({ code: "no-access" });
    const tokenFile = join(cluster.folder, "state/tokens/submit");
    expect(await runToEnd(options(at("token-given"), { ...more, tokenFile }), env)).toMatchObject({ ok: true });
    const ca = at("no-ca.pem");
    const unseen = await runToEnd(options(at("no-ca"), { ...more, tokenFile, ca }), env);
    expect(unseen).toMatchObject({ ok: false, message: expect.stringContaining("no-ca.pem") });
  });

  test("cancels the job when its signal says so", async () => {
    const input = writeInput("aborted", 2, "the last");
    const inputs = [input];
    const [cancelWhen, gate] = [at("cancel-now"), at("never-opened")];
    const running = runToEnd(options(at("aborted-output"), { inputs, cancelWhen, params: { gate } }), cluster.env);
    let id: unknown;
    await until(async () => {
      const job = json((await ask("jobs", "--json")).stdout).find(({ output }) => output === at("aborted-output"));
      id = job?.["job"];
      return job?.["state"] === "mapping";
    });
    writeFileSync(cancelWhen, "");
    expect(await running).toMatchObject({ ok: false, code: "cancelled" });
    expect(await stateOf(String(id))).toBe("cancelled");
  });

  test("needs an output, and takes nothing that is for this machine", async () => {
    const inputs = [books];
    const { output: _, ...without } = options("", { inputs });
    expect(await runToEnd(without, cluster.env)).toMatchObject({
      code: "wrong-usage",
      message: "a cluster publishes into a folder that all its workers see: give run an output",
    });
    expect(await runToEnd(options(at("refused"), { inputs, slots: 2 }), cluster.env)).toMatchObject({
      code: "wrong-usage",
      message: "slots is for a run on this machine: leave it out, or leave out master",
    });
    const { master: __, ...here } = options(at("refused"), { inputs, tokenFile: at("no-token") });
    expect(await runToEnd(here, cluster.env)).toMatchObject({
      code: "wrong-usage",
      message: "tokenFile is for a cluster: give master too, or leave it out",
    });
  });
});

test("workers are shown, and one that drains finishes and ends", async () => {
  const worker = await cluster.startWorker("w3");
  expect((await ask("workers")).stdout.toString()).toMatch(/^w3 +idle +1 +1 /m);
  expect((await ask("status")).stdout.toString()).toContain("3 workers with 3 slots");
  const drained = await ask("drain", "w3");
  expect(drained.code, drained.stderr).toBe(0);
  expect((await worker.ended).code).toBe(0);
});

test("fault 28: a job without workers waits, says so, and is done when one comes", async () => {
  const other = await startCluster([]);
  try {
    let said = "";
    const output = join(other.folder, "patient");
    const running = other.ask(["run", "examples/word-count.ts", books, "-o", output], {
      started: (child) => child.stderr!.on("data", (chunk) => (said += chunk)),
    });
    await until(() => said.includes("waits: there is no worker to run it"));
    expect((await other.ask(["jobs"])).stdout.toString()).toMatch(/ planning .* a worker /);
    expect((await other.ask(["status"])).stdout.toString()).toContain("no workers; start some:");
    await other.startWorker("w1");
    const { code, stderr } = await running;
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^done word-count in /m);
  } finally {
    await other.close();
  }
});

test("fault 92: SIGTERM ends a master and a worker cleanly, and nothing of theirs is left running", async () => {
  const other = await startCluster(["w1"]);
  try {
    const worker = await other.startWorker("w2");
    worker.child.kill("SIGTERM");
    expect(await worker.ended).toEqual({ code: 0, signal: null });
    // Nothing is given to a worker that has left, not even until its lease is over.
    expect((await other.ask(["workers"])).stdout.toString()).not.toMatch(/^w2 +(idle|busy) /m);
    other.master.child.kill("SIGTERM");
    expect(await other.master.ended).toEqual({ code: 0, signal: null });
  } finally {
    await other.close();
  }
});
