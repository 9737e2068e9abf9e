import { expect, test } from "vitest";
import { runJob } from "./run-job.ts";

test.each<[string, unknown, string]>([
  ["an error", new RangeError("enough"), "the run was cancelled: RangeError: enough"],
  ["a text", "too late", "the run was cancelled: too late"],
  [
    "a time limit",
    new DOMException("it took too long", "TimeoutError"),
    "the run was cancelled: TimeoutError: it took",
  ],
])("a run that is aborted with %s keeps the reason", async (_, reason, message) => {
  await expect(runJob({}, { inputs: [], signal: AbortSignal.abort(reason) }, {})).rejects.toMatchObject({
    code: "cancelled",
    cause: reason,
    message: expect.stringContaining(message),
  });
});

test("a run that is aborted without one says that it was cancelled, and no more", async () => {
  const cancelled = runJob({}, { inputs: [], signal: AbortSignal.abort() }, {});
  await expect(cancelled).rejects.toMatchObject({ code: "cancelled", message: "the run was cancelled" });
});
