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
afterEach(() => {
  for (const one of opened.splice(0)) one.close("remove");
  rmSync(directory, { recursive: true });
  if (hasTmpfs) rmSync(memoryRoot, { recursive: true });
});

function open(options: { name?: string; date?: number; path?: string } = {}): WorkerDirectory {
  const path = options.path ?? join(directory, "w");
  const one = openWorkerDirectory({ path, name: options.name, date: new Date(options.date ?? 1000), memoryRoot });
  opened.push(one);
  return one;
}

test("a worker keeps its id over its starts, and its incarnation grows, whatever the clock does", () => {
  const first = open({ date: 5000 });
  expect(first.id).toMatch(/^w-[0-9a-f]{6}$/);
  expect(first.incarnation).toBe(5000);
  expect(JSON.parse(readFileSync(join(first.work.path, "worker.json"), "utf8"))).toMatchObject({ incarnation: 5000 });
  first.close("keep");
  const second = open({ date: 10 });
  expect(second.id).toBe(first.id);
  expect(second.incarnation).toBe(5001);
  second.close("keep");
  expect(open({ date: 9000 }).incarnation).toBe(9000);
});

test("a name is kept as it was given, and refused where it can't be one", () => {
  open({ name: "rack-7.a" }).close("keep");
  expect(open().id).toBe("rack-7.a");
  expect(() => open({ name: "../w", path: join(directory, "x") })).toThrow(/--name/);
});

test("two workers can't have one work directory", () => {
  open();
  expect(() => open()).toThrow(expect.objectContaining({ code: "state-busy" }));
});

test("runs of an earlier start stay, what its slots left goes", () => {
  const first = open();
  first.joinCluster("c1");
  const { runs, slots } = first.work;
  mkdirSync(join(runs.disk, "j"));
  writeFileSync(join(runs.disk, "j", "run"), "x");
  mkdirSync(join(runs.disk, "k.removed-1"));
  mkdirSync(join(slots, "slot-1"));
  first.close("keep");
  const second = open();
  expect(second.joinCluster("c1")).toBe(false);
  expect(readdirSync(runs.disk)).toEqual(["j"]);
  expect(readdirSync(slots)).toEqual([]);
});

test("what is another cluster's is removed before this one's begins", () => {
  const first = open();
  expect(first.joinCluster("c1")).toBe(false);
  const { runs, logs } = first.work;
  const places = [runs.disk, logs, first.bundles, first.files, ...(runs.memory === undefined ? [] : [runs.memory])];
  for (const place of places) {
    mkdirSync(join(place, "j"));
    writeFileSync(join(place, "j", "x"), "secret of c1");
  }
  first.close("keep");
  const second = open();
  expect(second.joinCluster("c2")).toBe(true);
  for (const place of places) expect(readdirSync(place)).toEqual([]);
  second.close("keep");
  expect(open().joinCluster("c2")).toBe(false);
});

test("a directory of other things is refused, an open one is closed to others", () => {
  const path = join(directory, "home");
  mkdirSync(path, { mode: 0o755 });
  const worker = open({ path });
  expect(statSync(path).mode & 0o777).toBe(0o700);
  const home = join(directory, "home2");
  mkdirSync(home);
  writeFileSync(join(home, "thesis.doc"), "");
  expect(() => open({ path: home })).toThrow(/holds other things than a worker's \(thesis.doc\)/);
  worker.close("keep");
});

test("a place that can't be used says so", () => {
  writeFileSync(join(directory, "file"), "");
  expect(() => open({ path: join(directory, "file", "w") })).toThrow(/ENOTDIR; choose another --work-dir/);
});

test.skipIf(!hasTmpfs)(
  "fault 66: after the last run the memory tier is given back; a lost work.json does not lose it",
  () => {
    const first = open();
    const memory = first.work.memory!;
    writeFileSync(join(first.work.runs.memory!, "run"), "x");
    first.close("keep");
    expect(existsSync(memory)).toBe(true);
    // The directory was emptied by hand; the memory of the earlier start is nobody's now.
    writeFileSync(
      join(memory, "owner.json"),
      JSON.stringify({ process: { pid: 1, started: "0" }, work: first.work.path }),
    );
    rmSync(join(first.work.path, "work.json"));
    const second = open();
    expect(second.work.memory).toBe(memory);
    expect(readdirSync(second.work.runs.memory!)).toEqual([]);
    second.close("remove");
    expect(existsSync(memory)).toBe(false);
  },
);
