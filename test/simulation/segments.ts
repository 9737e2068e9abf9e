// How a simulated reduce reads map outputs: those on its own machine directly, others over the network, from whoever
// answers at the address. What comes is verified as the product does (checks of blocks, identity of the run), and
// what can't be had is told apart: missing, corrupt, unreachable.
import { MillraceError } from "../../src/base/error.ts";
import { type AttemptId, sameAttempt } from "../../src/base/ids.ts";
import type { CopyOrder, Offer } from "../../src/protocol/messages.ts";
import type { Disk } from "../../src/sim/disk.ts";
import type { Scene, WorkerLife } from "../../src/sim/scene.ts";
import type { RunAttempt } from "../../src/slot/messages.ts";
import type { RunRef } from "../../src/sort/run.ts";
import { OracleRun, runOn } from "./runs.ts";
import { fullName } from "./workload.ts";

export interface Segment {
  readonly map: AttemptId;
  readonly digest: bigint;
  readonly ids: readonly string[];
}

interface SegmentReply extends Segment {
  readonly isDamaged: boolean;
}

interface SegmentRequest {
  readonly map: AttemptId;
  readonly partition: number;
}

export class SegmentMissed extends Error {
  readonly map: AttemptId;
  readonly how: "missing" | "corrupt" | "unreachable";
  /** The worker that it was to be had from. */
  readonly holder: string;

  constructor(map: AttemptId, how: SegmentMissed["how"], holder: string) {
    super(`the output of ${fullName(map)} is ${how}`);
    this.map = map;
    this.how = how;
    this.holder = holder;
  }
}

/** One segment per map task, in their order. */
export async function fetchAll(scene: Scene, worker: WorkerLife, request: RunAttempt): Promise<Segment[]> {
  const partition = request.assignment.attempt.index;
  const sources: { readonly run: RunRef; readonly address: string | undefined }[] = [
    ...request.inputs.map((run) => ({ run, address: undefined })),
    ...request.remote.flatMap(({ address, runs }) => runs.map((run) => ({ run, address }))),
  ].sort((a, b) => a.run.writtenBy.index - b.run.writtenBy.index);
  return await Promise.all(sources.map(({ run, address }) => fetchOne(scene, worker, run, address, partition)));
}

async function fetchOne(
  scene: Scene,
  worker: WorkerLife,
  run: RunRef,
  address: string | undefined,
  partition: number,
): Promise<Segment> {
  const holder = address?.split(":")[0] ?? worker.id;
  const reply = address === undefined ? read(worker.disk, { map: run.writtenBy, partition }) : await ask();
  if (reply === undefined) throw new SegmentMissed(run.writtenBy, "missing", holder);
  if (reply.isDamaged || !sameAttempt(reply.map, run.writtenBy))
    throw new SegmentMissed(run.writtenBy, "corrupt", holder);
  return reply;

  async function ask(): Promise<SegmentReply | undefined> {
    const { network, options } = scene;
    const body: SegmentRequest = { map: run.writtenBy, partition };
    try {
      const timeoutMs = options.leaseMs / 2;
      return (await network.call(worker.machine, address!, "segment", body, { timeoutMs })) as SegmentReply | undefined;
    } catch (error) {
      if (error instanceof MillraceError) throw new SegmentMissed(run.writtenBy, "unreachable", holder);
      throw error;
    }
  }
}

/** Copies a run of a worker that leaves. It is read through before it counts, so one that is damaged is refused. */
export async function copyRun(
  { network, options }: Scene,
  worker: WorkerLife,
  { run, emissionDigest, address, from }: CopyOrder,
  signal: AbortSignal,
): Promise<Offer> {
  const timeoutMs = options.leaseMs / 2;
  const found = (await network.call(worker.process, address, "run", run.writtenBy, { timeoutMs })) as
    | OracleRun
    | undefined;
  signal.throwIfAborted();
  if (found === undefined) throw new Error(`${from} has it no more`);
  const { content, isDamaged } = found;
  const isIt = sameAttempt(content.attempt, run.writtenBy) && content.emissionDigest === emissionDigest;
  if (isDamaged || !isIt) throw new Error("it is not the run that was to be copied");
  const copy = new OracleRun(content, worker.id);
  worker.disk.write(copy);
  return copy.offer();
}

/** What a worker answers that has it: the run, as it lies there. */
export function serveRun(disk: Disk, body: unknown): OracleRun | undefined {
  return runOn(disk, body as AttemptId);
}

/** What a worker answers. */
export function serveSegment(disk: Disk, body: unknown): SegmentReply | undefined {
  return read(disk, body as SegmentRequest);
}

function read(disk: Disk, { map, partition }: SegmentRequest): SegmentReply | undefined {
  const found = runOn(disk, map);
  if (found === undefined) return undefined;
  const { attempt, emissionDigest, partitions } = found.content;
  return { map: attempt, digest: emissionDigest, ids: partitions[partition] ?? [], isDamaged: found.isDamaged };
}
