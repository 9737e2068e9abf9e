// The jobs of a simulated world and their oracle: tiny ones whose output can be checked record by record. Each map
// task has a few records with ids of their own and emits each of them once, to a partition; each reduce writes the
// ids that it was given. One job in two sends its records to other partitions in every attempt (the attempt's number
// decides): the non-deterministic map without which lost and doubled records can't be seen (fault 22; Spark's
// SPARK-23207 is this workload).
import { type AttemptId, attemptName, type JobId } from "../../src/base/ids.ts";
import type { Plan } from "../../src/input/plan.ts";
import type { JobSpec } from "../../src/job/spec.ts";
import type { Chance } from "../../src/sim/chance.ts";
import type { SimOptions } from "./options.ts";

export interface SimJob {
  readonly id: JobId;
  readonly key: string;
  readonly spec: JobSpec;
  readonly maps: number;
  readonly partitions: number;
  readonly isDeterministic: boolean;
  /** The record that its process dies on, always. */
  readonly poison: { readonly map: number; readonly record: number } | undefined;
  /** A map task whose first attempts throw. */
  readonly throwing: { readonly map: number; readonly isAlways: boolean } | undefined;
  /** How many of its attempts leave a call that comes late. */
  readonly lateRate: number;
  /** Its attempts leave timers that do nothing: whoever asks for their end waits. */
  readonly hasTimers: boolean;
}

/** What a run holds: ids by partition, in the order of their emission. */
export interface RunContent {
  readonly attempt: AttemptId;
  readonly partitions: readonly (readonly string[])[];
  readonly emissionDigest: bigint;
}

/** What a part file holds. */
export interface PartContent {
  readonly attempt: AttemptId;
  readonly ids: readonly string[];
  /** The map attempts that a reduce read, by map, with the digests of what they emitted. */
  readonly consumed: readonly { readonly map: AttemptId; readonly digest: bigint }[];
}

export const recordsPerMap = 3;
/** Bytes of a record, for progress and positions. */
export const recordBytes = 10;

export function planOf({ maps, partitions }: SimJob): Plan {
  return {
    files: Array.from({ length: maps }, (_, index) => ({
      path: `/in/${index}`,
      bytes: recordsPerMap * recordBytes,
      version: "1",
      hosts: [],
      input: 0,
      source: `in/${index}`,
      compression: "none" as const,
    })),
    splits: Array.from({ length: maps }, (_, file) => [{ file, start: 0, end: recordsPerMap * recordBytes }]),
    boundaries: [],
    partitions,
  };
}

export function idsOf(map: number): string[] {
  return Array.from({ length: recordsPerMap }, (_, record) => `${map}.${record}`);
}

/** What an attempt of a map emits, without the records that are put aside. */
export function emit(job: SimJob, attempt: AttemptId, skipped: ReadonlySet<string>): RunContent {
  const partitions = Array.from({ length: job.partitions }, () => [] as string[]);
  const tag = job.isDeterministic ? "" : attemptName(attempt);
  let digest = 0n;
  let index = 0;
  for (const id of idsOf(attempt.index)) {
    if (skipped.has(id)) continue;
    const partition = hash(`${tag}/${id}`) % job.partitions;
    partitions[partition]!.push(id);
    digest = (digest + mixed(`${partition}/${index++}/${id}`)) & 0xffff_ffff_ffff_ffffn;
  }
  return { attempt, partitions, emissionDigest: digest };
}

/** All records that a succeeded job must have written, each once. */
export function expectedIds(job: SimJob): string[] {
  return Array.from({ length: job.maps }, (_, map) => idsOf(map)).flat();
}

/** Not linear in anything: a digest that is, is blind to what changes places (fault 22). */
function mixed(text: string): bigint {
  return (BigInt(hash(`a${text}`)) << 32n) | BigInt(hash(`b${text}`));
}

export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    h = Math.imul(h ^ text.charCodeAt(at), 0x01000193);
    h = Math.imul(h ^ (h >>> 13), 0x85ebca6b);
  }
  h = Math.imul(h ^ (h >>> 16), 0xc2b2ae35);
  return (h ^ (h >>> 15)) >>> 0;
}

export function makeJobs(options: SimOptions, chance: Chance, idOf: (key: string) => JobId): SimJob[] {
  return Array.from({ length: options.jobs }, (_, index) => {
    const key = `key-${options.seed}-${index}`;
    const maps = chance.happens(0.05) ? 0 : 1 + chance.below(options.mapsMax);
    const partitions = chance.happens(0.1) ? 0 : 1 + chance.below(options.partitionsMax);
    const hasPoison = maps > 0 && options.faults.has("poison-record") && chance.happens(0.4);
    const hasThrower = maps > 0 && options.faults.has("user-errors") && chance.happens(0.3);
    return {
      id: idOf(key),
      key,
      maps,
      partitions,
      // The first job of every world is one whose map does not repeat itself.
      isDeterministic: index === 0 ? false : chance.happens(0.6),
      poison: hasPoison ? { map: chance.below(maps), record: chance.below(recordsPerMap) } : undefined,
      throwing: hasThrower ? { map: chance.below(maps), isAlways: chance.happens(0.3) } : undefined,
      lateRate: options.faults.has("late-calls") && chance.happens(0.4) ? chance.one([0.02, 0.05, 0.2]) : 0,
      hasTimers: chance.happens(0.2),
      spec: {
        name: `job-${index}`,
        bundle: "b0",
        inputs: [{ name: "", paths: ["/in"] }],
        directory: "/",
        standardInput: undefined,
        files: [],
        output: index > 0 && chance.happens(0.05) ? "/out/0" : `/out/${index}`,
        writes: "formats",
        partitions,
        splitBytes: undefined,
        attemptsMax: 3 + chance.below(4),
        maxSlots: chance.happens(0.2) ? 1 + chance.below(3) : undefined,
        skipBad: chance.below(3),
        params: "{}",
        taskTimeoutMs: options.leaseMs * chance.one([2, 4, 8]),
        checkpointMs: 0,
        taskLimitMs: chance.happens(0.2) ? options.leaseMs * 12 : undefined,
        nondeterministic: chance.happens(0.1) ? "fail" : "rerun",
        replaces: undefined,
        environment: {},
        startedAt: "2026-01-01T00:00:00.000Z",
      },
    };
  });
}

/** "j/map-00001.1.7", for checks and traces. */
export function fullName(attempt: AttemptId): string {
  return `${attempt.job}/${attemptName(attempt)}`;
}
