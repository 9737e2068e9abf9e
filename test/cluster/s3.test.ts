// Jobs over an object store, as a user runs them: the built command against a server on loopback.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../src/base/system/clock.ts";
import { s3AccessFrom } from "../../src/storage/s3/access.ts";
import { S3Client } from "../../src/storage/s3/api/client.ts";
import { nodeTransport } from "../../src/storage/s3/api/transport.ts";
import { S3Objects } from "../../src/storage/s3/objects.ts";
import { type CliOptions, type CliResult, millrace, repository } from "../support/cli.ts";
import { FakeS3 as Fake, type FakeS3 } from "../support/fake-s3.ts";
import { type RunningS3, startS3rver } from "../support/s3rver.ts";
import { startCluster, type TestCluster, until } from "./processes.ts";

const job = join(repository, "examples/word-count.ts");
/** In no message, log, argument, environment or file (S25). */
const canary = "canary+secret/of=the+store0123456789";

let server: RunningS3;
let objects: S3Objects;
let top: string;
let local: string;
const inputs: Record<string, string> = {};

beforeAll(async () => {
  server = await startS3rver("in", "out");
  const options = { access: () => s3AccessFrom(server.env), clock: systemClock, random: Math.random };
  objects = new S3Objects(new S3Client({ ...options, pathStyle: undefined, transport: nodeTransport() }));
  top = mkdtempSync(join(tmpdir(), "millrace-s3-"));
  mkdirSync(join(top, "in"));
  for (let file = 0; file < 5; file++) {
    const name = file === 0 ? "a b#c?%20+é.txt" : `${file}.txt`;
    inputs[name] = Array.from({ length: 300 }, (_, line) => `word${(line * 7 + file) % 31} of file${file}\n`).join("");
    writeFileSync(join(top, "in", name), inputs[name]);
    await objects.put({ bucket: "in", key: `books/${name}` }, Buffer.from(inputs[name]));
  }
  local = join(top, "local");
  const done = await run([join(top, "in/*.txt"), "-o", local]);
  expect(done).toMatchObject({ code: 0 });
});
afterAll(async () => {
  await server.close();
  rmSync(top, { recursive: true, force: true });
});

let temporary: string;
let round = 0;
let output: string;
beforeEach(() => {
  temporary = mkdtempSync(join(top, "tmp-"));
  output = `s3://out/results/${round++}`;
});
afterEach(() => {
  server.onAnswer = undefined;
});

function run(words: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return millrace(["run", job, ...words, "--slots", "2", "--reducers", "3", "--split-size", "4KB"], {
    ...options,
    env: { TMPDIR: temporary ?? tmpdir(), ...server.env, ...options.env },
  });
}

/** Without what is hidden; undefined where there is nothing. */
async function published(at = output): Promise<Record<string, string> | undefined> {
  const prefix = `${at.slice("s3://out/".length)}/`;
  const found: Record<string, string> = {};
  for (const { key } of await objects.listAll("out", prefix)) {
    const name = key.slice(prefix.length);
    if (name.startsWith(".millrace-")) continue;
    found[name] = (await objects.get({ bucket: "out", key }))!.bytes.toString("utf8");
  }
  return Object.keys(found).length === 0 ? undefined : found;
}

async function leftovers(): Promise<string[]> {
  const mine = await objects.listAll("out", `${output.slice("s3://out/".length)}/`);
  const keys = mine.map(({ key }) => key).filter((key) => key.includes(".millrace-"));
  return [...keys, ...readdirSync(temporary)];
}

function localParts(): Record<string, string> {
  const names = readdirSync(local).filter((name) => name.startsWith("part-"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(local, name), "utf8")]));
}

function partsOf(files: Record<string, string> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(files ?? {}).filter(([name]) => name.startsWith("part-")));
}

test("from an object store to an object store: the same bytes as between directories, and nothing is left", async () => {
  const done = await run(["s3://in/books/*.txt", "-o", output]);
  expect(done).toMatchObject({ code: 0 });
  expect(done.stderr).toContain(output);
  const files = await published();
  expect(partsOf(files)).toEqual(localParts());
  expect(Object.keys(files!)).toContain("_SUCCESS");
  expect(await leftovers()).toEqual([]);
});

test("an output is input: all of it by its manifest; mixed with local files; to a directory", async () => {
  expect(await run(["s3://in/books/", "-o", `${output}/`])).toMatchObject({ code: 0 });
  await objects.put({ bucket: "out", key: `${output.slice("s3://out/".length)}/stray.txt` }, Buffer.from("stray\n"));
  const target = join(temporary, "again");
  expect(await run([output, join(top, "in/1.txt"), "-o", target])).toMatchObject({ code: 0 });
  const text = readdirSync(target)
    .filter((name) => name.startsWith("part-"))
    .map((name) => readFileSync(join(target, name), "utf8"))
    .join("");
  expect(text).toContain("file\t");
  expect(text).not.toContain("stray");
});

test("an output that exists is refused before any work; --overwrite replaces it, whole", async () => {
  expect(await run(["s3://in/books/1.txt", "-o", output])).toMatchObject({ code: 0 });
  const before = await published();
  const refused = await run(["s3://in/books", "-o", output]);
  expect(refused).toMatchObject({ code: 3 });
  expect(refused.stderr).toContain("--overwrite");
  expect(await published()).toEqual(before);
  expect(await run(["s3://in/books", "-o", output, "--overwrite"])).toMatchObject({ code: 0 });
  expect(partsOf(await published())).toEqual(localParts());
  expect(await leftovers()).toEqual([]);
});

describe("dead letters in an object store", () => {
  const gateJob = join(repository, "test/cluster/jobs/gate.ts");
  const bad = () => `${output}-bad`;
  const letters = () => ["--skip-bad", "3", "--dead-letters", bad(), "--split-size", "8", "--slots", "1"];
  const start = (words: readonly string[], options: CliOptions = {}) =>
    millrace(["run", gateJob, "s3://in/bad/*.txt", ...words], {
      ...options,
      env: { TMPDIR: temporary, ...server.env, ...options.env },
    });
  const textOf = (files: Record<string, string> | undefined) => Object.values(partsOf(files)).join("");
  /** What is left in the store (uploads that no one has completed, records, claims) and on this machine. */
  async function left(): Promise<string[]> {
    const uploads = (await objects.listUploads("out", output.slice("s3://out/".length))) ?? [];
    const keys = (await objects.listAll("out", `${bad().slice("s3://out/".length)}/`)).map(({ key }) => key);
    return [
      ...keys.filter((key) => key.includes(".millrace-")),
      ...uploads.map(({ key }) => key),
      ...(await leftovers()),
    ];
  }

  beforeAll(async () => {
    await objects.put({ bucket: "in", key: "bad/0.txt" }, Buffer.from("BOOM the first\n"));
    await objects.put({ bucket: "in", key: "bad/1.txt" }, Buffer.from("the second of all\n"));
    await objects.put({ bucket: "in", key: "bad/2.txt" }, Buffer.from("the third BOOM\n"));
  });

  test.each(["standard output", "an output there", "an output here"])(
    "are a folder with a manifest, beside %s",
    async (where) => {
      const o = where === "standard output" ? [] : ["-o", where.endsWith("there") ? output : join(temporary, "out")];
      const done = await start([...o, ...letters()]);
      expect(done.code, done.stderr).toBe(0);
      expect(done.stderr).toContain(`2 bad records, put aside in ${bad()}`);
      const files = await published(bad());
      expect(Object.keys(files!)).toContain("_SUCCESS");
      expect(
        textOf(files)
          .match(/"text":"[^"]*"/g)!
          .sort(),
      ).toEqual(['"text":"BOOM the first"', '"text":"the third BOOM"']);
      rmSync(join(temporary, "out"), { recursive: true, force: true });
      expect(await left()).toEqual([]);
      const refused = await start([...o, ...letters()]);
      expect(refused.code).toBe(3);
      expect(refused.stderr).toContain("exists and is not empty");
    },
  );

  test("of a run that is killed while they are uploaded are removed by the next one, also where that has no output", async () => {
    for (const o of [[], ["-o", output]]) {
      const killed = await start([...o, ...letters()], {
        started: (child) => {
          server.onAnswer = (line) => {
            // The first one is staged: it is the second one's upload.
            if (!/partNumber=/.test(line) || !line.includes("-bad/")) return;
            server.onAnswer = undefined;
            child.kill("SIGKILL");
          };
        },
      });
      expect(killed.signal).toBe("SIGKILL");
      expect((await left()).filter((name) => name.includes("-bad/"))).not.toEqual([]);
      const done = await start([...o, ...letters()]);
      expect(done.code, done.stderr).toBe(0);
      expect(textOf(await published(bad())).match(/BOOM/g)).toHaveLength(2);
      expect(await left()).toEqual([]);
      output = `s3://out/results/${round++}`;
    }
  });

  test("of a cluster's job are there with the result, and nothing is left of them", async () => {
    for (const [name, value] of Object.entries(server.env)) vi.stubEnv(name, value);
    const cluster = await startCluster();
    try {
      const words = ["run", gateJob, "s3://in/bad/*.txt", "-o", output, ...letters().slice(0, -2)];
      const done = await cluster.ask(words);
      expect(done.code, done.stderr).toBe(0);
      expect(textOf(await published(bad())).match(/BOOM/g)).toHaveLength(2);
      expect(textOf(await published())).toContain("second\t1\n");
      await until(async () => (await left()).length === 0);
      const refused = await cluster.ask(words);
      expect(refused.code, refused.stderr).toBe(3);
    } finally {
      await cluster.close();
      vi.unstubAllEnvs();
    }
  });
});

describe("killed", () => {
  test.each(["slot.after.reduce", "master.beforePublish", "master.afterPublish"])(
    "fault 32: at %s, no part of an output is taken for one; --resume completes it",
    async (point) => {
      const words = ["s3://in/books/*.txt", "-o", output];
      // A slot that is killed is replaced: there the command has to go.
      const killed =
        point === "slot.after.reduce"
          ? await run(words, { started: (child) => killAtFirstPart(() => child.kill("SIGKILL")) })
          : await run(words, { env: { MILLRACE_FAILPOINT: `${point}:kill` } });
      expect(killed.signal).toBe("SIGKILL");
      if (point !== "master.afterPublish") expect(await published()).toBeUndefined();
      const resumed = await run([...words, "--resume"]);
      expect(resumed).toMatchObject({ code: 0 });
      expect(partsOf(await published())).toEqual(localParts());
      expect(await leftovers()).toEqual([]);
    },
  );

  // Every request of publishing: storage/s3/publish.test.ts. Here whole processes, at some.
  test.each([1, 8, 21])(
    "fault 64: at request %i of publishing, what is visible has no _SUCCESS or all files; --resume completes it",
    async (at) => {
      const words = ["s3://in/books/*.txt", "-o", output];
      let isPublishing = false;
      let answered = 0;
      const killed = await run(words, {
        started: (child) => {
          server.onAnswer = (line) => {
            // From the claim on.
            isPublishing ||= line.startsWith("PUT ") && line.includes("/.millrace-publishing/");
            if (isPublishing && ++answered === at) child.kill("SIGKILL");
          };
        },
      });
      server.onAnswer = undefined;
      expect(killed.signal).toBe("SIGKILL");
      const files = await published();
      if (files?.["_SUCCESS"] !== undefined) expect(partsOf(files)).toEqual(localParts());
      const resumed = await run([...words, "--resume"]);
      if (resumed.code !== 0) expect(resumed.stderr).toContain("had ended (succeeded)");
      expect(partsOf(await published())).toEqual(localParts());
      expect(await leftovers()).toEqual([]);
    },
  );
});

/** Once: a second Ctrl-C means "at once", and leaves what it leaves. */
function killAtFirstPart(kill: () => void): void {
  server.onAnswer = (line) => {
    if (!/partNumber=/.test(line)) return;
    server.onAnswer = undefined;
    kill();
  };
}

test("Ctrl-C leaves nothing: no output, no upload, no record", async () => {
  const stopped = await run(["s3://in/books/*.txt", "-o", output], {
    started: (child) => killAtFirstPart(() => child.kill("SIGINT")),
  });
  expect(stopped.code).toBe(130);
  expect(await published()).toBeUndefined();
  expect(await leftovers()).toEqual([]);
});

describe("a cluster", () => {
  let cluster: TestCluster;
  beforeEach(async () => {
    for (const [name, value] of Object.entries(server.env)) vi.stubEnv(name, value);
    cluster = await startCluster();
  });
  afterEach(async () => {
    await cluster.close();
    vi.unstubAllEnvs();
  });

  const words = (...more: string[]) => [
    ...["run", job, "s3://in/books/*.txt", "-o", output, "--reducers", "3", "--split-size", "4KB"],
    ...more,
  ];

  test("the same bytes, though a worker is killed while it uploads; nothing is left", async () => {
    const victim = await cluster.startWorker("w3");
    const done = await cluster.ask(words(), { started: () => killAtFirstPart(() => victim.child.kill("SIGKILL")) });
    expect(done).toMatchObject({ code: 0 });
    expect(partsOf(await published())).toEqual(localParts());
    await until(async () => (await leftovers()).length === 0);
  });

  test("fault 32: a master that is killed while it publishes goes on when it is started again", async () => {
    let isPublishing = false;
    const { master } = cluster;
    const done = await cluster.ask(words(), {
      started: () => {
        server.onAnswer = (line) => {
          if (!isPublishing && line.includes("/.millrace-publishing/") && line.startsWith("PUT ")) {
            isPublishing = true;
            master.child.kill("SIGKILL");
            void master.ended.then(() => cluster.restartMaster());
          }
        };
      },
    });
    expect(isPublishing).toBe(true);
    expect(done).toMatchObject({ code: 0 });
    expect(partsOf(await published())).toEqual(localParts());
    await until(async () => (await leftovers()).length === 0);
  });
});

describe("S25: secrets", () => {
  let fake: FakeS3;
  let front: Awaited<ReturnType<FakeS3["listen"]>>;
  beforeEach(async () => {
    fake = new Fake(
      { credentials: { accessKeyId: "ID", secretAccessKey: canary, sessionToken: `${canary}-session` } },
      ["in", "out"],
    );
    for (const [name, content] of Object.entries(inputs)) fake.put("in", `books/${name}`, content);
    front = await fake.listen();
  });
  afterEach(() => front.close());

  const env = () => ({
    AWS_ACCESS_KEY_ID: "ID",
    AWS_SECRET_ACCESS_KEY: canary,
    AWS_SESSION_TOKEN: `${canary}-session`,
    AWS_ENDPOINT_URL: front.url,
    AWS_ENDPOINT_URL_S3: "",
  });

  test("a job's code sees no credentials, and they are in no file and no message, though each request is signed with them", async () => {
    const spy = join(temporary, "spy.ts");
    writeFileSync(
      spy,
      `import { readFileSync } from "node:fs";
import { defineJob, text, tsv, utf8 } from "millrace";
export default defineJob({
  name: "spy",
  input: text(),
  key: utf8,
  value: utf8,
  setup: () => ({ seen: JSON.stringify([process.env, process.argv, readFileSync("/proc/self/environ", "latin1"), readFileSync("/proc/self/cmdline", "latin1")]) }),
  map(line, emit, { state, log }) {
    log(state.seen);
    emit("seen", state.seen);
  },
  reduce(key, values, emit) {
    for (const value of values) return emit([key, value]);
  },
  output: tsv(),
});
`,
    );
    const done = await millrace(["run", spy, "s3://in/books/1.txt", "-o", "s3://out/x", "--work-dir", temporary], {
      env: { TMPDIR: temporary, ...env(), MILLRACE_FAILPOINT: "master.afterPublish:kill", MILLRACE_STATE_MS: "0" },
    });
    expect(done.signal).toBe("SIGKILL");
    const text = [...fake.contents("out", "x/").values()].join("\n");
    expect(text).toContain("TZ");
    expect(text).not.toContain("canary");
    expect(text).not.toContain("AWS_");
    expect(done.stdout.toString() + done.stderr).not.toContain("canary");
    // State, logs, bundle: all that the killed run has left.
    const left = readdirSync(temporary, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(left.length).toBeGreaterThan(5);
    for (const entry of left) {
      expect(readFileSync(join(entry.parentPath, entry.name), "latin1")).not.toContain("canary");
    }
  });

  test("wrong keys, none, and other schemes are one clear error each", async () => {
    const failing = async (environment: Readonly<Record<string, string>>, ...words: string[]) => {
      const done = await run(words, { env: { ...env(), ...environment } });
      expect(done.stderr).not.toContain("canary");
      return { code: done.code, message: done.stderr };
    };
    expect(await failing({ AWS_SECRET_ACCESS_KEY: "wrong" }, "s3://in/books/1.txt", "-o", "s3://out/y")).toMatchObject({
      code: 2,
      message: expect.stringContaining("SignatureDoesNotMatch"),
    });
    expect(
      await failing({ AWS_SECRET_ACCESS_KEY: "" }, "s3://in/books/1.txt", "-o", join(temporary, "y")),
    ).toMatchObject({ code: 2, message: expect.stringContaining("AWS_SECRET_ACCESS_KEY") });
    expect(await failing({}, "s3://nowhere/books/1.txt", "-o", join(temporary, "y"))).toMatchObject({
      message: expect.stringMatching(/no object matches|no such bucket/),
    });
    expect(await failing({}, "s3://in/books/none*", "-o", join(temporary, "y"))).toMatchObject({
      code: 3,
      message: expect.stringContaining("no object matches"),
    });
    for (const words of [
      ["gs://in/x", "-o", "s3://out/y"],
      ["s3://in/books", "-o", "https://out/y"],
    ]) {
      expect(await failing({}, ...words)).toMatchObject({
        code: 2,
        message: expect.stringContaining("s3://BUCKET/KEY"),
      });
    }
    expect(fake.contents("out").size).toBe(0);
  });
});
