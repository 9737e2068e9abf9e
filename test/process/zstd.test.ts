// A zstd file as the zstd program writes it, one frame of far more than a slot may hold: the whole product.
import { spawn, spawnSync } from "node:child_process";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { expect, test } from "vitest";
import { MiB } from "../../src/base/limits.ts";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

/** `times` times some 3 MB of lines, through the program, which gets them piped: it does not know the size. */
async function compressed(path: string, times: number): Promise<{ readonly bytes: number; readonly lines: number }> {
  let state = 1;
  const lines = Array.from({ length: 60_000 }, (_, i) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return `2026-05-${(i % 28) + 1} ${i % 7 === 0 ? "ERROR" : "INFO"} user ${state} did ${state >>> 7}\n`;
  });
  const part = Buffer.from(lines.join(""));
  const child = spawn("zstd", ["-q", "-1", "-c"], { stdio: ["pipe", "pipe", "inherit"] });
  const parts = async function* () {
    for (let i = 0; i < times; i++) yield part;
  };
  await Promise.all([pipeline(parts, child.stdin), pipeline(child.stdout, createWriteStream(path))]);
  return { bytes: part.length * times, lines: lines.length * times };
}

// Nothing of ours writes frames of this size.
const hasProgram = spawnSync("zstd", ["--version"]).status === 0;

test.runIf(hasProgram)("a zstd frame of 300 MB is counted within --memory 128MB", async () => {
  const scratch = scratchFolder();
  try {
    const file = join(scratch.path, "big.log.zst");
    const { bytes, lines } = await compressed(file, 120);
    expect(bytes).toBeGreaterThan(290 * MiB);
    const words = ["run", join(repository, "test/process/jobs/resident.ts"), file, "--quiet"];
    const result = await millrace([...words, "--memory", "128MB", "--slots", "1"]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    const found = Object.fromEntries(
      result.stdout
        .toString()
        .trimEnd()
        .split("\n")
        .map((line) => line.split("\t") as [string, string]),
    );
    expect(Number(found["lines"])).toBe(lines);
    // An idle slot has some 60 MiB, and the arena of this one 64: the frame's content is not among the rest.
    expect(Number(found["resident MiB"])).toBeLessThan(280);
  } finally {
    scratch.remove();
  }
});
