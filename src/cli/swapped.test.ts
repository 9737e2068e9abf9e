import { expect, test } from "vitest";
import { refuseSwapped } from "./swapped.ts";

test.each([
  ["run", "a.csv", ["top.ts"], "top.ts a.csv"],
  ["plan", "logs/*.gz", ["b.log", "top.mts"], "top.mts 'logs/*.gz' b.log"],
  ["test", "some data.log", ["top.js"], "top.js 'some data.log'"],
  ["sim", "-", ["top.cjs"], "top.cjs -"],
  ["sim", "src", ["top.ts"], "top.ts src"],
  ["replay", "a.csv:34", ["jobs/top.tsx"], "jobs/top.tsx a.csv:34"],
])("%s with the input before the job prints the command in order", async (command, job, others, words) => {
  await expect(refuseSwapped(command, job, others)).rejects.toMatchObject({
    code: "wrong-usage",
    message: expect.stringContaining(`the job file comes first`),
  });
  await expect(refuseSwapped(command, job, others)).rejects.toThrow(`:  millrace ${command} ${words}  (`);
});

test("a job in its place is let through, whatever its inputs are, and so is what may be one", async () => {
  await refuseSwapped("run", "top.ts", ["a.csv", "src/main.ts"]);
  await refuseSwapped("run", "bin/top", ["src/main.ts"]);
  await refuseSwapped("run", "a.csv", ["b.csv"]); // the loader says so
});
