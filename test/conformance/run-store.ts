// Where a worker's attempts keep their runs (worker/disk/run-store.ts): in files, and in the simulation.
//
// The agent calls `begin` before an attempt and `end` once it has ended, each time; `end`, `keep`, `clear` and
// `discard` may be repeated, and may come for attempts, slots and jobs that the store has never heard of: after a
// restart, or when a job is over before anything of it began. A run that was kept stays until its job is discarded,
// whatever other attempts of the job do, also those whose names begin alike. None of these throws but `begin`. A
// discarded job may begin again under its name, and has nothing of before.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AttemptId } from "../../src/base/ids.ts";
import type { RunRef } from "../../src/sort/run.ts";
import type { AttemptDirectories, RunStore } from "../../src/worker/disk/run-store.ts";

export interface RunStoreUnderTest {
  readonly store: RunStore;
  /** Writes a run of the attempt where `begin` said, as its slot would. */
  write(attempt: AttemptId, directories: AttemptDirectories): RunRef;
  /**
   * It looks at files: a path or size that is not the run's is noticed. The simulation has neither, nor slots that lie.
   */
  readonly seesFiles: boolean;
  /** Whether the run can be read. */
  has(run: RunRef): boolean;
  close?(): void;
}

const attemptOf = (attempt: number, job = "job-1", index = 0): AttemptId => ({
  job,
  phase: "map",
  index,
  epoch: 1,
  attempt,
});

/** What every `RunStore` promises. `open` makes an empty one. */
export function runStoreConformance(name: string, open: () => RunStoreUnderTest): void {
  describe(`${name}: a worker's runs`, () => {
    let opened: RunStoreUnderTest;
    let store: RunStore;
    beforeEach(() => {
      opened = open();
      store = opened.store;
    });
    afterEach(() => opened.close?.());

    const begun = (attempt: AttemptId, slot = "slot-1") => opened.write(attempt, store.begin(attempt, slot));
    const won = (attempt: AttemptId) => {
      const run = begun(attempt);
      store.end(attempt, { isFailed: false, kept: run });
      return run;
    };

    it("a run that is kept stays, and its job is one that something is kept of", () => {
      expect(store.jobs()).toEqual([]);
      const run = won(attemptOf(1));
      expect(opened.has(run)).toBe(true);
      expect(store.jobs()).toEqual(["job-1"]);
    });

    it("a failed attempt leaves nothing, of itself alone: not of one whose name begins alike, nor of another job's", () => {
      const others = [attemptOf(11), attemptOf(1, "job-1", 1), attemptOf(1, "job-11"), attemptOf(1, "job-2")].map(won);
      const failed = attemptOf(1);
      const run = begun(failed);
      store.end(failed, { isFailed: true, kept: undefined });
      expect(opened.has(run)).toBe(false);
      expect(others.map(opened.has)).toEqual([true, true, true, true]);
    });

    it("attempts at the same time, in slots of their own, keep what is theirs", () => {
      const [one, two] = [attemptOf(1), attemptOf(2, "job-1", 1)];
      const runs = [begun(one, "slot-1"), begun(two, "slot-2")] as const;
      store.end(two, { isFailed: true, kept: undefined });
      store.end(one, { isFailed: false, kept: runs[0] });
      expect(runs.map(opened.has)).toEqual([true, false]);
    });

    it("a run is an attempt's own, or it is not", () => {
      const run = won(attemptOf(1));
      const other = won(attemptOf(2, "job-1", 1));
      expect(store.lookAt(run.writtenBy, run)).toBe("own");
      for (const attempt of [attemptOf(3), attemptOf(1, "job-2"), attemptOf(1, "job-1", 1)]) {
        expect(store.lookAt(attempt, run)).toBe("foreign");
        if (opened.seesFiles) expect(store.lookAt(attempt, { ...run, writtenBy: attempt })).toBe("foreign");
      }
      if (opened.seesFiles)
        expect(store.lookAt(other.writtenBy, { ...run, writtenBy: other.writtenBy })).toBe("foreign");
      if (opened.seesFiles) expect(store.lookAt(run.writtenBy, { ...run, bytes: run.bytes + 1 })).toBe("foreign");
      if (opened.seesFiles)
        expect(store.lookAt(run.writtenBy, { ...run, path: `${run.path}/../../../etc/passwd` })).toBe("foreign");
      store.end(run.writtenBy, { isFailed: true, kept: undefined });
      if (opened.seesFiles) expect(store.lookAt(run.writtenBy, run)).toBe("gone");
    });

    it("a job that is over leaves nothing, and others all that they have", async () => {
      const gone = [won(attemptOf(1)), won(attemptOf(2, "job-1", 1)), begun(attemptOf(3, "job-1", 2))];
      const kept = [won(attemptOf(1, "job-11")), won(attemptOf(1, "job-2"))];
      store.discard("job-1");
      await store.settled();
      expect(gone.map(opened.has)).toEqual([false, false, false]);
      expect(kept.map(opened.has)).toEqual([true, true]);
      expect([...store.jobs()].sort()).toEqual(["job-11", "job-2"]);
    });

    it("a job that is over may begin again at once, and finds nothing of before", async () => {
      const before = won(attemptOf(1));
      store.discard("job-1");
      const after = won(attemptOf(2));
      expect(opened.has(before)).toBe(false);
      await store.settled();
      expect(opened.has(after)).toBe(true);
      expect(store.jobs()).toEqual(["job-1"]);
    });

    it("what is said twice, or of what it has never heard of, changes nothing", async () => {
      const run = won(attemptOf(1));
      store.keep(run);
      store.end(run.writtenBy, { isFailed: false, kept: run });
      store.end(attemptOf(9, "never"), { isFailed: true, kept: undefined });
      store.discard("never");
      store.clear("never");
      store.clear("slot-1");
      await store.settled();
      expect(opened.has(run)).toBe(true);
      expect(store.jobs()).toEqual(["job-1"]);
      store.discard("job-1");
      store.discard("job-1");
      await store.settled();
      await store.settled();
      expect(store.jobs()).toEqual([]);
    });
  });
}
