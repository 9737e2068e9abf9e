import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type { AttemptId } from "../../base/ids.ts";
import { JobLogs, type JobLogsOptions } from "./job-logs.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-logs-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const attempt = (n: number, job = "j"): AttemptId => ({ job, phase: "map", index: 3, epoch: 1, attempt: n });

function make(options: Partial<JobLogsOptions> = {}): { readonly logs: JobLogs; readonly clock: FakeClock } {
  const clock = new FakeClock();
  return { clock, logs: new JobLogs({ directory, clock, ...options }) };
}

async function textOf(logs: JobLogs, job: string, name: string): Promise<string | undefined> {
  const log = logs.read(job, name);
  if (log === undefined) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of log.content) chunks.push(chunk);
  const text = Buffer.concat(chunks);
  expect(text.length).toBe(log.bytes);
  return text.toString();
}

function print(logs: JobLogs, id: AttemptId, text: string): void {
  const log = logs.open(id);
  log.write(Buffer.from(text));
  log.close();
}

test("what an attempt printed is read by job and attempt, also while it still prints", async () => {
  const { logs } = make();
  const log = logs.open(attempt(7));
  log.write(Buffer.from("one "));
  expect(await textOf(logs, "j", "map-00003.1.7")).toBe("one ");
  log.write(Buffer.from("two"));
  log.close();
  expect(await textOf(logs, "j", "map-00003.1.7")).toBe("one two");
  expect(logs.read("j", "map-00003.1.8")).toBeUndefined();
  expect(logs.read("k", "map-00003.1.7")).toBeUndefined();
});

test("an attempt that printed nothing leaves neither file nor directory", () => {
  const { logs } = make();
  logs.open(attempt(1)).close();
  expect(existsSync(join(directory, "j"))).toBe(false);
});

test("fault 20: all logs of a job together are capped, also over a restart of the worker", async () => {
  const { logs } = make({ jobBytesMax: 10 });
  print(logs, attempt(1), "123456");
  print(logs, attempt(2), "123456");
  expect(await textOf(logs, "j", "map-00003.1.2")).toBe("1234\n[truncated: 2 more bytes were dropped]\n");
  print(logs, attempt(1, "other"), "123456");
  expect(await textOf(logs, "other", "map-00003.1.1")).toBe("123456");
  const later = make({ jobBytesMax: 10 }).logs;
  print(later, attempt(3), "123456");
  expect(await textOf(later, "j", "map-00003.1.3")).toBe("\n[truncated: 6 more bytes were dropped]\n");
});

test("S6: a name that leads elsewhere is no log", () => {
  const { logs } = make();
  writeFileSync(join(directory, "secret.log"), "x");
  mkdirSync(join(directory, "j"));
  for (const [job, name] of [
    ["..", "secret"],
    ["j", "../secret"],
    ["j", "../../etc/passwd"],
    ["", "map-00003.1.7"],
    [".", "secret"],
    ["j/..", "map-00003.1.7"],
  ]) {
    expect(logs.read(job!, name!)).toBeUndefined();
  }
});

test("I14: logs go by age and by count, those of a job that is not over stay", async () => {
  const { logs, clock } = make({ keptMs: 1000, jobsMax: 2 });
  for (const job of ["running", "a", "b", "c"]) print(logs, attempt(1, job), "x");
  for (const [age, job] of ["a", "b", "c"].entries()) {
    logs.end(job);
    utimesSync(join(directory, job), 0, age / 10);
  }
  utimesSync(join(directory, "running"), 0, 0);
  await logs.sweep();
  expect(["running", "a", "b", "c"].filter((job) => existsSync(join(directory, job)))).toEqual(["running", "b", "c"]);
  await clock.pass(1150);
  await logs.sweep();
  expect(["running", "a", "b", "c"].filter((job) => existsSync(join(directory, job)))).toEqual(["running", "c"]);
  expect(readFileSync(join(directory, "c", "map-00003.1.1.log"), "utf8")).toBe("x");
});

test("I13: all logs that are kept have a bound, and the oldest go first", async () => {
  const { logs } = make({ keptBytesMax: 25 });
  for (const [age, job] of ["a", "b", "c"].entries()) {
    print(logs, attempt(1, job), "0123456789");
    logs.end(job);
    utimesSync(join(directory, job), 0, age);
  }
  await logs.sweep();
  expect(["a", "b", "c"].filter((job) => existsSync(join(directory, job)))).toEqual(["b", "c"]);
});
