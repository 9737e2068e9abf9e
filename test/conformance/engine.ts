// What runs a job (engine/engine.ts `JobEngine`): this process, and a cluster; an engine of another system is held to
// it too.
//
// The same job over the same input must publish the same files with the same records and counters on every engine, and
// fail with the same error code and the same words for the same reason; a job that fails or is cancelled publishes
// nothing. An engine runs one job. `cancel`, `stop` and `close` may be repeated, at any time, in any order; the view
// that `ended` gives is the last of every watch.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { JobEngine, SubmitOptions } from "../../src/engine/engine.ts";
import type { JobView } from "../../src/protocol/view.ts";

export interface EnginesUnderTest {
  /** An engine for the job of that module, which publishes to `output`. */
  open(module: string, output: string): Promise<JobEngine>;
  close(): Promise<void> | void;
}

const faultyJob = fileURLToPath(new URL("../process/jobs/faults.ts", import.meta.url));
const wordCount = fileURLToPath(new URL("../../examples/word-count.ts", import.meta.url));

/** By the hash of the key, and by key within. */
const expectedParts = { "part-00000.tsv": "TRIGGER\t1\none\t1\nthree\t3\n", "part-00001.tsv": "two\t2\n" };

const isEnd = ({ state }: JobView) => state === "succeeded" || state === "failed" || state === "cancelled";

/** What every `JobEngine` promises. `start` is called once, and makes what all engines of it need. */
export function engineConformance(name: string, start: () => Promise<EnginesUnderTest>): void {
  describe(`${name}: an engine`, () => {
    let engines: EnginesUnderTest;
    let folder: string;
    const opened: JobEngine[] = [];
    beforeAll(async () => {
      engines = await start();
    }, 120_000);
    afterAll(() => engines.close());
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "millrace-engine-"));
      mkdirSync(join(folder, "in"));
      writeFileSync(join(folder, "in/a.txt"), "one two\ntwo TRIGGER\nthree\n");
      writeFileSync(join(folder, "in/b.txt"), "three three\n");
    });
    afterEach(async () => {
      for (const engine of opened.splice(0)) await engine.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const output = () => join(folder, "out");
    const input: SubmitOptions = { inputs: [{ name: "", paths: ["in"] }] };
    const open = async (module: string): Promise<JobEngine> => {
      const engine = await engines.open(module, output());
      opened.push(engine);
      return engine;
    };
    const submitted = async (engine: JobEngine, options: Partial<SubmitOptions> = {}) =>
      await engine.submit({ directory: folder, ...input, ...options });
    const params = (values: Readonly<Record<string, string>>) => ({ params: JSON.stringify(values) });
    const published = () => {
      const names = readdirSync(folder).includes("out") ? readdirSync(output()) : [];
      return Object.fromEntries(names.sort().map((file) => [file, readFileSync(join(output(), file), "latin1")]));
    };

    it("says what the job is before it runs, and where its result will be", async () => {
      const engine = await open(wordCount);
      expect(engine.description).toMatchObject({ name: "word-count" });
      expect(engine.destination).toBe(output());
      expect(published()).toEqual({});
    });

    it("publishes the records that the job makes, in partitions, with a manifest", async () => {
      const handle = await submitted(await open(wordCount), { reducers: 2 });
      const view = await handle.ended;
      expect(view).toMatchObject({ job: handle.job, state: "succeeded", output: output() });
      expect(view.tasks.reduce).toMatchObject({ done: 2, total: 2 });
      const { _SUCCESS: manifest, ...parts } = published();
      expect(Object.keys(parts)).toEqual(["part-00000.tsv", "part-00001.tsv"]);
      expect(manifest).toBeDefined();
      const lines = Object.values(parts).join("").trimEnd().split("\n").sort();
      expect(lines).toEqual(["TRIGGER\t1", "one\t1", "three\t3", "two\t2"]);
      // Which partition a key is in, and the order within, is no engine's choice.
      expect(parts).toEqual(expectedParts);
    });

    it("every watch ends with the job's last view, also one that begins when it has ended", async () => {
      const handle = await submitted(await open(wordCount));
      const watch = async () => {
        const views: JobView[] = [];
        for await (const view of handle.watch()) views.push(view);
        return views;
      };
      const [first, second] = await Promise.all([watch(), watch()]);
      const ended = await handle.ended;
      for (const views of [first, second, await watch()]) {
        expect(views.at(-1)).toEqual(ended);
        expect(views.filter(isEnd)).toHaveLength(1);
      }
      expect(handle.view()).toEqual(ended);
    });

    it("runs one job", async () => {
      const engine = await open(wordCount);
      await (await submitted(engine)).ended;
      await expect(submitted(engine)).rejects.toMatchObject({ code: "wrong-usage" });
    });

    it("a job whose code throws fails with its error, the record and its line, and publishes nothing", async () => {
      const handle = await submitted(await open(faultyJob), params({ fault: "throw" }));
      const view = await handle.ended;
      expect(view).toMatchObject({ state: "failed", reason: { code: "user-error" } });
      expect(view.reason!.where).toMatch(/in\/a\.txt:8/);
      expect(view.reason!.stack).toMatch(/faults\.ts:\d+/);
      expect(published()).toEqual({});
      expect(await handle.cancel()).toBe("too-late");
    });

    it("a job whose code ends its process fails with how, and publishes nothing", async () => {
      const handle = await submitted(await open(faultyJob), { ...params({ fault: "exit" }), attempts: 2 });
      const view = await handle.ended;
      expect(view).toMatchObject({ state: "failed", reason: { code: "slot-died" } });
      expect(view.reason!.message).toMatch(/process\.exit\(3\)/);
      expect(published()).toEqual({});
    });

    it("what can't be run is refused by what is wrong: no input, parameters, options, a job that can't be loaded", async () => {
      const engine = await open(faultyJob);
      const refused: readonly [Partial<SubmitOptions>, string][] = [
        [{ inputs: [{ name: "other", paths: ["in"] }] }, "wrong-usage"],
        [{ params: '{"fault":1}' }, "wrong-params"],
        [{ reducers: 0 }, "wrong-usage"],
      ];
      for (const [options, code] of refused)
        await expect(submitted(engine, options), code).rejects.toMatchObject({ code });
      await engine.close();
      writeFileSync(join(folder, "broken.ts"), 'throw new Error("at the top");\n');
      await expect(open(join(folder, "broken.ts"))).rejects.toMatchObject({
        message: expect.stringMatching(/at the top/),
      });
      expect(published()).toEqual({});
    });

    it("a cancelled job ends as cancelled, says so again, and publishes nothing", async () => {
      const handle = await submitted(await open(faultyJob), params({ fault: "loop" }));
      for await (const { running } of handle.watch()) if (running.length > 0) break;
      expect(await handle.cancel()).toBe("cancelled");
      expect((await handle.ended).state).toBe("cancelled");
      expect(await handle.cancel()).toBe("cancelled");
      expect(published()).toEqual({});
    });

    it("may be closed at any time and again, and leaves nothing beside a result", async () => {
      const unused = await open(wordCount);
      await unused.close();
      await unused.stop();
      await unused.close();
      const engine = await open(wordCount);
      await (await submitted(engine)).ended;
      await engine.close();
      await engine.close();
      expect(readdirSync(folder).sort()).toEqual(["in", "out"]);
    });
  });
}
