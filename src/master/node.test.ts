import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { failed, report, text } from "../../test/schedule/build.ts";
import { limits } from "../base/limits.ts";
import { systemClock } from "../base/system/clock.ts";
import { type Log, noLog } from "../base/system/log.ts";
import { randomId } from "../base/system/random.ts";
import type { JobSpec } from "../job/spec.ts";
import type { RemoteMaster, Submission } from "../protocol/services.ts";
import { findToken } from "../rpc/access/find-token.ts";
import { connectMaster } from "../rpc/client/client.ts";
import { parseListen } from "../rpc/server/listen-address.ts";
import { type MasterNode, openMasterNode } from "./node.ts";

let folder: string;
let configBefore: string | undefined;
let node: MasterNode;
let remote: RemoteMaster;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-master-"));
  configBefore = process.env["XDG_CONFIG_HOME"];
  process.env["XDG_CONFIG_HOME"] = join(folder, "config");
  writeFileSync(join(folder, "in.txt"), "a b\n");
  await start();
});
afterEach(async () => {
  remote.close();
  await node.close();
  if (configBefore === undefined) delete process.env["XDG_CONFIG_HOME"];
  else process.env["XDG_CONFIG_HOME"] = configBefore;
  rmSync(folder, { recursive: true, force: true });
});

const client = { role: "client", clock: systemClock, random: () => 0.5 } as const;
/** What is wrong in here is shown by the test that it makes fail. */
const log: Log = { ...noLog, error: (fields, message) => console.error(message, fields) };
const state = () => join(folder, "state");
/** As built: tests run the sources. */
const lookProgram = fileURLToPath(new URL("../../dist/look.cjs", import.meta.url));

async function start(program = lookProgram): Promise<void> {
  node = await openMasterNode({ state: state(), listen: "127.0.0.1:0", log, lookProgram: program });
  remote = connectMaster({ address: node.address, token: findToken({ address: node.address }), ...client });
}

async function restart(): Promise<void> {
  remote.close();
  await node.close();
  await start();
}

const bundle = Buffer.from("export default 1;");
const sha256 = createHash("sha256").update(bundle).digest("hex");
async function* content() {
  yield bundle;
}

function submission(change: Partial<JobSpec> = {}, key = randomId()): Submission {
  const spec: JobSpec = {
    name: "job",
    bundle: sha256,
    inputs: [{ name: "", paths: ["in.txt"] }],
    directory: folder,
    standardInput: undefined,
    files: [],
    output: join(folder, "out"),
    writes: "formats",
    partitions: 2,
    splitBytes: undefined,
    attemptsMax: 4,
    maxSlots: undefined,
    skipBad: 0,
    params: "{}",
    taskTimeoutMs: 1000,
    checkpointMs: 0,
    taskLimitMs: undefined,
    nondeterministic: "rerun",
    replaces: undefined,
    environment: {},
    startedAt: "2026-01-01T00:00:00.000Z",
    ...change,
  };
  return { idempotencyKey: key, spec, overwrite: false };
}

const putBundle = () => remote.blobs.put(sha256, content(), limits.bundleBytesMax);

describe("a master", () => {
  test("keeps its state for its owner alone, says when it is ready, and leaves a token for its user", () => {
    expect(statSync(state()).mode & 0o777).toBe(0o700);
    const ready = JSON.parse(readFileSync(join(state(), "ready.json"), "utf8"));
    expect(ready).toEqual({ address: node.address, pid: process.pid, cluster: node.cluster, epoch: node.epoch });
    expect(statSync(node.tokenFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(node.tokenFile, "utf8")).toBe(readFileSync(join(node.tokens, "admin"), "utf8"));
  });

  test("leaves neither when it has ended, and keeps cluster, tokens and a growing epoch", async () => {
    const { cluster, epoch, tokenFile } = node;
    const admin = readFileSync(join(node.tokens, "admin"), "utf8");
    await node.close();
    expect(existsSync(join(state(), "ready.json"))).toBe(false);
    expect(existsSync(tokenFile)).toBe(false);
    await start();
    expect(node.cluster).toBe(cluster);
    expect(node.epoch).toBe(epoch + 1);
    expect(readFileSync(join(node.tokens, "admin"), "utf8")).toBe(admin);
  });

  test("is the only one of its state directory: a second one is told which process it is", async () => {
    await expect(openMasterNode({ state: state(), listen: "127.0.0.1:0" })).rejects.toMatchObject({
      code: "state-busy",
      message: expect.stringContaining(`process ${process.pid} `),
    });
    expect(await remote.view()).toMatchObject({ epoch: node.epoch });
  });

  test("takes no directory that holds other things", async () => {
    mkdirSync(join(folder, "photos"));
    writeFileSync(join(folder, "photos/a.jpg"), "");
    await expect(openMasterNode({ state: join(folder, "photos"), listen: "127.0.0.1:0" })).rejects.toMatchObject({
      code: "wrong-usage",
      message: expect.stringContaining("a.jpg"),
    });
    expect(statSync(join(folder, "photos")).mode & 0o777).not.toBe(0o700);
  });

  test("S20: does not listen for others without TLS", async () => {
    await expect(openMasterNode({ state: join(folder, "other"), listen: "0.0.0.0:0" })).rejects.toMatchObject({
      code: "wrong-usage",
      message: expect.stringContaining("--tls-cert"),
    });
    // And lets go of the directory.
    await (await openMasterNode({ state: join(folder, "other"), listen: "127.0.0.1:0" })).close();
  });

  test("answers whether it is well without a token, and shows metrics to who has one", async () => {
    expect(await (await fetch(`${node.address}/healthz`)).text()).toBe("ok\n");
    expect(await (await fetch(`${node.address}/readyz`)).text()).toBe("ready\n");
    expect((await fetch(`${node.address}/metrics`)).status).toBe(401);
    const token = readFileSync(join(node.tokens, "read"), "utf8").trim();
    await putBundle();
    await remote.submit(submission());
    const page = await (
      await fetch(`${node.address}/metrics`, { headers: { authorization: `Bearer ${token}` } })
    ).text();
    expect(page).toContain(`millrace_epoch ${node.epoch}`);
    expect(page).toContain('millrace_jobs{state="planning"} 1');
    expect(page).toContain('millrace_tasks{phase="plan",state="waiting"} 1');
    expect(page).toContain('millrace_submissions_total{outcome="taken"} 1');
    expect(page).toMatch(/millrace_commit_seconds_count [1-9]/);
    expect(page).toMatch(/millrace_store_bytes [1-9]/);
  });
});

describe("a submission", () => {
  test("fault 44: the same key is the same job, also when its output is there by now, and after a restart", async () => {
    await putBundle();
    const first = submission();
    const [one, two] = await Promise.all([remote.submit(first), remote.submit(first)]);
    expect(two).toBe(one);
    mkdirSync(first.spec.output);
    writeFileSync(join(first.spec.output, "part-00000.tsv"), "published by the first one");
    expect(await remote.submit(first)).toBe(one);
    await restart();
    expect(await remote.submit(first)).toBe(one);
    expect((await remote.view()).jobs).toHaveLength(1);
  });

  test("has its whole story told to who asks for it alone: an overview of thousands has a line or two of each", async () => {
    await putBundle();
    const job = await remote.submit(submission());
    const signal = new AbortController().signal;
    const address = "http://127.0.0.1:9";
    const { start: given } = await node.api.heartbeat(report("w", 1, { address }), signal);
    const error = { ...text("m".repeat(8_000)), stack: "s".repeat(8_000) };
    const finished = [failed(given[0]!.attempt, { kind: "fatal", error })];
    await node.api.heartbeat(report("w", 2, { address, finished }), signal);
    const { jobs } = await remote.view();
    expect(jobs).toMatchObject([{ job, state: "failed", failures: [], counters: {}, running: [] }]);
    expect(JSON.stringify(jobs).length).toBeLessThan(3_000);
    expect(await remote.get(job)).toMatchObject({ reason: { message: error.message }, failures: [{ error }] });
  });

  test("whose caller goes is looked at no longer, and the next one is", async () => {
    const program = join(folder, "endless.cjs");
    writeFileSync(
      program,
      `const fs = require("node:fs");
      process.stdin.once("data", (text) => {
        fs.writeFileSync(${JSON.stringify(join(folder, "pid"))}, String(process.pid));
        setInterval(() => {}, 1000);
      });`,
    );
    const pid = () => Number(existsSync(join(folder, "pid")) ? readFileSync(join(folder, "pid"), "utf8") : 0);
    const isGone = () => {
      try {
        return !process.kill(pid(), 0);
      } catch {
        return true;
      }
    };
    remote.close();
    await node.close();
    await start(program);
    await putBundle();
    const caller = new AbortController();
    const submitting = remote.submit(submission(), caller.signal);
    submitting.catch(() => {});
    await vi.waitUntil(() => pid() > 0, { timeout: 30_000 });
    caller.abort();
    await expect(submitting).rejects.toThrow();
    await vi.waitUntil(isGone, { timeout: 30_000 });
    expect((await remote.view()).jobs).toEqual([]);
  });

  test("leaves a probe beside the output for workers to look for", async () => {
    await putBundle();
    const job = await remote.submit(submission());
    expect(readFileSync(join(folder, `.out.millrace-${job}`, "staging/probe"), "utf8")).toBe(`${job}\n`);
  });

  test.each([
    ["an output that exists", { output: "/tmp" }, "output-exists"],
    ["an input that is not there", { inputs: [{ name: "", paths: ["gone.txt"] }] }, "no-input"],
    ["an input that no file matches", { inputs: [{ name: "", paths: ["gone/*.txt"] }] }, "no-input"],
    ["a bundle that nobody has put", { bundle: "0".repeat(64) }, "bad-input"],
    ["a bundle that is no digest", { bundle: "../../etc/passwd" }, "wrong-usage"],
    ["a relative output", { output: "out" }, "wrong-usage"],
    ["too many partitions", { partitions: 1_000_000 }, "wrong-usage"],
    ["parameters without bounds", { params: "x".repeat(2_000_000) }, "over-limit"],
    ["a side file that nobody has put", { files: [{ name: "a", path: "/a", sha256: "1".repeat(64) }] }, "bad-input"],
  ] as [string, Partial<JobSpec>, string][])("is refused at once with %s", async (_, change, code) => {
    await putBundle();
    await expect(remote.submit(submission(change))).rejects.toMatchObject({ code });
    expect((await remote.view()).jobs).toEqual([]);
  });

  test("is refused while another job works on the same output", async () => {
    await putBundle();
    const job = await remote.submit(submission());
    await expect(remote.submit(submission())).rejects.toMatchObject({
      code: "state-busy",
      message: expect.stringContaining(job),
    });
    expect(await remote.cancel(job)).toBe("cancelled");
    expect(await remote.submit(submission())).not.toBe(job);
  });

  test("is noted in the job's event log, which outlives the master", async () => {
    await putBundle();
    const job = await remote.submit(submission());
    await remote.cancel(job);
    await restart();
    const events = [];
    for await (const event of remote.history(job)) events.push(event.kind);
    expect(events).toEqual(["job-submitted", "job-ended"]);
    await expect(async () => {
      for await (const event of remote.history("0".repeat(32))) expect(event).toBeUndefined();
    }).rejects.toMatchObject({ code: "wrong-usage" });
  });

  test("watched, shows the newest view and ends with the job", async () => {
    await putBundle();
    const job = await remote.submit(submission());
    const states = [];
    for await (const view of remote.watch(job)) {
      states.push(view.state);
      if (states.length === 1) await remote.cancel(job);
    }
    expect(states[0]).toBe("planning");
    expect(states.at(-1)).toBe("cancelled");
  });
});

test("an address to listen at is a host and a port", () => {
  expect(parseListen("127.0.0.1:7070")).toEqual({ host: "127.0.0.1", port: 7070 });
  expect(parseListen("[::1]:0")).toEqual({ host: "::1", port: 0 });
  for (const wrong of ["7070", ":7070", "a:b", "::1:70", "h:70000", "http://h:70"]) {
    expect(() => parseListen(wrong), wrong).toThrow("HOST:PORT");
  }
});
