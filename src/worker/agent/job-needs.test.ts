import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { MillraceError } from "../../base/error.ts";
import type { JobSpec } from "../../job/spec.ts";
import { writeProbe } from "../../output/probe.ts";
import { JobNeeds } from "./job-needs.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-needs-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const digest = (text: string) => createHash("sha256").update(text).digest("hex");

/** The master has these contents; `away` it can't be reached. */
function make(contents: readonly string[]) {
  const fetched: string[] = [];
  const state = { away: false };
  const clock = new FakeClock();
  const blobs = {
    async get(sha256: string) {
      fetched.push(sha256);
      const text = contents.find((one) => digest(one) === sha256);
      if (state.away || text === undefined) throw new MillraceError("unreachable", "nobody answers at http://m:1");
      return (async function* () {
        yield Buffer.from(text);
      })();
    },
  };
  const holders = { bundles: join(directory, "bundles"), files: join(directory, "files") };
  return { needs: new JobNeeds({ worker: "w1", blobs, clock, ...holders }), fetched, state, clock };
}

function specOf(bundle: string, files: readonly string[] = []): JobSpec {
  return {
    bundle: digest(bundle),
    environment: { TZ: "UTC" },
    output: join(directory, "out"),
    files: files.map((text, index) => ({ name: `f${index}`, path: `/theirs/${index}`, sha256: digest(text) })),
  } as unknown as JobSpec;
}

test("side files are fetched once for all attempts, and their paths are those of this machine", async () => {
  const { needs, fetched } = make(["code", "one", "two"]);
  await writeProbe(join(directory, "out"), "j");
  const spec = specOf("code", ["one", "two"]);
  const [first, second] = await Promise.all([needs.prepare("j", spec), needs.prepare("j", spec)]);
  expect(first).toEqual(second);
  expect(first.files.map(({ name, path }) => [name, readFileSync(path, "utf8")])).toEqual([
    ["f0", "one"],
    ["f1", "two"],
  ]);
  const bundle = await needs.bundle("j", spec);
  expect(bundle).toMatchObject({ digest: digest("code"), environment: { TZ: "UTC" } });
  expect(bundle.path).toMatch(/\.mjs$/); // Node looks at the name
  expect(fetched).toHaveLength(3);
});

test("a master that is away is said with worker and file, and asked again by the next attempt", async () => {
  const { needs, state } = make(["code", "one"]);
  await writeProbe(join(directory, "out"), "j");
  const spec = specOf("code", ["one"]);
  state.away = true;
  await expect(needs.prepare("j", spec)).rejects.toThrow("worker w1 can't get the side file f0: nobody answers");
  await expect(needs.bundle("j", spec)).rejects.toThrow("worker w1 can't get the job's code: nobody answers");
  state.away = false;
  await needs.prepare("j", spec);
  await needs.bundle("j", spec);
});

test("the probe is looked for again, because a network file system may show it late", async () => {
  const { needs, clock } = make(["code"]);
  const prepared = needs.prepare("j", specOf("code"));
  await clock.pass(1000);
  await writeProbe(join(directory, "out"), "j");
  const later = (async () => {
    for (let tries = 0; tries < 50; tries++) await clock.pass(1000);
  })();
  await prepared;
  await later;
});
