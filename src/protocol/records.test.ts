import fc from "fast-check";
import { expect, test } from "vitest";
import { phases } from "../base/ids.ts";
import { drainRecord, keys, parseKey } from "./records.ts";

const job = fc.stringMatching(/^[0-9a-z-]{1,12}$/);
const phase = fc.constantFrom(...phases);

test("a key says what it is the key of", () => {
  fc.assert(
    fc.property(job, phase, fc.nat(2_000_000), fc.string({ minLength: 1 }), (id, of, index, worker) => {
      expect(parseKey(keys.task(id, of, index))).toEqual({ kind: "task", job: id, phase: of, index });
      expect(parseKey(keys.planChunk(id, index))).toEqual({ kind: "plan", job: id, number: index });
      expect(parseKey(keys.failure(id, index))).toEqual({ kind: "failure", job: id, number: index % 20 });
      for (const [kind, key] of [
        ["spec", keys.spec(id)],
        ["plan-valid", keys.planValid(id)],
        ["decision", keys.decision(id)],
        ["ended", keys.ended(id)],
      ]) {
        expect(parseKey(key!)).toEqual({ kind, job: id });
      }
      expect(parseKey(keys.drain(worker))).toEqual({ kind: "drain", worker });
    }),
  );
});

test("keys of a later version are nobody's", () => {
  for (const key of [
    "cluster",
    "job/",
    "job//spec",
    "job/j",
    "job/j/notes",
    "job/j/task/map-",
    "job/j/task/map-1x",
    "job/j/task/sort-0000001",
    "job/j/task/map-0000001/x",
    "worker//drain",
    "worker/w/notes",
  ]) {
    expect(parseKey(key), key).toBeUndefined();
  }
});

test("a drain record holds the life that is to end; a damaged one is an error", () => {
  for (const withinMs of [undefined, 100_000]) {
    const wish = { incarnation: 1_700_000_000_000, withinMs };
    expect(drainRecord.decode(drainRecord.encode(wish))).toEqual(wish);
  }
  // As earlier versions wrote it.
  expect(drainRecord.decode(new TextEncoder().encode("17"))).toEqual({ incarnation: 17, withinMs: undefined });
  for (const damaged of ["", "x", "1.5", "1 ", "1 x", " 1"]) {
    expect(() => drainRecord.decode(new TextEncoder().encode(damaged))).toThrow(/DrainRecord/);
  }
});
