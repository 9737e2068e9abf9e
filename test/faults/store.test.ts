// An object store that says nothing, while a run waits for it: the first signal ends the wait, wherever it is, and
// nothing is left but what --resume goes on with; and a run whose publishing was cut off for good starts over.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FakeRequest, FakeS3, fakeCredentials } from "../support/fake-s3.ts";
import { jobFile, type RunOptions, runToEnd, Scratch, start, until } from "./support.ts";

let scratch: Scratch;
let fake: FakeS3;
let store: Awaited<ReturnType<FakeS3["listen"]>>;
/** Requests that are never answered. */
let isSilent: (request: FakeRequest) => boolean;
let silenced: number;

beforeEach(async () => {
  scratch = new Scratch();
  isSilent = () => false;
  silenced = 0;
  fake = new FakeS3({
    before: async (request) => {
      if (!isSilent(request)) return undefined;
      silenced++;
      return await new Promise<never>(() => {});
    },
  });
  for (let i = 0; i < 3; i++) fake.put("bucket", `in/${i}.txt`, "one two\nTRIGGER two\n");
  store = await fake.listen();
});
afterEach(async () => {
  await store.close();
  scratch.remove();
});

const counts = "TRIGGER\t3\none\t3\ntwo\t6\n";

function options(): RunOptions {
  return {
    env: {
      AWS_ACCESS_KEY_ID: fakeCredentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: fakeCredentials.secretAccessKey,
      AWS_ENDPOINT_URL_S3: store.url,
      AWS_REGION: "us-east-1",
    },
  };
}

function words(command: "run" | "plan", ...more: readonly string[]): string[] {
  const params = ["--param", "fault=none", "--param", `mark=${scratch.mark}`, "--param", "times=1"];
  const sizes = ["--slots", "1", "--memory", "128MB", "--reducers", "1"];
  return [command, jobFile("hostile"), "s3://bucket/in", "-o", "s3://bucket/out", ...sizes, ...params, ...more];
}

const published = () => fake.contents("bucket", "out/").get("part-00000.tsv");
const hidden = () => [...fake.contents("bucket").keys()].filter((key) => key.includes(".millrace-"));
/** The temporary folder is where the work directories of such runs are. */
const left = () => [...scratch.workFolders(scratch.temporary), ...hidden(), ...fake.uploads.keys()];

describe("a store that is silent", () => {
  for (const [what, silent] of [
    ["while the output is looked at", ({ method, query }) => method === "POST" && query.has("uploads")],
    ["while the inputs are listed", ({ query }) => query.get("prefix") === "in/"],
    ["while a slot reads an input", ({ method, key }) => method === "GET" && key.startsWith("in/")],
    ["while a slot uploads a file", ({ query }) => query.has("partNumber")],
  ] as readonly (readonly [string, (request: FakeRequest) => boolean])[]) {
    test(`${what}: SIGTERM ends the run, and nothing is left`, async () => {
      isSilent = silent;
      const run = start(scratch, words("run", "--quiet"), options());
      await until(() => silenced > 0);
      run.child.kill("SIGTERM");
      expect(await run.ended).toMatchObject({ code: 130 });
      expect(published()).toBeUndefined();
      expect(left()).toEqual([]);
    });
  }

  test("while the inputs are listed: SIGTERM ends a plan", async () => {
    isSilent = ({ query }) => query.get("prefix") === "in/";
    const run = start(scratch, words("plan"), options());
    await until(() => silenced > 0);
    run.child.kill("SIGTERM");
    const { code, signal } = await run.ended;
    expect([130, "SIGTERM"]).toContain(code ?? signal);
  });

  test("while it publishes: SIGTERM ends the run, and --resume publishes", async () => {
    isSilent = ({ method, query }) => method === "POST" && query.has("uploadId");
    const run = start(scratch, words("run", "--quiet"), options());
    await until(() => silenced > 0);
    run.child.kill("SIGTERM");
    const { code, stderr } = await run.ended;
    expect({ code, stderr }).toMatchObject({ code: 130, stderr: expect.stringContaining("--resume") });
    expect(published()).toBeUndefined();
    isSilent = () => false;
    expect(await runToEnd(scratch, words("run", "--quiet", "--resume"), options())).toMatchObject({ code: 0 });
    expect(published()).toBe(counts);
    expect(left()).toEqual([]);
  });
});

test.each([
  ["the same command", []],
  ["--resume, where its state was still in memory,", ["--resume"]],
])(
  "a run that was killed while it published is in nobody's way: %s begins anew, and nothing is left",
  async (_, more) => {
    isSilent = ({ method, key }) => method === "PUT" && key === "out/_SUCCESS";
    // In memory for long enough, however slow the machine.
    const { env } = options();
    const run = start(scratch, words("run", "--quiet"), { env: { ...env, MILLRACE_STATE_MS: "600000" } });
    await until(() => silenced > 0);
    run.child.kill("SIGKILL");
    await run.ended;
    // Half of it is visible, and claimed.
    expect(published()).toBe(counts);
    expect(left()).not.toEqual([]);
    isSilent = () => false;
    const { code, stderr } = await runToEnd(scratch, words("run", "--quiet", ...more), options());
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr.includes("begins again")).toBe(more.length > 0);
    expect(published()).toBe(counts);
    expect(fake.contents("bucket", "out/").has("_SUCCESS")).toBe(true);
    expect(left()).toEqual([]);
  },
);
