import { describe, expect, test } from "vitest";
import type { RunProgress } from "../../job/progress.ts";
import { noStats } from "../../protocol/stats.ts";
import type { JobState, JobView } from "../../protocol/view.ts";
import { tellProgress } from "./tell-progress.ts";

const none = { done: 0, running: 0, total: 0 };
const view = (state: JobState): JobView => ({
  job: "j",
  name: "word-count",
  number: 1,
  state,
  resumable: false,
  tasks: { plan: none, map: { done: 1, running: 0, total: 2 }, reduce: none },
  counters: { lines: 2 },
  stats: { inputBytes: 10, map: { ...noStats, bytesIn: 5 }, reduce: noStats },
  deadLetters: 0,
  running: [],
  failures: [],
  output: "/out",
});

async function told(states: readonly JobState[], call: (progress: RunProgress) => unknown, failure?: Error) {
  const warnings: string[] = [];
  async function* watch() {
    for (const state of states) {
      await new Promise((resolve) => setImmediate(resolve));
      yield view(state);
    }
    if (failure !== undefined) throw failure;
  }
  await tellProgress({ handle: { watch }, call, startedMs: 0, warn: (warning) => warnings.push(warning) });
  await new Promise((resolve) => setImmediate(resolve));
  return warnings;
}

const many = Array.from({ length: 50 }, () => "mapping" as const);

describe("onProgress", () => {
  test("is called when the state changes, now and then within one, and at the end", async () => {
    const seen: RunProgress[] = [];
    expect(await told(["planning", ...many, "publishing", "succeeded"], (progress) => seen.push(progress))).toEqual([]);
    const states = seen.map(({ state }) => state);
    expect([...new Set(states)]).toEqual(["planning", "mapping", "publishing", "succeeded"]);
    expect(states.at(-1)).toBe("succeeded");
    expect(states.length).toBeLessThan(10);
    expect(seen[1]).toMatchObject({ name: "word-count", percent: 50, counters: { lines: 2 } });
  });

  test.each([
    [
      "throws",
      () => {
        throw new TypeError("no bar");
      },
    ],
    ["rejects", () => Promise.reject(new TypeError("no bar"))],
    [
      "throws what is no error",
      () => {
        throw null;
      },
    ],
  ])("is told once when it %s, and not called again", async (_, wrong) => {
    let calls = 0;
    const warnings = await told(["planning", ...many, "succeeded"], () => {
      calls++;
      return wrong();
    });
    expect(warnings).toEqual([expect.stringMatching(/^onProgress is not called any more, because it failed: /)]);
    expect(calls).toBe(1);
  });

  test("is not called while the promise of its last call is pending, but for the end, and is not waited for", async () => {
    const states: JobState[] = [];
    const never = new Promise(() => {});
    await told(["planning", "mapping", "reducing", "succeeded"], ({ state }) => {
      states.push(state);
      return never;
    });
    expect(states).toEqual(["planning", "succeeded"]);
  });

  test("ends with a run that can't be watched any more, in silence: the run itself tells why", async () => {
    const seen: JobState[] = [];
    expect(await told(["mapping"], ({ state }) => seen.push(state), new Error("gone"))).toEqual([]);
    expect(seen).toEqual(["mapping"]);
  });
});
