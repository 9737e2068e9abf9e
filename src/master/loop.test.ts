import { describe, expect, test } from "vitest";
import { FakeClock, settled } from "../../test/support/fake-clock.ts";
import { MillraceError } from "../base/error.ts";
import type { JobSpec } from "../job/spec.ts";
import type { WorkerOrders, WorkerReport } from "../protocol/messages.ts";
import type { ClusterView, JobView } from "../protocol/view.ts";
import type { Scheduler, SchedulerEvent, Step } from "../schedule/step.ts";
import type { Change, Leadership, StateStore } from "../state/store.ts";
import type { CommitDecision, Storage } from "../storage/storage.ts";
import { createMaster } from "./loop.ts";
import { jobIdOf, type Master, type MasterOptions } from "./master.ts";

/** A scheduler that does what the test says, and remembers what it was told. */
class FakeScheduler implements Scheduler {
  readonly events: SchedulerEvent[] = [];
  readonly jobs = new Map<string, JobView>();
  decision: CommitDecision | undefined;
  answer: (event: SchedulerEvent) => Partial<Step> = () => ({});

  step(event: SchedulerEvent): Step {
    this.events.push(event);
    if (event.kind === "job-submitted") this.jobs.set(event.job, jobView(event.job, "planning"));
    if (event.kind === "job-cancelled") this.jobs.set(event.job, jobView(event.job, "cancelled"));
    if (event.kind === "output-published") this.jobs.set(event.job, jobView(event.job, "succeeded"));
    const changes: Change[] =
      event.kind === "worker-heard" || event.kind === "clock-ticked"
        ? []
        : [{ put: { key: event.kind, value: new Uint8Array() } }];
    return { changes, commands: [], facts: [], wakeAt: undefined, ...this.answer(event) };
  }

  ordersFor(): WorkerOrders {
    return noOrders;
  }

  unpublished(): CommitDecision | undefined {
    return this.decision;
  }

  view(): ClusterView {
    return { epoch: 1, jobs: [...this.jobs.values()], workers: [] };
  }
}

/** A store whose commits wait until the test lets them through. */
class FakeStore implements StateStore, Leadership {
  readonly epoch = 1;
  readonly losing = new AbortController();
  readonly lost = this.losing.signal;
  readonly commits: (readonly Change[])[] = [];
  gate: Promise<void> = Promise.resolve();
  fails: Error | undefined;

  lead(): Promise<Leadership> {
    return Promise.resolve(this);
  }

  async leader(): Promise<undefined> {}
  async *watchLeader(): AsyncIterable<never> {}
  async *scan(): AsyncIterable<never> {}

  async commit(changes: readonly Change[]): Promise<void> {
    await this.gate;
    if (this.fails !== undefined) throw this.fails;
    this.commits.push(changes);
  }

  async resign(): Promise<void> {}
  async close(): Promise<void> {}
}

const noOrders: WorkerOrders = {
  epoch: 1,
  start: [],
  stop: [],
  holders: [],
  discard: [],
  settle: [],
  leaseMs: 10_000,
  drain: false,
};
const spec = { name: "job" } as JobSpec;
const decision = {
  job: "j",
  destination: "/out",
  files: [],
  replaces: undefined,
  manifest: new Uint8Array(),
} as CommitDecision;

function jobView(job: string, state: JobView["state"]): JobView {
  return { job, state } as JobView;
}

function report(sequence: number, worker = "w"): WorkerReport {
  return { worker, incarnation: 1, sequence } as WorkerReport;
}

async function start(
  publish: () => Promise<void> = () => Promise.resolve(),
  options: Partial<MasterOptions> & { readonly clock?: FakeClock } = {},
) {
  const clock = options.clock ?? new FakeClock();
  const store = new FakeStore();
  const scheduler = new FakeScheduler();
  const discarded: string[] = [];
  const storage = {
    publish,
    discard: async (destination: string) => void discarded.push(destination),
  } as unknown as Storage;
  const master: Master = await createMaster({
    store,
    storage,
    recover: () => scheduler,
    scheduler: {} as never,
    heartbeatMs: 3000,
    owner: "test",
    ...options,
    clock,
  });
  await settled();
  return { clock, store, scheduler, master, discarded };
}

describe("the master loop", () => {
  test("the first event of a new leader is a tick, so that what its predecessor left undone is done", async () => {
    const { scheduler, master } = await start();
    expect(scheduler.events).toEqual([{ kind: "clock-ticked" }]);
    await master.close();
  });

  test("events that come in while a commit is under way share the next one", async () => {
    const { store, master } = await start();
    let open = () => {};
    store.gate = new Promise((resolve) => (open = resolve));
    const first = master.submit(spec, "a");
    await settled();
    const others = [master.submit(spec, "b"), master.submit(spec, "c")];
    await settled();
    expect(store.commits).toHaveLength(0);
    open();
    await Promise.all([first, ...others]);
    expect(store.commits.map((changes) => changes.length)).toEqual([1, 2]);
    await master.close();
  });

  test("fault 31: nothing is shown or acknowledged before it is durable", async () => {
    const { store, master } = await start();
    let open = () => {};
    store.gate = new Promise((resolve) => (open = resolve));
    let isAcknowledged = false;
    const submitted = master.submit(spec, "a").then((job) => {
      isAcknowledged = true;
      return job;
    });
    await settled();
    expect(isAcknowledged).toBe(false);
    expect(master.view().jobs).toEqual([]);
    open();
    expect(master.view().jobs).toEqual([]);
    const job = await submitted;
    expect(master.view().jobs.map((view) => view.job)).toEqual([job]);
    await master.close();
  });

  test("fault 44: the same key is the same job on any master", () => {
    expect(jobIdOf("key")).toBe(jobIdOf("key"));
    expect(jobIdOf("key")).toMatch(/^[0-9a-f]{32}$/);
    expect(jobIdOf("key")).not.toBe(jobIdOf("other"));
  });

  test("fault 37: a commit that fails makes the master step down, and everything waiting is rejected", async () => {
    const { store, master } = await start();
    const heartbeat = master.heartbeat(report(1));
    await settled();
    store.fails = new MillraceError("io-error", "disk full");
    const submitted = master.submit(spec, "a");
    await expect(submitted).rejects.toThrow("disk full");
    await expect(heartbeat).rejects.toThrow("disk full");
    await expect(master.submit(spec, "b")).rejects.toThrow("disk full");
    expect(() => master.view()).toThrow("disk full");
    expect(master.stopped.aborted).toBe(true);
    await master.close();
  });

  test("faults 33, 34: a master that has lost its leadership answers nobody, commands undone", async () => {
    let published = 0;
    const { store, scheduler, master } = await start(async () => void published++);
    let open = () => {};
    store.gate = new Promise((resolve) => (open = resolve));
    scheduler.answer = () => ({ commands: [{ kind: "publish-output", decision }] });
    const submitted = master.submit(spec, "a");
    await settled();
    store.losing.abort();
    open();
    await expect(submitted).rejects.toMatchObject({ code: "not-leader" });
    await expect(master.heartbeat(report(1))).rejects.toMatchObject({ code: "not-leader" });
    expect(published).toBe(0);
    await master.close();
  });

  test("a heartbeat is answered when its time is up, and not before", async () => {
    const { clock, master } = await start();
    let answered: WorkerOrders | undefined;
    const call = master.heartbeat(report(1)).then((orders) => (answered = orders));
    await clock.pass(2999);
    expect(answered).toBeUndefined();
    await clock.pass(1);
    expect(await call).toEqual(noOrders);
    await master.close();
  });

  test("orders answer the waiting call at once", async () => {
    const { scheduler, master } = await start();
    const call = master.heartbeat(report(1));
    await settled();
    const orders = { ...noOrders, discard: ["j"] };
    scheduler.answer = () => ({ commands: [{ kind: "send-orders", worker: "w", orders }] });
    await master.submit(spec, "a");
    expect(await call).toEqual(orders);
    await master.close();
  });

  test("a newer report of the same worker ends the older call", async () => {
    const { clock, master } = await start();
    const older = master.heartbeat(report(1));
    await settled();
    const newer = master.heartbeat(report(2));
    expect(await older).toEqual(noOrders);
    await clock.pass(3000);
    expect(await newer).toEqual(noOrders);
    await master.close();
  });

  test("a call that its worker gave up is rejected; its report was heard", async () => {
    const { scheduler, master } = await start();
    const hangUp = new AbortController();
    const call = master.heartbeat(report(1), hangUp.signal);
    await settled();
    hangUp.abort();
    await expect(call).rejects.toMatchObject({ code: "cancelled" });
    expect(scheduler.events.map((event) => event.kind)).toEqual(["clock-ticked", "worker-heard"]);
    await master.close();
  });

  test("the scheduler is woken when it asked to be", async () => {
    const { clock, scheduler, master } = await start();
    scheduler.answer = (event) => (event.kind === "clock-ticked" ? {} : { wakeAt: clock.now() + 500 });
    await master.submit(spec, "a");
    await clock.pass(499);
    expect(scheduler.events.filter((event) => event.kind === "clock-ticked")).toHaveLength(1);
    await clock.pass(1);
    expect(scheduler.events.filter((event) => event.kind === "clock-ticked")).toHaveLength(2);
    await clock.pass(10_000);
    expect(scheduler.events.filter((event) => event.kind === "clock-ticked")).toHaveLength(2);
    await master.close();
  });

  test("what publishing gives comes back as an event", async () => {
    const { scheduler, master, discarded } = await start();
    scheduler.answer = (event) =>
      event.kind === "job-submitted"
        ? { commands: [{ kind: "publish-output", decision: { ...decision, job: event.job } }] }
        : event.kind === "output-published"
          ? { commands: [{ kind: "discard-job", job: event.job, destination: "/out" }] }
          : {};
    const job = await master.submit(spec, "a");
    const states: string[] = [];
    for await (const view of master.watch(job)) states.push(view.state);
    expect(states.at(-1)).toBe("succeeded");
    await master.close();
    expect(discarded).toEqual(["/out"]);
  });

  test("a publish that fails is an event that says why", async () => {
    const { scheduler, master } = await start(() =>
      Promise.reject(new MillraceError("output-exists", "/out exists already")),
    );
    scheduler.answer = (event) =>
      event.kind === "job-submitted" ? { commands: [{ kind: "publish-output", decision }] } : {};
    await master.submit(spec, "a");
    await settled();
    expect(scheduler.events.at(-1)).toMatchObject({
      kind: "output-failed",
      error: { code: "output-exists", message: "/out exists already" },
    });
    await master.close();
  });

  test("a publish that may succeed later is tried again, at growing distances, and then is one that fails", async () => {
    const down = () => Promise.reject(new MillraceError("io-error", "nobody answers", { retry: "same" }));
    let tries = 0;
    const publish = () => (++tries < 3 ? down() : Promise.resolve());
    const failed: string[] = [];
    const observer = { failed: (what: string) => failed.push(what) };
    const { clock, scheduler, master } = await start(publish, { publishTriesMax: 3, observer });
    scheduler.answer = (event) =>
      event.kind === "job-submitted" ? { commands: [{ kind: "publish-output", decision }] } : {};
    await master.submit(spec, "a");
    await clock.pass(999);
    expect(tries).toBe(1);
    await clock.pass(1);
    expect(tries).toBe(2);
    await clock.pass(2000);
    expect(scheduler.events.at(-1)).toMatchObject({ kind: "output-published" });
    expect(failed).toEqual(["publishing job j, try 1 of 3", "publishing job j, try 2 of 3"]);
    tries = -10;
    await master.submit(spec, "b");
    await clock.pass(60_000);
    expect(scheduler.events.at(-1)).toMatchObject({ kind: "output-failed" });
    expect(tries).toBe(-7);
    await master.close();
  });

  test("fault 35: however long a commit takes, one report of each worker waits, the newest; the older calls end", async () => {
    const { clock, store, scheduler, master } = await start();
    let open = () => {};
    store.gate = new Promise((resolve) => (open = resolve));
    const submitted = master.submit(spec, "a");
    await settled();
    const calls = Array.from({ length: 50 }, (_, n) => master.heartbeat(report(n)));
    const late = master.heartbeat(report(7)); // by a detour
    const reborn = master.heartbeat({ ...report(0), incarnation: 2 });
    const outcomes = Promise.allSettled(calls);
    await settled();
    expect(scheduler.events.filter((event) => event.kind === "worker-heard")).toEqual([]);
    open();
    await submitted;
    await clock.pass(3000);
    expect((await outcomes).map(({ status }) => status)).toEqual([...Array(49).fill("rejected"), "fulfilled"]);
    expect(await late).toEqual(noOrders);
    expect(await reborn).toEqual(noOrders);
    const heard = scheduler.events.flatMap((event) => (event.kind === "worker-heard" ? [event.report] : []));
    expect(heard.map(({ incarnation, sequence }) => [incarnation, sequence])).toEqual([
      [1, 49],
      [1, 7],
      [2, 0],
    ]);
    await master.close();
  });

  test("fault 39: nothing depends on the wall clock", async () => {
    class Timeless extends FakeClock {
      override date(): Date {
        throw new Error("somebody has asked for the date");
      }
    }
    const { clock, master } = await start(undefined, { clock: new Timeless() });
    const call = master.heartbeat(report(1));
    await master.submit(spec, "a");
    await clock.pass(3000);
    expect(await call).toEqual(noOrders);
    await master.close();
  });

  test("goes on when what happened can't be noted", async () => {
    const stepped = () => {
      throw new Error("the log is full");
    };
    const failed: string[] = [];
    const { master } = await start(undefined, { observer: { stepped, failed: (what) => failed.push(what) } });
    await master.submit(spec, "a");
    expect(master.stopped.aborted).toBe(false);
    expect(failed).toContain("noting what happened");
    await master.close();
  });

  test("cancelling a job that ended already is too late", async () => {
    const { scheduler, master } = await start();
    const job = await master.submit(spec, "a");
    expect(await master.cancel(job)).toBe("cancelled");
    scheduler.jobs.set(job, jobView(job, "succeeded"));
    const step = scheduler.step.bind(scheduler);
    scheduler.step = (event) => {
      const result = step(event);
      scheduler.jobs.set(job, jobView(job, "succeeded"));
      return result;
    };
    expect(await master.cancel(job)).toBe("too-late");
    await expect(master.cancel("nosuch")).rejects.toThrow("no job nosuch");
    await master.close();
  });

  test("a bug in the scheduler ends the master instead of leaving it half alive", async () => {
    const { scheduler, master } = await start();
    scheduler.answer = () => {
      throw new Error("millrace bug: broken");
    };
    await expect(master.submit(spec, "a")).rejects.toThrow("broken");
    expect(master.stopped.aborted).toBe(true);
    await master.close();
  });
});
