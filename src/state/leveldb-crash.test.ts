// A process that is killed at one system call after the other, and starts again (fault 31): whatever it was doing, what
// was acknowledged is there, the rest is a prefix, and the store is never taken for a damaged one.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLevelStore } from "./leveldb.ts";

const canTrace = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;
/** Every n-th system call; 1 where there is time. */
const stride = Number(process.env["CRASH_STRIDE"] ?? 29);
const commits = 24;

/**
 * Two lives: tables are written in the first (a commit is 300 kB, and LevelDB's buffer 4 MB), and recovered in the
 * second.
 */
const workload = `
import { openLevelStore } from ${JSON.stringify(new URL("./leveldb.ts", import.meta.url).pathname)};
import { writeSync } from "node:fs";
const half = ${commits / 2};
for (const life of [0, 1]) {
  const store = await openLevelStore(process.argv[2]);
  const leader = await store.lead("writer", new AbortController().signal);
  for (let i = life * half; i < (life + 1) * half; i++) {
    await leader.commit([
      { put: { key: "n/" + String(i).padStart(3, "0"), value: Buffer.alloc(300_000, i) } },
      { put: { key: "last", value: Buffer.from(String(i)) } },
      { delete: "n/" + String(i - 5).padStart(3, "0") },
    ]);
    writeSync(1, i + "\\n");
  }
  await store.close();
}`;

let folder: string;
let script: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-crash-"));
  script = join(folder, "writer.mjs");
  const bundled = buildSync({
    stdin: { contents: workload, resolveDir: folder, loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    external: ["classic-level"],
  }).outputFiles[0]!.text;
  const level = pathToFileURL(createRequire(import.meta.url).resolve("classic-level")).href;
  writeFileSync(script, bundled.replaceAll('"classic-level"', JSON.stringify(level)));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Killed at the n-th of these calls of a thread; the last commit that was acknowledged, or -1. */
async function runKilledAt(n: number, directory: string): Promise<{ acknowledged: number; wasKilled: boolean }> {
  const calls = "write,pwrite64,fdatasync,fsync,rename,unlink,ftruncate";
  // Counted per thread: one thread does LevelDB's work, another compacts. `-D`: what is killed is the child itself.
  const child = spawn(
    "strace",
    [
      ...["-f", "-D", "-o", "/dev/null", "-e", `trace=${calls}`, "-e", `inject=${calls}:signal=KILL:when=${n}`],
      ...[process.execPath, script, directory],
    ],
    { stdio: ["ignore", "pipe", "ignore"], env: { ...process.env, UV_THREADPOOL_SIZE: "1" } },
  );
  let stdout = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  const signal = await new Promise((resolve) => child.once("close", (_, signal) => resolve(signal)));
  return { acknowledged: Number(stdout.trim().split("\n").at(-1) || -1), wasKilled: signal === "SIGKILL" };
}

/** What is stored after commit `i`. */
function keysAfter(i: number): string[] {
  if (i < 0) return [];
  const kept = Array.from({ length: Math.min(i + 1, 5) }, (_, n) => `n/${String(i - n).padStart(3, "0")}`);
  return ["last", ...kept.toReversed()];
}

describe.skipIf(!canTrace && process.env["CI"] !== "true")(
  "a store whose process is killed at a system call (needs strace)",
  () => {
    test("I4: has what was acknowledged, a prefix of the rest, and is never refused", async () => {
      let kills = 0;
      for (let n = 1; ; n += stride) {
        const directory = join(folder, `state-${n}`);
        const { acknowledged, wasKilled } = await runKilledAt(n, directory);
        const store = await openLevelStore(directory);
        const found = new Map<string, Uint8Array>();
        for await (const { key, value } of store.scan("")) found.set(key, value);
        const last = found.has("last") ? Number(Buffer.from(found.get("last")!).toString()) : -1;
        expect([acknowledged, acknowledged + 1], `killed at ${n}`).toContain(last);
        expect([...found.keys()], `killed at ${n}`).toEqual(keysAfter(last));
        // And goes on.
        await (await store.lead("next", new AbortController().signal)).commit([{ delete: "last" }]);
        await store.close();
        rmSync(directory, { recursive: true });
        if (!wasKilled) break;
        kills++;
      }
      console.log(`killed at ${kills} places`);
      expect(kills).toBeGreaterThan(5);
    }, 300_000);
  },
);
