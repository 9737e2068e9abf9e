import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openWorkerDirectory, type WorkerDirectory } from "./worker-directory.ts";

let directory: string;
let memoryRoot: string;
const opened: WorkerDirectory[] = [];
const hasTmpfs = existsSync("/dev/shm");
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-worker-"));
  memoryRoot = hasTmpfs ? mkdtempSync("/dev/shm/millrace-test-") : directory;
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close("remove");
  rmSync(directory, { recursive: true });
  if (hasTmpfs) rmSync(memoryRoot, { recursive: true });
});

async function open(options: { name?: string; path?: string } = {}): Promise<WorkerDirectory> {
  const path = options.path ?? join(directory, "w");
  const one = await openWorkerDirectory({ path, name: options.name, memoryRoot });
  opened.push(one);
  return one;
}

test("a worker keeps its id over its starts, and the master says which start it is", async () => {
  const first = await open();
  expect(first.id).toMatch(/^w-[0-9a-f]{6}$/);
  expect(first.incarnation).toBeUndefined();
  first.joinCluster("c1", 5000);
  expect(first.incarnation).toBe(5000);
  expect(JSON.parse(readFileSync(join(first.work.path, "worker.json"), "utf8"))).toMatchObject({ incarnation: 5000 });
  await first.close("keep");
  const second = await open();
  expect(second.id).toBe(first.id);
  second.joinCluster("c1", 9000);
  expect(second.incarnation).toBe(9000);
});

test("a master that has forgotten its numbers does not make a worker's newest start older than the one before", async () => {
  const first = await open();
  first.joinCluster("c1", 5000);
  await first.close("keep");
  const second = await open();
  second.joinCluster("c1", 7);
  expect(second.incarnation).toBe(5001);
  await second.close("keep");
  // Another cluster has its own numbers.
  const third = await open();
  third.joinCluster("c2", 7);
  expect(third.incarnation).toBe(7);
});

test("a name is kept as it was given, and refused where it can't be one", async () => {
  await (await open({ name: "rack-7.a" })).close("keep");
  expect((await open()).id).toBe("rack-7.a");
  await expect(open({ name: "../w", path: join(directory, "x") })).rejects.toThrow(/--name/);
});

test("two workers can't have one work directory", async () => {
  await open();
  await expect(open()).rejects.toMatchObject({ code: "state-busy" });
});

test("runs of an earlier start stay, what its slots left goes", async () => {
  const first = await open();
  first.joinCluster("c1", 1);
  const { runs, slots } = first.work;
  mkdirSync(join(runs.disk, "j"));
  writeFileSync(join(runs.disk, "j", "run"), "x");
  mkdirSync(join(runs.disk, "k.removed-1"));
  mkdirSync(join(slots, "slot-1"));
  await first.close("keep");
  const second = await open();
  expect(second.joinCluster("c1", 1)).toBe(false);
  expect(readdirSync(runs.disk)).toEqual(["j"]);
  expect(readdirSync(slots)).toEqual([]);
});

test("what is another cluster's is removed before this one's begins", async () => {
  const first = await open();
  expect(first.joinCluster("c1", 1)).toBe(false);
  const { runs, logs } = first.work;
  const places = [runs.disk, logs, first.bundles, first.files, ...(runs.memory === undefined ? [] : [runs.memory])];
  for (const place of places) {
    mkdirSync(join(place, "j"));
    writeFileSync(join(place, "j", "x"), "secret of c1");
  }
  await first.close("keep");
  const second = await open();
  expect(second.joinCluster("c2", 1)).toBe(true);
  for (const place of places) expect(readdirSync(place)).toEqual([]);
  await second.close("keep");
  expect((await open()).joinCluster("c2", 1)).toBe(false);
});

test("a directory of other things is refused, an open one is closed to others", async () => {
  const path = join(directory, "home");
  mkdirSync(path, { mode: 0o755 });
  const worker = await open({ path });
  expect(statSync(path).mode & 0o777).toBe(0o700);
  const home = join(directory, "home2");
  mkdirSync(home);
  writeFileSync(join(home, "thesis.doc"), "");
  await expect(open({ path: home })).rejects.toThrow(/holds other things than a worker's \(thesis.doc\)/);
  await worker.close("keep");
});

test("a place that can't be used says so", async () => {
  writeFileSync(join(directory, "file"), "");
  await expect(open({ path: join(directory, "file", "w") })).rejects.toThrow(/ENOTDIR; choose another --work-dir/);
});

test.skipIf(!hasTmpfs)(
  "fault 66: after the last run the memory tier is given back; a lost work.json does not lose it",
  async () => {
    const first = await open();
    const memory = first.work.memory!;
    writeFileSync(join(first.work.runs.memory!, "run"), "x");
    await first.close("keep");
    expect(existsSync(memory)).toBe(true);
    // The directory was emptied by hand; the memory of the earlier start has no owner now.
    writeFileSync(
      join(memory, "owner.json"),
      JSON.stringify({ process: { pid: 1, started: "0" }, work: first.work.path }),
    );
    rmSync(join(first.work.path, "work.json"));
    const second = await open();
    expect(second.work.memory).toBe(memory);
    expect(readdirSync(second.work.runs.memory!)).toEqual([]);
    await second.close("remove");
    expect(existsSync(memory)).toBe(false);
  },
);
