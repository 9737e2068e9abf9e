// One attempt of a simulated slot, by the product's own task runtime: real records through the job's real code,
// sorted and merged by the real kernel into runs of the real format. Only where they lie is simulated.
import { MillraceError } from "../../base/error.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { AttemptResult } from "../../protocol/messages.ts";
import { SegmentLost } from "../../shuffle/segment-lost.ts";
import type { RunAttempt } from "../../slot/messages.ts";
import type { RunReader, RunRef } from "../../sort/run.ts";
import type { ReduceInputs } from "../../task/environment.ts";
import { runAttemptHere } from "../../task/run-attempt-here.ts";
import { revoked } from "../../task/user/revoked.ts";
import type { Disk } from "../disk.ts";
import type { WorkerLife } from "../scene.ts";
import { openOn, RunsOnDisk } from "./runs.ts";
import type { JobScene } from "./scene.ts";
import { failingStorage } from "./storage.ts";

export interface ExecuteOptions {
  readonly scene: JobScene;
  readonly worker: WorkerLife;
  /** The slot's own instance: nothing of its module is shared with other slots. */
  readonly job: JobDefinition;
  readonly request: RunAttempt;
  readonly end: SimEnd;
}

/** How it ends. Counted in what it does, not in time: it happens at one moment. */
export type SimEnd =
  | { readonly kind: "well" }
  /** An error of the disk, once that many bytes were read or written, or after this number of signs of life. */
  | { readonly kind: "fails"; readonly bytes: number; readonly signs: number }
  /** It is revoked after this number of signs of life, and leaves what it leaves in its process. */
  | { readonly kind: "stops"; readonly signs: number };

export async function execute({ scene, worker, job, request, end }: ExecuteOptions): Promise<AttemptResult> {
  const { storage, kernel, options, timeline } = scene;
  const { assignment } = request;
  const runs = new RunsOnDisk(assignment.attempt);
  worker.disk.write(runs);
  const stop = new AbortController();
  let signs = 0;
  const onSign = () => {
    if (end.kind === "well" || ++signs <= end.signs) return;
    if (end.kind === "stops") stop.abort(revoked("another attempt has won"));
    else throw new MillraceError("io-error", "simulated: the status page can't be written", { retry: "elsewhere" });
  };
  const paths = new Map(assignment.spec.files.map(({ name, path }) => [name, path]));
  const result = await scene.job.within({ now: () => timeline.now, random: scene.userChance.random }, () =>
    runAttemptHere(
      assignment,
      {
        job,
        storage: end.kind === "fails" ? failingStorage(storage, end.bytes) : storage,
        kernel,
        runs: runs.files,
        status: { write: onSign },
        clock: { ...scene.clock, sleep: () => Promise.resolve() },
        signal: stop.signal,
        file: (name) => paths.get(name) ?? "",
        log() {},
        combining: options.combining,
      },
      inputsOf(scene, worker, request),
    ),
  );
  scene.executed(assignment.attempt, result);
  return result;
}

/** All runs in the order of their maps, as if they lay here; what lies elsewhere can be out of reach. */
function inputsOf(
  scene: JobScene,
  worker: WorkerLife,
  { assignment, inputs, remote }: RunAttempt,
): ReduceInputs | undefined {
  const { attempt, work } = assignment;
  if (work.phase !== "reduce") return undefined;
  const holders = new Map<RunRef, string | undefined>(inputs.map((run) => [run, undefined]));
  for (const { address, runs } of remote) for (const run of runs) holders.set(run, address);
  const open = (run: RunRef): RunReader => {
    const address = holders.get(run);
    const from = address === undefined ? worker.disk : diskAt(scene, address, worker.id);
    if (from === undefined) {
      const error = new MillraceError("unreachable", `${address} does not answer`);
      throw new SegmentLost(run.writtenBy, "unreachable", error);
    }
    const reader = openOn(from, run);
    scene.consumed(attempt, run.writtenBy, reader.emissionDigest);
    return reader;
  };
  const runs = [...holders.keys()].sort((a, b) => a.writtenBy.index - b.writtenBy.index);
  return { mapVersion: work.mapVersion, runs, open };
}

/** Undefined: no one answers there, as far as that worker can tell. */
function diskAt({ workers, network }: JobScene, address: string, worker: string): Disk | undefined {
  const life = workers.find((host) => host.life?.address === address)?.life;
  if (life === undefined || !life.process.isRunning) return undefined;
  return network.isCut(worker, life.id) || network.isCut(life.id, worker) ? undefined : life.disk;
}
