import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mapAttempt, writeRun } from "../../test/support/pairs.ts";
import type { AttemptId } from "../base/ids.ts";
import { createTier } from "../tier/tier.ts";
import type { MapCheckpoint, ReduceCheckpoint } from "./checkpoint.ts";
import { CheckpointFolders } from "./folders.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-checkpoint-"));
  for (const name of ["runs", "memory"]) mkdirSync(join(directory, name));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const work = Buffer.alloc(32, 7);
const attempt = (number: number): AttemptId => ({ ...mapAttempt(3), epoch: 1, attempt: number });
const tier = () =>
  createTier({
    memoryDirectory: join(directory, "memory"),
    memoryBytesMax: 1_000,
    diskDirectory: join(directory, "runs"),
  });

function foldersOf(id: AttemptId, digest: Uint8Array = work): CheckpointFolders {
  return new CheckpointFolders({
    attempt: id,
    work: digest,
    intervalMs: 1,
    places: [
      { runs: join(directory, "runs"), checkpoints: join(directory, "checkpoints") },
      { runs: join(directory, "memory"), checkpoints: join(directory, "memory-checkpoints") },
    ],
    open: (path) => tier().open(path),
  });
}

/** A checkpoint of an attempt with a run in memory and one on disk. */
function checkpointBy(id: AttemptId, records = 10): MapCheckpoint {
  const files = tier();
  const pairs = (count: number) =>
    Array.from({ length: count }, (_, i) => ({
      partition: Math.floor((3 * i) / count),
      key: `k${i}`.padEnd(9),
      value: "",
    }));
  const runs = [
    writeRun(files, `small-${id.attempt}-${records}`, id, pairs(3)),
    writeRun(files, `large-${id.attempt}-${records}`, id, pairs(40)),
  ];
  return {
    kind: "map",
    position: { file: 2, offset: 12_345 },
    runs,
    outputs: [],
    emissions: 43,
    emissionDigest: 2n ** 64n - 1n,
    counters: { lines: 4, down: -3 },
    records,
    bytes: 999,
    spills: 2,
    memoryRunBytes: 3,
    diskRunBytes: 4,
    valuesReturned: true,
    spentMs: 1.5,
  };
}

const newest = (folders: CheckpointFolders) => folders.newest(() => {}) as MapCheckpoint | undefined;
const nameOf = (path: string) => path.split("/").at(-1);

describe("a checkpoint", () => {
  it("is what was written, with its runs in both places, after the runs have lost their first names", () => {
    const written = checkpointBy(attempt(1));
    foldersOf(attempt(1)).write(written);
    for (const { path } of written.runs) rmSync(path);
    const found = newest(foldersOf(attempt(2)))!;
    expect({ ...found, runs: [] }).toEqual({ ...written, runs: [] });
    expect(found.runs.map((run) => ({ ...run, path: nameOf(run.path) }))).toEqual(
      written.runs.map((run) => ({ ...run, path: nameOf(run.path) })),
    );
    expect(found.runs.map(({ path }) => path.includes("memory-checkpoints"))).toEqual([true, false]);
  });

  it("is of an earlier attempt only, and of the same work only", () => {
    const first = foldersOf(attempt(1));
    first.write(checkpointBy(attempt(1)));
    expect(newest(first)).toBeUndefined();
    expect(newest(foldersOf(attempt(2), Buffer.alloc(32, 8)))).toBeUndefined();
    expect(newest(foldersOf({ ...attempt(2), index: 4 }))).toBeUndefined();
  });

  it("that is furthest on is taken; where a run of it is gone, the one before", () => {
    foldersOf(attempt(1)).write(checkpointBy(attempt(1), 10));
    const far = checkpointBy(attempt(2), 20);
    foldersOf(attempt(2)).write(far);
    expect(newest(foldersOf(attempt(3)))).toMatchObject({ records: 20 });
    rmSync(join(directory, "checkpoints/map-00003/map-00003.1.2", nameOf(far.runs[1]!.path)!));
    expect(newest(foldersOf(attempt(4)))).toMatchObject({ records: 10 });
  });

  it("of a reduce keeps the files in which its outputs are saved, whatever becomes of them where they lay", () => {
    const reduce = (number: number): AttemptId => ({ ...attempt(number), phase: "reduce" });
    const file = join(directory, "upload");
    writeFileSync(file, "saved, and more");
    const staged = { bytes: 5, sha256: "00", token: "t", file };
    const main = { output: "main", records: 2, members: 1, staged, pending: Buffer.from("half") };
    const other = { ...main, output: "other", staged: { ...staged, file: undefined } };
    const written: ReduceCheckpoint = {
      ...{
        kind: "reduce",
        groups: 3,
        pairs: 9,
        key: Buffer.from("k"),
        inputs: Buffer.from("i"),
        outputs: [main, other],
      },
      ...{ counters: { keys: 3 }, valuesReturned: false, spentMs: 7 },
    };
    const first = foldersOf(reduce(1));
    first.write(written);
    first.write({ ...written, groups: 4, pairs: 12 }); // the same file, which has grown
    rmSync(file);
    const second = foldersOf(reduce(2));
    const found = second.newest(() => {}) as ReduceCheckpoint;
    const taken = found.outputs[0]!.staged.file!;
    expect(found).toEqual({
      ...{ ...written, groups: 4, pairs: 12 },
      counters: { ...found.counters },
      outputs: [{ ...main, staged: { ...staged, file: taken } }, other],
    });
    // It is the second attempt's own.
    rmSync(join(directory, "checkpoints/reduce-00003/reduce-00003.1.1"), { recursive: true });
    expect(readFileSync(taken, "utf8")).toBe("saved, and more");
    second.write({ ...found, pairs: 13 });
    rmSync(taken);
    expect(foldersOf(reduce(3)).newest(() => {})).toBeUndefined();
  });

  it("belongs to whoever has taken it over: it stays when the other attempt's folder is removed", () => {
    foldersOf(attempt(1)).write(checkpointBy(attempt(1)));
    const second = foldersOf(attempt(2));
    const taken = newest(second)!;
    for (const place of ["checkpoints", "memory-checkpoints"])
      rmSync(join(directory, place, "map-00003/map-00003.1.1"), { recursive: true });
    second.write({ ...taken, records: 11 });
    expect(newest(foldersOf(attempt(3)))).toMatchObject({ records: 11, runs: [{ pairs: 3 }, { pairs: 40 }] });
  });

  it("replaces the one before in one step", () => {
    const folders = foldersOf(attempt(1));
    const first = checkpointBy(attempt(1), 10);
    folders.write(first);
    const more = checkpointBy(attempt(1), 20);
    folders.write({ ...more, runs: [...first.runs, ...more.runs] });
    expect(newest(foldersOf(attempt(2)))!.runs).toHaveLength(4);
    expect(readdirSync(join(directory, "checkpoints/map-00003/map-00003.1.1")).toSorted()).toEqual([
      "checkpoint",
      "large-1-10",
      "large-1-20",
    ]);
  });

  it("that was not finished counts for nothing", () => {
    foldersOf(attempt(1)).write(checkpointBy(attempt(1)));
    const path = join(directory, "checkpoints/map-00003/map-00003.1.1/checkpoint");
    const bytes = readFileSync(path);
    rmSync(path);
    writeFileSync(`${path}.new`, bytes);
    expect(newest(foldersOf(attempt(2)))).toBeUndefined();
  });

  it("is removed with all others of its task where they can't be trusted; new ones may follow", () => {
    foldersOf(attempt(1)).write(checkpointBy(attempt(1)));
    const second = foldersOf(attempt(2));
    newest(second);
    second.discard();
    expect(newest(foldersOf(attempt(3)))).toBeUndefined();
    second.write(checkpointBy(attempt(2), 5));
    expect(newest(foldersOf(attempt(3)))).toMatchObject({ records: 5 });
  });

  it("with any byte of any of its files flipped, or cut anywhere, is whole or none", () => {
    const written = checkpointBy(attempt(1));
    foldersOf(attempt(1)).write(written);
    const folder = (place: string) => join(directory, place, "map-00003/map-00003.1.1");
    const paths = ["checkpoints", "memory-checkpoints"].flatMap((place) =>
      readdirSync(folder(place)).map((name) => join(folder(place), name)),
    );
    expect(paths).toHaveLength(3);
    let number = 1;
    const look = () => {
      const own = attempt(++number);
      const found = newest(foldersOf(own));
      for (const place of ["checkpoints", "memory-checkpoints"])
        rmSync(join(directory, place, `map-00003/map-00003.1.${own.attempt}`), { recursive: true, force: true });
      return found;
    };
    expect(look()).toBeDefined();
    for (const path of paths) {
      const bytes = readFileSync(path);
      for (let i = 0; i < bytes.length; i++) {
        const flipped = Buffer.from(bytes);
        flipped[i]! ^= 1 << (i % 8);
        writeFileSync(path, flipped);
        expect(look(), `byte ${i} of ${path}`).toBeUndefined();
        if (i % 16 !== 0) continue;
        writeFileSync(path, bytes.subarray(0, i));
        expect(look(), `${path} cut at ${i}`).toBeUndefined();
      }
      writeFileSync(path, bytes);
    }
    expect(look()).toBeDefined();
  });
});
