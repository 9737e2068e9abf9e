import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Process } from "./process.ts";
import { Timeline } from "./timeline.ts";

test("things happen in the order of their times, and at one time in the order in which they were planned", async () => {
  const timeline = new Timeline();
  const happened: string[] = [];
  timeline.after(20, () => void happened.push("c"));
  timeline.after(10, () => {
    happened.push("a");
    timeline.after(0, () => void happened.push("b"));
  });
  timeline.cancel(timeline.after(15, () => void happened.push("never")));
  await timeline.runUntil(100, () => false);
  expect(happened).toEqual(["a", "b", "c"]);
  expect(timeline.now).toBe(100);
});

test("virtual time waits for what takes real time", async () => {
  const timeline = new Timeline();
  const happened: string[] = [];
  const process = new Process(timeline, "m", () => 0, 0);
  process.after(10, async () => {
    await sleep(5);
    happened.push(`worked at ${timeline.now}`);
  });
  timeline.after(11, () => void happened.push(`later at ${timeline.now}`));
  await timeline.runUntil(20, () => false);
  expect(happened).toEqual(["worked at 10", "later at 11"]);
});

test("what comes for a stopped process waits, what comes for a dead one is gone", async () => {
  const timeline = new Timeline();
  const happened: string[] = [];
  const [stopped, dead] = [new Process(timeline, "a", () => 0, 0), new Process(timeline, "b", () => 0, 0)];
  stopped.after(5, () => void happened.push(`stopped at ${timeline.now}`));
  dead.after(5, () => void happened.push("dead"));
  stopped.stop();
  dead.crash();
  timeline.after(9, () => stopped.goOn());
  await timeline.runUntil(20, () => false);
  expect(happened).toEqual(["stopped at 9"]);
});
