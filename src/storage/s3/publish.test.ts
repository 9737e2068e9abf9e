// Publishing to an object store: cut off at every request, with every request failing in every way, and done by two at
// the same time.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contentsOf, manifestFor, someJob, stagedDecision, stageFile } from "../../../test/conformance/storage.ts";
import { type FakeRequest, FakeS3, type FakeS3Options, type Fault } from "../../../test/support/fake-s3.ts";
import { impatientClock, s3StorageOn, visibleIn } from "../../../test/support/s3.ts";
import type { CommitDecision, Storage } from "../storage.ts";

const destination = "s3://bucket/results/out";
const prefix = "results/out/";
const oldContents = { "part-00000.tsv": "old\n", "part-00001.tsv": "old too\n", "part-00002.tsv": "and this\n" };
const newContents = { "part-00000.tsv": "new\n", "part-00001.tsv": "", "rejects/part-m-00000.txt": "bad\n" };

type Kind = "new" | "overwrite";

interface Scene {
  readonly fake: FakeS3;
  readonly decision: CommitDecision;
  readonly before: ReadonlyMap<string, string> | undefined;
  readonly after: ReadonlyMap<string, string>;
}

async function sceneOf(kind: Kind, options: FakeS3Options = {}): Promise<Scene> {
  const fake = new FakeS3(options);
  const storage = s3StorageOn(fake);
  let replaces: string | undefined;
  let before: ReadonlyMap<string, string> | undefined;
  if (kind === "overwrite") {
    const old = await stagedDecision(storage, destination, oldContents);
    await storage.publish(old);
    await storage.discard(destination, old.job);
    replaces = (await storage.prepare(destination, true)).replaces;
    before = contentsOf(old, oldContents);
  }
  const decision = await stagedDecision(storage, destination, newContents, replaces);
  return { fake, decision, before, after: contentsOf(decision, newContents) };
}

const succeeded = (step: Promise<void>): Promise<boolean> =>
  step.then(
    () => true,
    () => false,
  );

/** What a reader that relies on `_SUCCESS` may see: the output before, none, or the whole new one. */
function expectNoPart({ fake, before, after }: Scene): void {
  const now = visibleIn(fake, destination);
  const manifest = now?.get("_SUCCESS");
  if (manifest === undefined || manifest.includes('"replacing"')) return;
  if (manifest === before?.get("_SUCCESS")) expect(now).toEqual(before);
  else {
    // The manifest does not list what is left of the replaced output.
    for (const [name, content] of after) expect(now?.get(name)).toBe(content);
  }
}

async function expectPublished({ fake, decision, after }: Scene): Promise<void> {
  expect(visibleIn(fake, destination)).toEqual(after);
  await s3StorageOn(fake).discard(destination, decision.job);
  expect(hidden(fake)).toEqual([]);
  expect(fake.uploads.size).toBe(0);
}

/** Fault 66: no garbage. */
function hidden(fake: FakeS3): string[] {
  return [...fake.contents("bucket").keys()].filter((key) => key.includes(".millrace-"));
}

/** Runs with n = 0, 1, 2, … until `run` says that the n-th request was not reached. Returns how many there were. */
async function forEveryRequest(run: (n: number) => Promise<boolean>): Promise<number> {
  for (let n = 0; ; n++) {
    if (n > 500) throw new Error("there is no end of requests");
    if (await run(n)) return n;
  }
}

class Killed extends Error {}

const stores: readonly (readonly [string, FakeS3Options])[] = [
  ["", {}],
  [", on a store that ignores conditions", { conditional: false }],
];
const kinds = (["new", "overwrite"] as const).flatMap((kind) =>
  stores.map(([name, options]) => ({ name: `${kind}${name}`, kind, options })),
);

describe.each(kinds)("publishing: $name", ({ kind, options }) => {
  test("fault 64: killed before or after the effect of any request, nobody takes a part for the output, and publishing again completes it", async () => {
    for (const isAfter of [false, true]) {
      const count = await forEveryRequest(async (n) => {
        const scene = await sceneOf(kind, options);
        let requests = 0;
        const dying = s3StorageOn(scene.fake, {
          before: async () => {
            if (requests++ < n) return undefined;
            if (isAfter && requests === n + 1) return { kind: "lost" };
            return Promise.reject(new Killed());
          },
          // A dead process tries nothing again.
          clock: {
            ...impatientClock,
            sleep: (ms, signal) => (ms > 15_000 ? impatientClock.sleep(ms, signal) : Promise.reject(new Killed())),
          },
        });
        const done = await succeeded(dying.publish(scene.decision));
        expectNoPart(scene);
        await s3StorageOn(scene.fake).publish(scene.decision);
        await expectPublished(scene);
        return done && requests <= n;
      });
      expect(count).toBeGreaterThan(10);
    }
  });

  const faults: readonly Fault[] = [
    { kind: "reset" },
    { kind: "lost" },
    { kind: "status", status: 500, code: "InternalError" },
    { kind: "status", status: 503, code: "SlowDown" },
    { kind: "status", status: 429, code: "" },
  ];

  test("any request failing a few times, its effect done or not, goes unnoticed", async () => {
    await forEveryRequest(async (n) => {
      const scene = await sceneOf(kind, options);
      let requests = 0;
      const faulty = s3StorageOn(scene.fake, {
        before: () => (requests++ >= n && requests <= n + 3 ? faults[(n + requests) % faults.length] : undefined),
      });
      await faulty.publish(scene.decision);
      expectNoPart(scene);
      await expectPublished(scene);
      return requests <= n;
    });
  });

  test("a store that fails from some request on is an error that may be tried again; then publishing completes it", async () => {
    await forEveryRequest(async (n) => {
      const scene = await sceneOf(kind, options);
      let requests = 0;
      const faulty = s3StorageOn(scene.fake, {
        before: () => (requests++ >= n ? faults[n % faults.length] : undefined),
      });
      if (await succeeded(faulty.publish(scene.decision))) return true;
      await expect(faulty.publish(scene.decision)).rejects.toMatchObject({ code: "io-error", retry: "elsewhere" });
      expectNoPart(scene);
      await s3StorageOn(scene.fake).publish(scene.decision);
      await expectPublished(scene);
      return false;
    });
  });

  test("faults 33, 65: two masters publish the same decision, in any interleaving; a reader never takes a part for it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.boolean(), async (scheduler, isLossy) => {
        const scene = await sceneOf(kind, options);
        let isComplete = false;
        let requests = 0;
        const master = () =>
          s3StorageOn(scene.fake, {
            before: async (request) => {
              await scheduler.schedule(Promise.resolve(), `${request.method} ${request.key}`);
              expectNoPart(scene);
              const now = visibleIn(scene.fake, destination)?.get("_SUCCESS");
              // Once published it stays: no late request brings anything back.
              if (isComplete) expect(now).toBe(scene.after.get("_SUCCESS"));
              isComplete = now === scene.after.get("_SUCCESS");
              return isLossy && requests++ % 7 === 3 ? { kind: "lost" } : undefined;
            },
          });
        const [one, two] = [master(), master()];
        await scheduler.waitFor(Promise.all([one.publish(scene.decision), two.publish(scene.decision)]));
        await expectPublished(scene);
      }),
      { numRuns: 12 },
    );
  });

  test("a master that was paused at any request while another published changes nothing of the output", async () => {
    await forEveryRequest(async (n) => {
      const scene = await sceneOf(kind, options);
      let requests = 0;
      let isOther = false;
      const paused = s3StorageOn(scene.fake, {
        before: async () => {
          if (requests++ !== n) return undefined;
          isOther = true;
          await s3StorageOn(scene.fake).publish(scene.decision);
          return undefined;
        },
      });
      await paused.publish(scene.decision);
      await expectPublished(scene);
      return !isOther;
    });
  });

  if (options.conditional !== false) {
    test("one that was paused while another published, and dies after its next request, changes nothing either", async () => {
      await forEveryRequest(async (n) => {
        const scene = await sceneOf(kind, options);
        let requests = 0;
        const paused = s3StorageOn(scene.fake, {
          before: async () => {
            if (requests++ < n) return undefined;
            if (requests > n + 1) return { kind: "status", status: 400, code: "Dying" };
            await s3StorageOn(scene.fake).publish(scene.decision);
            return undefined;
          },
        });
        await succeeded(paused.publish(scene.decision));
        expect(visibleIn(scene.fake, destination)).toEqual(requests <= n ? expect.anything() : scene.after);
        return requests <= n;
      });
    });
  }

  test("discarding, cut off at any request and repeated, leaves nothing staged and touches nothing that is published", async () => {
    await forEveryRequest(async (n) => {
      const scene = await sceneOf(kind, options);
      await s3StorageOn(scene.fake).publish(scene.decision);
      const left = s3StorageOn(scene.fake);
      await stageFile(left, destination, scene.decision.job, "part-00009.tsv", "a loser's");
      let requests = 0;
      const dying = s3StorageOn(scene.fake, {
        before: () => (requests++ >= n ? { kind: "status", status: 400, code: "Dying" } : undefined),
      });
      const done = await succeeded(dying.discard(destination, scene.decision.job));
      await expectPublished(scene);
      return done;
    });
  });
});

describe("two jobs at one destination", () => {
  async function rivals(options: FakeS3Options = {}) {
    const fake = new FakeS3(options);
    const storage = s3StorageOn(fake);
    const a = await stagedDecision(storage, destination, { "part-00000.tsv": "a\n", "part-00001.tsv": "a1\n" });
    const b = await stagedDecision(storage, destination, { "part-00000.tsv": "b\n", "part-00001.tsv": "b1\n" });
    return {
      fake,
      a,
      b,
      contents: new Map([
        [a.job, contentsOf(a, { "part-00000.tsv": "a\n", "part-00001.tsv": "a1\n" })],
        [b.job, contentsOf(b, { "part-00000.tsv": "b\n", "part-00001.tsv": "b1\n" })],
      ]),
    };
  }

  test.each(stores.map(([name, options]) => ({ name, options })))(
    "publishing at once, in any interleaving: exactly one does, whole, the other is told$name",
    async ({ options }) => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), async (scheduler) => {
          const { fake, a, b, contents } = await rivals(options);
          const turn = async ({ method, key }: FakeRequest): Promise<undefined> => {
            await scheduler.schedule(Promise.resolve(), `${method} ${key}`);
            return undefined;
          };
          // Waiting for the other one is a turn too.
          const clock = {
            ...impatientClock,
            sleep: (ms: number, signal?: AbortSignal) =>
              ms > 15_000 ? impatientClock.sleep(ms, signal) : scheduler.schedule(Promise.resolve(), "wait"),
          };
          const storage = () => s3StorageOn(fake, { before: turn, clock });
          const outcome = (decision: CommitDecision) =>
            storage()
              .publish(decision)
              .then(
                () => decision,
                (error: unknown) => {
                  expect(error).toMatchObject({ code: "output-exists" });
                  return undefined;
                },
              );
          const winners = (await scheduler.waitFor(Promise.all([outcome(a), outcome(b)]))).filter(
            (decision) => decision !== undefined,
          );
          expect(winners).toHaveLength(1);
          expect(visibleIn(fake, destination)).toEqual(contents.get(winners[0]!.job));
          expect(hidden(fake).filter((key) => key.includes("publishing"))).toEqual([]);
        }),
        { numRuns: 30 },
      );
    },
  );

  test("a job that was paused at any request while another published is told, and changes nothing", async () => {
    for (const options of [{}, { conditional: false }]) {
      await forEveryRequest(async (n) => {
        const { fake, a, b, contents } = await rivals(options);
        let requests = 0;
        let other: "published" | "refused" | undefined;
        const paused = s3StorageOn(fake, {
          before: async () => {
            if (requests++ === n) other = (await succeeded(s3StorageOn(fake).publish(b))) ? "published" : "refused";
            return undefined;
          },
        });
        const mine = await succeeded(paused.publish(a));
        if (other === undefined) return true;
        expect(mine).toBe(other === "refused");
        expect(visibleIn(fake, destination)).toEqual(contents.get((mine ? a : b).job));
        return false;
      });
    }
  });

  test("one that was cut off keeps the url: a reader, a new job and a publisher are told of it by name", async () => {
    const { fake, a, b } = await rivals();
    let isDead = false;
    const dying = s3StorageOn(fake, {
      before: ({ key }) => {
        isDead ||= key.endsWith("part-00001.tsv");
        return isDead ? { kind: "status", status: 400, code: "Dying" } : undefined;
      },
    });
    await expect(dying.publish(a)).rejects.toMatchObject({ code: "io-error" });
    const storage = s3StorageOn(fake);
    for (const overwrite of [false, true])
      await expect(storage.prepare(destination, overwrite)).rejects.toMatchObject({ code: "output-exists" });
    await expect(storage.prepare(destination, true)).rejects.toThrow(a.job);
    await expect(storage.publish(b)).rejects.toMatchObject({ code: "output-exists" });
    await expect(storage.list(destination)).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringContaining("being published"),
    });
    await storage.publish(a);
    expect((await storage.list(destination)).length).toBe(2);
  });
});

describe("--overwrite", () => {
  test("while it is under way, readers are told so", async () => {
    const scene = await sceneOf("overwrite");
    let isSeen = false;
    const storage = s3StorageOn(scene.fake, {
      before: async ({ method, key }) => {
        if (method !== "POST" || !key.endsWith("part-00000.tsv")) return undefined;
        isSeen = true;
        await expect(s3StorageOn(scene.fake).list(destination)).rejects.toMatchObject({
          code: "corrupt-output",
          message: expect.stringContaining("is replacing this output"),
        });
        return undefined;
      },
    });
    await storage.publish(scene.decision);
    expect(isSeen).toBe(true);
  });

  test("a file that somebody else put there is kept, and refuses the job", async () => {
    const scene = await sceneOf("overwrite");
    scene.fake.put("bucket", `${prefix}thesis.tex`, "years of work");
    await expect(s3StorageOn(scene.fake).publish(scene.decision)).rejects.toMatchObject({ code: "output-exists" });
    expect(visibleIn(scene.fake, destination)).toEqual(new Map([...scene.before!, ["thesis.tex", "years of work"]]));
    await expect(s3StorageOn(scene.fake).prepare(destination, true)).rejects.toMatchObject({
      code: "output-exists",
      message: expect.stringContaining("thesis.tex"),
    });
  });

  test("what is no output of ours is not replaced: no _SUCCESS, another system's, a damaged one", async () => {
    for (const [manifest, message] of [
      [undefined, /has no _SUCCESS/],
      ["", /not written by Millrace/],
      ['{"millrace": 1}', /can't be read/],
    ] as const) {
      const fake = new FakeS3();
      fake.put("bucket", `${prefix}part-00000`, "theirs");
      if (manifest !== undefined) fake.put("bucket", `${prefix}_SUCCESS`, manifest);
      await expect(s3StorageOn(fake).prepare(destination, true)).rejects.toMatchObject({
        code: "output-exists",
        message: expect.stringMatching(message),
      });
    }
  });

  test("a replacement that was given up can be replaced itself", async () => {
    const scene = await sceneOf("overwrite");
    const storage = s3StorageOn(scene.fake);
    let isDead = false;
    const dying = s3StorageOn(scene.fake, {
      before: ({ key, method }) => {
        isDead ||= method === "POST" && key.endsWith("part-00001.tsv");
        return isDead ? { kind: "status", status: 400, code: "Dying" } : undefined;
      },
    });
    expect(await succeeded(dying.publish(scene.decision))).toBe(false);
    await storage.discard(destination, scene.decision.job);
    await expect(storage.publish(scene.decision)).rejects.toMatchObject({ code: "output-exists" });
    const { replaces } = await storage.prepare(destination, true);
    const third = await stagedDecision(storage, destination, { "part-00000.tsv": "three\n" }, replaces);
    await storage.publish(third);
    expect(visibleIn(scene.fake, destination)).toEqual(contentsOf(third, { "part-00000.tsv": "three\n" }));
  });
});

test("a publisher that was paused at any request brings back nothing while another job replaces what it had published, nor later", async () => {
  await forEveryRequest(async (n) => {
    const fake = new FakeS3();
    const storage = s3StorageOn(fake);
    const mine = await stagedDecision(storage, destination, oldContents);
    const before = contentsOf(mine, oldContents);
    let isReplaced = false;
    let requests = 0;
    const paused = s3StorageOn(fake, {
      before: async () => {
        if (requests++ !== n) return undefined;
        isReplaced = true;
        await storage.publish(mine);
        const { replaces } = await storage.prepare(destination, true);
        const theirs = await stagedDecision(storage, destination, newContents, replaces);
        const scene = { fake, decision: theirs, before, after: contentsOf(theirs, newContents) };
        // The other job is interrupted between its uploads, and this one's request comes then.
        let completed = 0;
        const dying = s3StorageOn(fake, {
          before: ({ method, key }) => {
            if (method === "POST" && key.startsWith(prefix)) completed++;
            return completed > 1 ? { kind: "status", status: 400, code: "Dying" } : undefined;
          },
        });
        expect(await succeeded(dying.publish(theirs))).toBe(false);
        later = async () => {
          expectNoPart(scene);
          await storage.publish(theirs);
          expect(visibleIn(fake, destination)).toEqual(scene.after);
        };
        return undefined;
      },
    });
    let later = async () => {};
    // Refused, or done: it had seen its output complete before it was paused.
    await succeeded(paused.publish(mine));
    await later();
    return !isReplaced;
  });
});

describe("refused before anything is visible", () => {
  async function staged(): Promise<{ fake: FakeS3; storage: Storage; decision: CommitDecision }> {
    const fake = new FakeS3();
    const storage = s3StorageOn(fake);
    return { fake, storage, decision: await stagedDecision(storage, destination, newContents) };
  }

  test("an upload that has expired", async () => {
    const { fake, storage, decision } = await staged();
    const [id] = [...fake.uploads].find(([, { key }]) => key.endsWith("part-00000.tsv"))!;
    fake.uploads.delete(id);
    await expect(storage.publish(decision)).rejects.toMatchObject({
      code: "corrupt-output",
      message: expect.stringMatching(/part-00000.tsv .* is gone/),
    });
    expect(visibleIn(fake, destination)?.has("_SUCCESS") ?? false).toBe(false);
  });

  test("an object of the same name and size that is not the attempt's", async () => {
    const { fake, storage, decision } = await staged();
    fake.put("bucket", `${prefix}part-00000.tsv`, "NEW\n");
    await expect(storage.publish(decision)).rejects.toMatchObject({ code: "output-exists" });
    expect(visibleIn(fake, destination)).toEqual(new Map([["part-00000.tsv", "NEW\n"]]));
    expect(hidden(fake).filter((key) => key.includes("publishing"))).toEqual([]);
  });

  test("an object that nobody decided, there before the claim or put right after it", async () => {
    for (const isLate of [false, true]) {
      const { fake, decision } = await staged();
      if (!isLate) fake.put("bucket", `${prefix}thesis.tex`, "years of work");
      const storage = s3StorageOn(fake, {
        before: ({ method, key }) => {
          if (isLate && method === "GET" && key === "") fake.put("bucket", `${prefix}thesis.tex`, "years of work");
          return undefined;
        },
      });
      await expect(storage.publish(decision)).rejects.toMatchObject({ code: "output-exists" });
      expect(visibleIn(fake, destination)).toEqual(new Map([["thesis.tex", "years of work"]]));
      expect(hidden(fake).filter((key) => key.includes("publishing"))).toEqual([]);
    }
  });

  test("a file that is lost or cut between its completion and _SUCCESS", async () => {
    for (const content of [undefined, "n"]) {
      const { fake, decision } = await staged();
      let completed = 0;
      const storage = s3StorageOn(fake, {
        before: ({ method, key }) => {
          if (method === "POST") completed++;
          if (completed === 3 && key === "") {
            if (content === undefined) fake.buckets.get("bucket")!.delete(`${prefix}part-00000.tsv`);
            else fake.put("bucket", `${prefix}part-00000.tsv`, content);
          }
          return undefined;
        },
      });
      await expect(storage.publish(decision)).rejects.toMatchObject({
        code: "corrupt-output",
        message: expect.stringContaining("part-00000.tsv"),
      });
      expect(fake.contents("bucket", prefix).has("_SUCCESS")).toBe(false);
    }
  });

  test("a token of another destination's, or made up", async () => {
    const { fake, storage, decision } = await staged();
    const elsewhere = await stageFile(storage, "s3://bucket/other", decision.job, "part-00000.tsv", "new\n");
    const made = Buffer.from(JSON.stringify([1, "upload/1", "x", 5])).toString("base64url");
    // What a lenient decoder passes over, so that one upload would have many tokens.
    const { token: own } = decision.files[0]!;
    const spaced = Buffer.from(` ${Buffer.from(own, "base64url")}`).toString("base64url");
    const padded = [`${own}A`, `${own}=`, `${own}!`, ` ${own}`, `${own.slice(0, 4)}\n${own.slice(4)}`, spaced];
    for (const token of [elsewhere.token, made, "", "W10", ...padded]) {
      const files = [{ ...decision.files[0]!, token }];
      const changed = { ...decision, files, manifest: manifestFor(decision.job, files) };
      await expect(storage.publish(changed)).rejects.toMatchObject({ code: "corrupt-output" });
    }
    expect(visibleIn(fake, destination)).toBeUndefined();
  });

  test("an output of many files takes pages, and at most a few requests for each file", async () => {
    const fake = new FakeS3({ pageSize: 50 });
    const storage = s3StorageOn(fake);
    const job = someJob();
    const names = Array.from({ length: 250 }, (_, index) => `part-${String(index).padStart(5, "0")}.tsv`);
    const files = await Promise.all(names.map((name) => stageFile(storage, destination, job, name, name)));
    const decision = { job, destination, files, replaces: undefined, manifest: manifestFor(job, files) };
    const stagedRequests = fake.log.length;
    expect(stagedRequests).toBe(4 * 250);
    await storage.publish(decision);
    expect(fake.log.length - stagedRequests).toBeLessThan(1.2 * 250);
    await storage.discard(destination, job);
    expect(hidden(fake)).toEqual([]);
    expect(visibleIn(fake, destination)?.size).toBe(251);
  });
});
