// The checkpoints of one reduce attempt: the one that it goes on from, and those that it makes.
import { systemCode } from "../../base/error.ts";
import type { Instant } from "../../base/ids.ts";
import { messageOf } from "../../base/value/message.ts";
import type { Checkpoints, ReduceCheckpoint, ReducePosition } from "../../checkpoint/checkpoint.ts";
import type { AttemptStats } from "../../protocol/stats.ts";
import { CheckpointPace } from "../checkpoint-pace.ts";
import type { TaskEnvironment } from "../environment.ts";
import { isA, isOfCode, isOfStaged } from "../failure.ts";
import type { StagedOutputs } from "../output/staged-outputs.ts";
import type { UserTask } from "../user/user-task.ts";
import { CheckpointRefused } from "./checkpoint-refused.ts";

export class Saving {
  readonly pace: CheckpointPace | undefined;
  readonly #env: TaskEnvironment;
  readonly #task: UserTask;
  readonly #begun: Instant;
  readonly #checkpoints: Checkpoints | undefined;
  #from: ReduceCheckpoint | undefined;
  #written = 0;
  #isAny = false;

  constructor(env: TaskEnvironment, task: UserTask, begun: Instant) {
    this.#env = env;
    this.#task = task;
    this.#begun = begun;
    this.#checkpoints = env.checkpoints;
    if (this.#checkpoints === undefined) return;
    this.pace = new CheckpointPace(this.#checkpoints.intervalMs, env.clock);
    const newest = this.#checkpoints.newest(task.status.touch);
    if (newest?.kind === "reduce") this.#from = newest;
  }

  get isOn(): boolean {
    return this.#checkpoints !== undefined;
  }

  /** What the attempt goes on from; undefined: it begins at the beginning. */
  get from(): ReduceCheckpoint | undefined {
    return this.#from;
  }

  /** Whether a checkpoint of this attempt says what is staged. */
  get isAny(): boolean {
    return this.#isAny;
  }

  get stats(): Pick<AttemptStats, "resumed" | "resumedRecords" | "resumedMs" | "checkpoints"> {
    return {
      resumed: this.#from === undefined ? 0 : 1,
      resumedRecords: this.#from?.groups ?? 0,
      resumedMs: this.#from?.spentMs ?? 0,
      checkpoints: this.#written,
    };
  }

  /** Takes over what was counted. Called when what was staged has been taken over, right before the first key. */
  resume(): void {
    this.pace?.begin(); // a checkpoint does not save the time that fetching took
    if (this.#from === undefined) return;
    const { counters, valuesReturned, groups } = this.#from;
    for (const [name, n] of Object.entries(counters)) this.#task.totals.add(name, n);
    this.#task.returned.isAny ||= valuesReturned;
    this.#task.status.hasCheckpoint = true;
    this.#env.log(`goes on from a checkpoint behind ${groups} keys`, undefined);
  }

  /** Throws what the sink throws. A checkpoint that can't be written is none. */
  save({ groups, pairs, key }: ReducePosition, inputs: Uint8Array, sink: StagedOutputs): void {
    const outputs = sink.save();
    const counters = this.#task.countedSinceSetup();
    const spentMs = this.#env.clock.now() - this.#begun + (this.#from?.spentMs ?? 0);
    const valuesReturned = this.#task.returned.isAny;
    try {
      const position = { groups, pairs, key: Uint8Array.from(key) };
      this.#checkpoints?.write({
        ...position,
        ...{ kind: "reduce", inputs, outputs, counters, valuesReturned, spentMs },
      });
      this.#written++;
      this.#isAny = true;
      this.#task.status.hasCheckpoint = true;
      this.#task.status.touch();
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      this.#env.log(`a checkpoint can't be written: ${messageOf(error)}`, undefined);
    }
  }

  /** Whether what an attempt threw that has gone on from a checkpoint may not come if it begins at the beginning. */
  isToBlame(thrown: unknown): boolean {
    if (this.#from === undefined) return false;
    // A reduce that keeps state of its own may fail only because it did not see what came before.
    return isA(thrown, CheckpointRefused) || isOfCode(thrown) || isOfStaged(thrown);
  }

  /** Removes all checkpoints of the task: the attempt begins at the beginning again. */
  discard(why: unknown): void {
    if (this.#from !== undefined)
      this.#env.log(`the checkpoint is not used, and it begins at the beginning: ${messageOf(why)}`, undefined);
    this.#checkpoints?.discard();
    this.#from = undefined;
    this.#isAny = false;
    this.#task.status.hasCheckpoint = false;
  }
}
