import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { noLog } from "../base/system/log.ts";
import type { HistoryEvent } from "../protocol/services.ts";
import { type History, type HistoryOptions, openHistory } from "./history.ts";

let directory: string;
let history: History;
const clock = new FakeClock();
const job = "0123456789abcdef0123456789abcdef";

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "millrace-history-"));
  history = await openHistory(directory, { clock });
});
afterEach(async () => {
  await history.close();
  rmSync(directory, { recursive: true, force: true });
});

async function reopen(options: Partial<HistoryOptions> = {}): Promise<void> {
  await history.close();
  history = await openHistory(directory, { clock, ...options });
}

function event(kind: string, more: Partial<HistoryEvent> = {}): HistoryEvent {
  const nothing = { task: undefined, attempt: undefined, worker: undefined, message: undefined };
  return { time: "2026-01-01T00:00:00.000Z", kind, job, ...nothing, ...more };
}

async function kinds(of = job): Promise<string[]> {
  const found: string[] = [];
  for await (const { kind } of history.read(of)) found.push(kind);
  return found;
}

describe("an event log", () => {
  test("is read in the order of what happened, with what still waits to be written, and after a restart", async () => {
    const full = event("attempt-won", {
      attempt: "map-00001.1.2",
      task: "map-00001",
      worker: "w1",
      message: "a\nb\u001b",
    });
    history.append(event("job-submitted"));
    history.append(full);
    const read: HistoryEvent[] = [];
    for await (const one of history.read(job)) read.push(one);
    expect(read).toEqual([event("job-submitted"), full]);
    await reopen();
    history.append(event("job-ended"));
    expect(await kinds()).toEqual(["job-submitted", "attempt-won", "job-ended"]);
    expect(await kinds("f".repeat(32))).toEqual([]);
    expect(statSync(join(directory, `${job}.ndjson`)).mode & 0o077).toBe(0);
  });

  test("of several leaderships is read as one, the oldest first, and each writes a file of its own", async () => {
    history.append(event("a run without a cluster"));
    await reopen({ epoch: () => 9 });
    expect(await kinds()).toEqual([]);
    history.append(event("job-submitted"));
    await reopen({ epoch: () => 10 });
    // The one before has not noticed its end.
    const former = await openHistory(directory, { clock, epoch: () => 9 });
    history.append(event("attempt-adopted"));
    await history.flush();
    former.append(event("attempt-started"));
    await former.close();
    expect(await kinds()).toEqual(["job-submitted", "attempt-started", "attempt-adopted"]);
    expect(await kinds("f".repeat(32))).toEqual([]);
    await history.sweep(() => false);
    expect(readdirSync(directory)).toContain(`${job}.9.ndjson`);
    await reopen({ epoch: () => 11, filesMax: 1 });
    await history.sweep(() => false);
    expect(readdirSync(directory)).toHaveLength(1);
  });

  test("a line that a crash has cut off is skipped, and what follows is not", async () => {
    history.append(event("job-submitted"));
    await history.flush();
    appendFileSync(join(directory, `${job}.ndjson`), '{"time":"2026-01-01T00');
    await reopen();
    history.append(event("job-ended"));
    expect(await kinds()).toEqual(["job-submitted", "job-ended"]);
  });

  test("is bounded: what attempts do is left out then, and said to be; how the job ends is not", async () => {
    await reopen({ fileBytesMax: 2000 });
    history.append(event("job-submitted"));
    for (let i = 0; i < 100; i++) history.append(event("attempt-started", { attempt: `map-${i}.1.${i}`, worker: "w" }));
    history.append(event("job-ended"));
    const all = await kinds();
    await history.flush();
    expect((await kinds()).filter((kind) => kind === "truncated")).toHaveLength(1);
    expect(all).toContain("job-ended");
    expect(all.length).toBeLessThan(20);
    expect(readFileSync(join(directory, `${job}.ndjson`)).length).toBeLessThan(3000);
  });

  test("of the oldest jobs go, those of jobs that are known stay", async () => {
    const jobs = [1, 2, 3, 4].map((n) => String(n).repeat(32));
    for (const [n, one] of jobs.entries()) {
      history.append(event("job-ended", { job: one }));
      await history.flush();
      utimesSync(join(directory, `${one}.ndjson`), n + 1, n + 1);
    }
    await reopen({ filesMax: 2 });
    await history.sweep((one) => one === jobs[0]);
    expect(readdirSync(directory).toSorted()).toEqual([jobs[0], jobs[2], jobs[3]].map((one) => `${one}.ndjson`));
  });

  test("that can't be written costs nobody anything but the log, and is said once", async () => {
    const warned: string[] = [];
    await reopen({ log: { ...noLog, warn: (_, message) => warned.push(message) } });
    rmSync(directory, { recursive: true });
    for (let i = 0; i < 3; i++) {
      history.append(event("job-submitted"));
      await history.flush();
    }
    expect(warned).toHaveLength(1);
    expect(warned[0]).toContain("ENOENT");
  });

  test("waits in memory no more than its bound, however slow the disk is", async () => {
    const message = "x".repeat(2000);
    for (let i = 0; i < 2000; i++) history.append(event("attempt-failed", { message }));
    expect((await kinds()).length).toBeLessThan(1000);
  });
});
