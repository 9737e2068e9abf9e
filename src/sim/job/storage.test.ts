import { expect, test } from "vitest";
import type { AttemptId } from "../../base/ids.ts";
import type { CommitDecision } from "../../storage/storage.ts";
import { createSimStorage, failingStorage, type SimStorage } from "./storage.ts";

const attempt: AttemptId = { job: "j", phase: "reduce", index: 0, epoch: 1, attempt: 1 };
const input = Buffer.from("0123456789".repeat(1000));

async function staged(storage: SimStorage, content: string): Promise<CommitDecision["files"][number]> {
  const writer = storage.stage("/out", attempt, "part-00000");
  writer.write(Buffer.from(content));
  return { output: "main", name: "part-00000", records: 1, ...(await writer.finish()) };
}

function decision(files: CommitDecision["files"]): CommitDecision {
  return { job: "j", destination: "/out", files, replaces: undefined, manifest: Buffer.from("{}") };
}

test("an output appears at once and once, and can't be published from what is not there any more", async () => {
  const storage = createSimStorage(new Map());
  const first = await staged(storage, "first");
  expect(await storage.stat("/out/part-00000")).toBeUndefined();
  await storage.publish(decision([first]));
  const again = await staged(storage, "second");
  await storage.publish(decision([again]));
  const file = (await storage.stat("/out/part-00000"))!;
  const chunks: Uint8Array[] = [];
  for await (const chunk of storage.read(file, 0, file.bytes)) chunks.push(chunk);
  expect(`${Buffer.concat(chunks)}`).toBe("first");
  const other = createSimStorage(new Map());
  const gone = await staged(other, "gone");
  await other.discard("/out", "j");
  await expect(other.publish(decision([gone]))).rejects.toThrow("not staged any more");
  expect(await other.stat("/out/_SUCCESS")).toBeUndefined();
});

test("a failing one hands out what it can before the error comes, and never finishes a file", async () => {
  const storage = createSimStorage(new Map([["/in", input]]));
  const failing = failingStorage(storage, 9_000);
  const file = (await failing.stat("/in"))!;
  let bytes = 0;
  await expect(
    (async () => {
      for await (const chunk of failing.read(file, 0, file.bytes)) bytes += chunk.length;
    })(),
  ).rejects.toThrow("reading /in fails");
  expect(bytes).toBe(8192);
  await expect(failingStorage(storage, 9_000).stage("/out", attempt, "part").finish()).rejects.toThrow("writing part");
});
