import { stripVTControlCharacters as plain } from "node:util";
import { expect, it } from "vitest";
import type { RemoteMaster } from "../protocol/services.ts";
import { findJob, findWorker } from "./cluster.ts";
import { historyLine } from "./commands/history.ts";
import { tableLines } from "./screen/columns.ts";

const jobs = ["3f2a11", "3f2b22", "77aa"].map((job) => ({ job, name: `n-${job}` }));
const workers = ["w1", "w10", "w2"].map((id) => ({ id }));
const get = async (id: string) => ({ ...jobs.find(({ job }) => job === id), failures: ["all that is known"] });
const master = { view: async () => ({ jobs, workers }), get } as unknown as RemoteMaster;

it("a job is found by any beginning of its id that is one job's", async () => {
  expect(await findJob(master, "7")).toMatchObject({ job: "77aa", failures: ["all that is known"] });
  expect((await findJob(master, "3f2b")).job).toBe("3f2b22");
  await expect(findJob(master, "3f")).rejects.toMatchObject({
    code: "wrong-usage",
    message: '2 jobs have ids that begin with "3f": 3f2a11 (n-3f2a11), 3f2b22 (n-3f2b22). Give more of it',
  });
  await expect(findJob(master, "9")).rejects.toMatchObject({
    message: 'no job has an id that begins with "9": millrace jobs lists them',
  });
});

it("a worker whose whole name is given is meant, though another's begins like it", async () => {
  expect(await findWorker(master, "w1")).toBe("w1");
  await expect(findWorker(master, "w")).rejects.toMatchObject({ message: expect.stringContaining("w1, w10, w2") });
});

it("a table's columns are as wide as what is in them; numbers stand right", () => {
  expect(
    tableLines(
      ["A", "N", ""],
      [
        ["long one", "1", "x"],
        ["b", "100", ""],
      ],
    ).map(plain),
  ).toEqual(["A           N", "long one    1  x", "b         100"]);
});

it("a line of history says when, what, where and why, in this order, without control characters", () => {
  const event = { time: "", job: "j", task: "map-00001", attempt: undefined, worker: undefined, message: undefined };
  const lineOf = (...what: Parameters<typeof historyLine>) => plain(historyLine(...what));
  expect(lineOf({ ...event, kind: "map-output-lost" }, 1_520)).toBe("+1.52 s    map-output-lost    map-00001");
  expect(
    lineOf(
      { ...event, kind: "attempt-failed", attempt: "map-00001.1.2", worker: "w1", message: "user-error: \x1b[2J" },
      61_000,
    ),
  ).toBe("+1 m 01 s  attempt-failed     map-00001.1.2 on w1: user-error: \\x1b[2J");
  expect(lineOf({ ...event, kind: "worker-silent", task: undefined, worker: "w1" }, -5)).toBe(
    "+0 ms      worker-silent      w1",
  );
});
