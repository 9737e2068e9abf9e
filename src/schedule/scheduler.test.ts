import { expect, test } from "vitest";
import { done, options, plan, spec } from "../../test/schedule/build.ts";
import { FakeWorker } from "../../test/schedule/fake-worker.ts";
import { createScheduler } from "./scheduler.ts";
import type { SchedulerCommand } from "./step.ts";

test("a job goes from submission to publication on one worker", () => {
  const scheduler = createScheduler(1, options, 0);
  const worker = new FakeWorker("w", 2);
  scheduler.step({ kind: "job-submitted", job: "j", spec: spec(), idempotencyKey: "k" }, 0);
  const commands: SchedulerCommand[] = [];
  for (let round = 0; round < 10; round++) {
    const report = worker.report();
    const step = scheduler.step({ kind: "worker-heard", report }, round);
    commands.push(...step.commands);
    for (const command of step.commands) if (command.kind === "send-orders") worker.follow(command.orders, report);
    for (const [key, { assignment }] of [...worker.running]) worker.finish(key, done(assignment, { plan: plan(3, 2) }));
  }
  const publish = commands.find((command) => command.kind === "publish-output");
  expect(publish?.decision.files.map((file) => file.name)).toEqual(["part-00000.tsv", "part-00001.tsv"]);
  expect(worker.started).toEqual(["1.1", "1.2", "1.3", "1.4", "1.5", "1.6"]);
  scheduler.step({ kind: "output-published", job: "j" }, 11);
  expect(scheduler.view().jobs[0]).toMatchObject({
    state: "succeeded",
    counters: { groups: 6, records: 30 },
    tasks: { map: { done: 3, total: 3 }, reduce: { done: 2, total: 2 } },
  });
});
