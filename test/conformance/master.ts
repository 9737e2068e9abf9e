// What answers as a master (protocol/services.ts `MasterApi`): the API of a master's node in this process, and a client
// at the other end of a wire. Whatever is written against one runs against the other.
//
// Every call may be repeated, at the same time too, and a repeated one changes nothing: a submission by its key, a
// retry of a job that goes on, a cancel of one that is cancelled, a drain, a report. An older report of a worker may
// come after a newer one. Jobs are listed in the order of their submission. A watch gives the newest view at once, one
// after each change that it is fast enough for, and ends with the job, or without an error when its caller leaves. A
// job or worker that there is not is `wrong-usage`, whatever is wanted.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { randomId } from "../../src/base/system/random.ts";
import type { JobSpec } from "../../src/job/spec.ts";
import type { Hello, MasterApi, Submission } from "../../src/protocol/services.ts";
import { ourVersions } from "../../src/protocol/versions.ts";
import { failed, report, text } from "../schedule/build.ts";

export interface MasterUnderTest {
  /** As a client has it, and as a worker of that name has it: the same master. */
  readonly client: MasterApi;
  worker(name: string): MasterApi;
  /** A job that can be submitted, with an output of its own. */
  spec(): JobSpec;
  close(): Promise<void> | void;
}

const never = () => new AbortController().signal;
const address = "http://127.0.0.1:9";
const unknownJob = "0".repeat(32);

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** What greeting a master promises, of fakes too. */
export function greetingConformance(
  name: string,
  open: () => Promise<Pick<MasterUnderTest, "worker" | "close">>,
): void {
  describe(`${name}: a greeting`, () => {
    let opened: Awaited<ReturnType<typeof open>>;
    beforeEach(async () => (opened = await open()));
    afterEach(() => opened.close());
    const hello: Hello = { ...ourVersions, role: "worker", worker: "w" };

    it("gives this version's words, a lease, the master's time, and the same cluster each time", async () => {
      const worker = opened.worker("w");
      const [first, second] = [await worker.hello(hello), await worker.hello(hello)];
      expect(first).toMatchObject({ cluster: second.cluster, leaseMs: second.leaseMs });
      expect(first.protocol).toBe(ourVersions.protocol);
      expect(first.millrace).toBe(ourVersions.millrace);
      expect(first.leaseMs).toBeGreaterThan(0);
      expect(Math.abs(first.timeMs - Date.now())).toBeLessThan(600_000);
      expect(first.start).toBeGreaterThan(0);
    });
  });
}

/** What every `MasterApi` promises. `open` gives one without jobs and workers. */
export function masterConformance(name: string, open: () => Promise<MasterUnderTest>): void {
  greetingConformance(name, open);
  describe(`${name}: a master`, () => {
    let opened: MasterUnderTest;
    let master: MasterApi;
    beforeEach(async () => {
      opened = await open();
      master = opened.client;
    });
    afterEach(() => opened.close());

    const submission = (): Submission => ({ idempotencyKey: randomId(), spec: opened.spec(), overwrite: false });
    const submit = () => master.submit(submission());
    /** Its plan task fails for good. */
    const failJob = async (worker: string): Promise<void> => {
      const api = opened.worker(worker);
      const { start } = await api.heartbeat(report(worker, 1, { address }), never());
      const finished = [failed(start[0]!.attempt, { kind: "fatal", error: text("it can't be done") })];
      await api.heartbeat(report(worker, 2, { address, finished }), never());
    };

    it("numbers each start of a worker higher than all before, and clients get none", async () => {
      const start = async (worker: string) =>
        (await opened.worker(worker).hello({ ...ourVersions, role: "worker", worker })).start;
      const starts = [await start("w1"), await start("w2"), await start("w1")];
      expect(starts).toEqual([...starts].sort((a, b) => a - b));
      expect(new Set(starts).size).toBe(3);
      expect((await master.hello({ ...ourVersions, role: "client", worker: undefined })).start).toBe(0);
    });

    it("the same submission is the same job, at the same time and later; jobs are listed as they were submitted", async () => {
      const [one, two] = [submission(), submission()];
      const [first, again] = await Promise.all([master.submit(one), master.submit(one)]);
      expect(again).toBe(first);
      const second = await master.submit(two);
      expect(await master.submit(one)).toBe(first);
      expect((await master.view()).jobs.map(({ job }) => job)).toEqual([first, second]);
      expect(await master.get(second)).toMatchObject({ job: second, state: "planning", output: two.spec.output });
    });

    it("a job that can't be run is refused by what is wrong with it, and is no job", async () => {
      const { spec, ...rest } = submission();
      const wrong: readonly [Partial<JobSpec>, string][] = [
        [{ bundle: "0".repeat(64) }, "bad-input"],
        [{ inputs: [{ name: "", paths: ["gone.txt"] }] }, "no-input"],
        [{ output: "relative" }, "wrong-usage"],
      ];
      for (const [change, code] of wrong)
        await expect(master.submit({ ...rest, spec: { ...spec, ...change } }), code).rejects.toMatchObject({ code });
      expect((await master.view()).jobs).toEqual([]);
    });

    it("a job that is not there is a wrong usage, whatever is wanted of it; so is a worker", async () => {
      const calls: Record<string, () => Promise<unknown>> = {
        get: () => master.get(unknownJob),
        watch: () => collect(master.watch(unknownJob)),
        cancel: () => master.cancel(unknownJob),
        retry: () => master.retry(unknownJob),
        logs: () => collect(master.logs(unknownJob, undefined)),
        history: () => collect(master.history(unknownJob)),
        drain: () => master.drain("nobody"),
      };
      for (const [what, call] of Object.entries(calls))
        await expect(call(), what).rejects.toMatchObject({ code: "wrong-usage" });
    });

    it("a cancel is heard once, and says the same when it is repeated; what failed before it is too late for", async () => {
      const job = await submit();
      expect(await master.cancel(job)).toBe("cancelled");
      expect(await master.cancel(job)).toBe("cancelled");
      expect((await master.get(job)).state).toBe("cancelled");
      const other = await submit();
      await failJob("w");
      expect(await master.cancel(other)).toBe("too-late");
    });

    it("a failed job is retried once, however often that is asked, and one that did not fail has nothing to go on with", async () => {
      const job = await submit();
      await failJob("w");
      expect(await master.get(job)).toMatchObject({ state: "failed", reason: { message: "it can't be done" } });
      await Promise.all([master.retry(job), master.retry(job)]);
      await master.retry(job);
      expect((await master.get(job)).state).toBe("planning");
      expect((await collect(master.history(job))).filter(({ kind }) => kind === "job-resumed")).toHaveLength(1);
      await master.cancel(job);
      await expect(master.retry(job)).rejects.toMatchObject({ code: "nothing-to-resume" });
    });

    it("a watch gives the newest view at once, and ends with the job; of one that has ended it is one view", async () => {
      const job = await submit();
      const states: string[] = [];
      for await (const view of master.watch(job)) {
        states.push(view.state);
        if (states.length === 1) await master.cancel(job);
      }
      expect(states[0]).toBe("planning");
      expect(states.at(-1)).toBe("cancelled");
      expect((await collect(master.watch(job))).map(({ state }) => state)).toEqual(["cancelled"]);
    });

    it("a watch whose caller leaves ends without an error, and the job goes on", async () => {
      const job = await submit();
      const leave = new AbortController();
      for await (const { state } of master.watch(job, leave.signal)) {
        expect(state).toBe("planning");
        leave.abort();
      }
      expect((await master.get(job)).state).toBe("planning");
    });

    it("a job's history is told whole and in order, as often as it is asked for", async () => {
      const job = await submit();
      await master.cancel(job);
      const events = await collect(master.history(job));
      expect(events.map(({ kind }) => kind)).toEqual(["job-submitted", "job-ended"]);
      expect(events.every((event) => event.job === job && !Number.isNaN(Date.parse(event.time)))).toBe(true);
      expect(await collect(master.history(job))).toEqual(events);
    });

    it("logs are named by attempts: what is none is a wrong usage, one that is not noted bad input", async () => {
      const job = await submit();
      await expect(collect(master.logs(job, "../x"))).rejects.toMatchObject({ code: "wrong-usage" });
      await expect(collect(master.logs(job, "map-00007.1.1"))).rejects.toMatchObject({ code: "bad-input" });
      expect(await collect(master.logs(job, undefined))).toEqual([]);
    });

    it("a report that comes after a newer one says nothing of what is so now", async () => {
      const job = await submit();
      const worker = opened.worker("w");
      const first = await worker.heartbeat(report("w", 1, { address }), never());
      expect(first.start.map(({ attempt }) => [attempt.job, attempt.phase])).toEqual([[job, "plan"]]);
      // Answered at once, as the worker drains; the order is repeated until a report lists the attempt.
      await master.drain("w");
      const second = await worker.heartbeat(report("w", 2, { address }), never());
      expect(second.drain).toBe(true);
      const leave = new AbortController();
      const late = worker.heartbeat(report("w", 1, { address, slots: 9, slotsFree: 9 }), leave.signal);
      await Promise.race([late.catch(() => {}), master.view()]);
      leave.abort();
      await late.catch(() => {});
      expect((await master.view()).workers).toMatchObject([{ id: "w", slots: 1 }]);
    });

    it("an older life of a worker is refused, once a newer one was heard", async () => {
      const worker = opened.worker("w");
      await submit();
      await worker.heartbeat(report("w", 1, { address, incarnation: 2 }), never());
      await expect(worker.heartbeat(report("w", 5, { address, incarnation: 1 }), never())).rejects.toMatchObject({
        code: "state-busy",
      });
    });

    it("a worker that is to drain is told so, and is asked once", async () => {
      await submit();
      const worker = opened.worker("w");
      await worker.heartbeat(report("w", 1, { address }), never());
      await master.drain("w");
      await master.drain("w");
      expect((await worker.heartbeat(report("w", 2, { address }), never())).drain).toBe(true);
      expect((await master.view()).workers.map(({ id, state }: { id: string; state: string }) => [id, state])).toEqual([
        ["w", "draining"],
      ]);
    });

    it("a worker that gives up its call is no longer waited for, and its report stays heard", async () => {
      const worker = opened.worker("w");
      const leave = new AbortController();
      const call = worker.heartbeat(report("w", 1, { address }), leave.signal);
      call.catch(() => {});
      await vi.waitUntil(async () => (await master.view()).workers.length > 0, { timeout: 30_000 });
      leave.abort(new Error("enough"));
      await expect(call).rejects.toThrow();
      expect((await master.view()).workers).toMatchObject([{ id: "w" }]);
    });
  });
}
