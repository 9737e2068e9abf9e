import { expect, test } from "vitest";
import { FakeClock, settled } from "../../test/support/fake-clock.ts";
import { watchLag } from "./lag.ts";

test("fault 41: a process that stood still knows for how long", async () => {
  const clock = new FakeClock();
  const heard: number[] = [];
  const lag = watchLag(clock, (ms) => heard.push(ms));
  await clock.pass(1000);
  expect(heard).toEqual([0, 0, 0, 0]);
  clock.jump(6000);
  await clock.pass(250);
  expect(Math.max(...heard)).toBeGreaterThanOrEqual(5750);
  expect(lag.worst()).toBe(Math.max(...heard));
  expect(lag.worst()).toBe(0);
  lag.close();
  const before = heard.length;
  await clock.pass(1000);
  await settled();
  expect(heard.length).toBe(before);
});
