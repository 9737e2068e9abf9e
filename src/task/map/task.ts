// A map attempt: records of a split → map → batch → collector → one sorted run; output records → staged files.
import { MillraceError, systemCode } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import type { Instant, Position } from "../../base/ids.ts";
import { messageOf } from "../../base/value/message.ts";
import type { Checkpoints, MapCheckpoint } from "../../checkpoint/checkpoint.ts";
import { decompressWithin, memberCompressor, programOf } from "../../format/compression/compress.ts";
import type { InputFormat } from "../../format/format.ts";
import { BadRecordIn } from "../../input/bad-record.ts";
import { type InputBatch, readSplit } from "../../input/read-split.ts";
import type { NamedInput } from "../../job/definition.ts";
import type { LargestGroups } from "../../protocol/largest-groups.ts";
import type { Assignment, AttemptDone, MapWork } from "../../protocol/messages.ts";
import { noStats } from "../../protocol/stats.ts";
import { filesAgain } from "../../sort/files-again.ts";
import { CheckpointPace } from "../checkpoint-pace.ts";
import type { TaskEnvironment } from "../environment.ts";
import { badInputFailure, isA, isOfCode, isOfStaged, userFailure } from "../failure.ts";
import { encodedKeyExcerpt } from "../key-excerpt.ts";
import { DeadLetters } from "../output/dead-letters.ts";
import { outputFormats, recordEncoders, StagedOutputs } from "../output/staged-outputs.ts";
import { hashText } from "../user/context.ts";
import { UserTask } from "../user/user-task.ts";
import { blockFormat, isCounting, LineBlock, WordBlock } from "./block-mappers.ts";
import type { EncodedGroups } from "./group-sizes.ts";
import { Aside, Remap } from "./put-aside.ts";
import { ReturnsPromises } from "./sharing.ts";
import { type Collected, MapSide } from "./side.ts";

/** Throws a `TaskFailure`, or what the engine throws, and then leaves nothing behind. */
export async function runMapTask(assignment: Assignment, work: MapWork, env: TaskEnvironment): Promise<AttemptDone> {
  const begun = env.clock.now();
  const task = new UserTask(assignment, env);
  const aside = new Aside(work.skip);
  const { compress } = env.job;
  const compressMember = compress && (await memberCompressor(compress));
  const { checkpoints } = env;
  const newest = checkpoints?.newest(task.status.touch);
  const discard = () => {
    checkpoints?.discard();
    task.status.hasCheckpoint = false;
    task.totals.clear();
  };
  const attempt = await task.run(async (state) => {
    for (let restarts = 0; ; restarts++) {
      const from = restarts === 0 && newest?.kind === "map" ? newest : undefined;
      let attempt: MapAttempt | undefined;
      try {
        attempt = new MapAttempt({
          ...{ assignment, work, env, task, state, aside, compressMember, restarts, begun },
          ...{ checkpoints, from },
        });
        await attempt.mapAll();
        return attempt;
      } catch (thrown) {
        const isAgain = isA(thrown, Remap) || isA(thrown, ReturnsPromises);
        const isBlamed = from !== undefined && (isOfCode(thrown) || isOfStaged(thrown));
        attempt?.abort(!isAgain && !isBlamed);
        if (isBlamed) {
          // A map that keeps state of its own may fail only because it did not see what came before.
          env.log(`it failed after a checkpoint, and begins again at the beginning: ${messageOf(thrown)}`, undefined);
          discard();
          continue;
        }
        // What the record emitted before it failed has been handed on: the split is mapped again, without the record.
        if (isA(thrown, Remap)) aside.add(thrown.origin, { thrown: thrown.thrown, code: "user-error" });
        else if (!isAgain) throw thrown;
        discard();
      }
    }
  });
  try {
    return await attempt.finish();
  } catch (thrown) {
    attempt.abort(true);
    throw thrown;
  }
}

/** Counts the records that a format was told to mend: fault 72, chosen and counted. */
const replacedCounter = "records with invalid UTF-8";

interface MapAttemptOptions {
  readonly assignment: Assignment;
  readonly work: MapWork;
  readonly env: TaskEnvironment;
  readonly task: UserTask;
  readonly state: unknown;
  readonly aside: Aside;
  readonly compressMember: ((bytes: Uint8Array) => Uint8Array) | undefined;
  /** How often the split was begun again in this attempt. */
  readonly restarts: number;
  readonly begun: Instant;
  readonly checkpoints: Checkpoints | undefined;
  /** What an earlier attempt has done, behind which this one goes on. */
  readonly from: MapCheckpoint | undefined;
}

class MapAttempt {
  readonly #options: MapAttemptOptions;
  readonly #side: MapSide;
  readonly #outputs: StagedOutputs;
  readonly #deadLetters: DeadLetters;
  /** How far the compressed file that is being read has been read. */
  #compressed = { file: -1, end: 0 };
  #source = "";
  #stream = (): number => 0;
  readonly #pace: CheckpointPace | undefined;
  #checkpoints = 0;

  constructor(options: MapAttemptOptions) {
    this.#options = options;
    const { assignment, work, env, task, state, aside, compressMember, restarts, checkpoints, from } = options;
    const { attempt, spec } = assignment;
    const { job, storage, kernel, runs, signal } = env;
    const formats = outputFormats(job, spec);
    const staging = { job, spec, attempt, storage, compressMember, isSavable: checkpoints !== undefined };
    this.#outputs = new StagedOutputs({ ...staging, from: from?.outputs, beat: task.status.touch }, formats);
    const folder = spec.deadLetters?.path;
    this.#deadLetters = new DeadLetters(
      attempt.index,
      work.skipBad,
      (name) => storage.stage(folder ?? spec.output, attempt, name),
      folder !== undefined,
    );
    this.#side = new MapSide({
      job,
      attempt,
      inputBytes: work.split.reduce((bytes, { start, end }) => bytes + end - start, 0),
      partitions: work.partitions,
      boundaries: work.boundaries,
      kernel,
      files: filesAgain(runs, restarts),
      task,
      state,
      encoders: recordEncoders(formats),
      sinks: this.#outputs,
      deadLetters: this.#deadLetters,
      putAside: aside,
      tries: "twice",
      signal,
      combining: env.combining,
      earlier: from,
    });
    if (checkpoints !== undefined) this.#pace = new CheckpointPace(checkpoints.intervalMs, env.clock);
    if (from !== undefined) this.#resume(from);
  }

  async mapAll(): Promise<void> {
    const { task, work } = this.#options;
    if (work.partitions === 0) this.#outputs.open(0);
    task.status.phase("map");
    let from: Position | "end" | undefined = this.#options.from?.position;
    while (from !== "end") from = await this.#mapFrom(from);
    await this.#side.drain();
  }

  async finish(): Promise<AttemptDone> {
    const { task, assignment } = this.#options;
    task.status.phase("sort");
    const largest = this.#side.largestGroups();
    const collected = this.#side.finish();
    task.status.phase("write");
    const largestGroups = largest && this.#named(largest);
    task.end();
    const files = await this.#outputs.finish();
    const bytesOut = files.reduce((sum, file) => sum + file.bytes, 0);
    return {
      attempt: assignment.attempt,
      ok: true,
      ...(collected !== undefined && { run: collected.run, emissionDigest: collected.emissionDigest }),
      staged: [...files, ...(await this.#deadLetters.finish())],
      deadLetters: this.#deadLetters.positions,
      ...(this.#deadLetters.last !== undefined && { lastAside: this.#deadLetters.last }),
      ...(largestGroups !== undefined && { largestGroups }),
      counters: task.totals.report(),
      stats: this.#stats(collected, bytesOut),
    };
  }

  /** `isOver`: no other try follows in this attempt, so what a checkpoint says is saved stays for the next one. */
  abort(isOver: boolean): void {
    this.#side.abort();
    if (isOver && this.#checkpoints > 0) this.#outputs.leave();
    else this.#outputs.abort();
    this.#deadLetters.abort();
  }

  /**
   * Maps the rest of the split. Returns where to continue, behind a record that was put aside because it can't be read.
   */
  async #mapFrom(from: Position | undefined): Promise<Position | "end"> {
    const { assignment, work, env } = this.#options;
    const batches = readSplit({
      split: work.split,
      files: work.files,
      formatOf: (input) => this.#formatOf(env.job.inputs[input]!),
      storage: env.storage,
      decompress: decompressWithin(env.windowBytesMax, programOf(assignment.spec)),
      onCompressed: (file, end) => this.#readTo(file, end),
      signal: env.signal,
      from,
    });
    try {
      for (;;) {
        let next: IteratorResult<InputBatch, void>;
        try {
          next = await batches.next();
        } catch (thrown) {
          return await this.#goOnBehind(thrown);
        }
        if (next.done === true) return "end";
        await this.#map(next.value);
      }
    } finally {
      await batches.return();
    }
  }

  /** Counts bytes of compressed files, in which inputs are measured. Those that are read again count once. */
  #readTo(file: number, end: number): void {
    if (this.#compressed.file !== file) this.#compressed = { file, end: 0 };
    this.#options.task.status.bytes += Math.max(0, end - this.#compressed.end);
    this.#compressed.end = Math.max(end, this.#compressed.end);
  }

  async #map(next: InputBatch): Promise<void> {
    const { batch, fileIndex } = next;
    const { task, work } = this.#options;
    const { status } = task;
    // The extent of a batch of a compressed file is one of its content.
    const bytes = work.files[fileIndex]!.compression === "none" ? batch.end - batch.starts[0]! : 0;
    if (batch.skipped !== undefined) this.#side.skip(batch.skipped);
    const [first] = batch.records;
    if (first instanceof WordBlock || first instanceof LineBlock) {
      status.record(fileIndex, batch.starts[0]!);
      if (first instanceof WordBlock) this.#side.countWords(first);
      else this.#side.keyLines(first);
      status.records = this.#side.records;
      status.bytes += bytes;
      await this.#rest({ file: fileIndex, offset: batch.end });
      return;
    }
    if (batch.records.length > 0) {
      await this.#mapRecords(next);
      status.bytes += bytes;
    }
    if (batch.replaced !== undefined && batch.replaced > 0) task.totals.add(replacedCounter, batch.replaced);
    await this.#rest({ file: fileIndex, offset: batch.end });
  }

  /** Maps single records: where they take long, a checkpoint may come between any two of them. */
  async #mapRecords({ batch, fileIndex, source, input }: InputBatch): Promise<void> {
    const { status } = this.#options.task;
    const { records, starts, skipped = 0, replaced = 0 } = batch;
    // What these count is counted for the whole batch.
    const pace = skipped === 0 && replaced === 0 ? this.#pace : undefined;
    for (let i = 0; i < records.length; ) {
      status.records = this.#side.records;
      status.record(fileIndex, starts[i]!);
      const pass = await this.#side.passOf(input);
      const origin = { file: fileIndex, source, stream: this.#streamOf(source) };
      const to = Math.min(records.length, i + (pace?.records ?? records.length));
      await pass.mapBatch(batch, origin, i, to);
      pace?.done(to - i);
      i = to;
      if (i < records.length) await this.#rest({ file: fileIndex, offset: starts[i]! });
    }
  }

  /** Makes a checkpoint where it is time for one. `position`: all before it was given to map, and nothing else. */
  async #rest(position: Position): Promise<void> {
    if (this.#pace?.isDue !== true) return;
    this.#pace.begin();
    const { env, task, from, checkpoints, begun } = this.#options;
    // What is put aside can't be gone on with yet.
    if (this.#deadLetters.positions.length > 0) return;
    const { stats, ...collected } = await this.#side.flush();
    if (this.#deadLetters.positions.length > 0) return; // of what was under way
    // A compressed file is read from its beginning again.
    const inFile = this.#compressed.file === position.file ? this.#compressed.end : 0;
    const checkpoint: MapCheckpoint = {
      kind: "map",
      position,
      ...collected,
      outputs: this.#outputs.save(),
      counters: task.countedSinceSetup(),
      bytes: task.status.bytes - inFile,
      spills: stats.spills + (from?.spills ?? 0),
      memoryRunBytes: stats.memoryRunBytes + (from?.memoryRunBytes ?? 0),
      diskRunBytes: stats.diskRunBytes + (from?.diskRunBytes ?? 0),
      valuesReturned: task.returned.isAny,
      spentMs: env.clock.now() - begun + (from?.spentMs ?? 0),
    };
    try {
      checkpoints?.write(checkpoint);
      this.#checkpoints++;
      task.status.hasCheckpoint = true;
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      env.log(`a checkpoint can't be written: ${messageOf(error)}`, undefined);
    }
    this.#pace.begin();
  }

  #resume({ counters, bytes, records, valuesReturned, position }: MapCheckpoint): void {
    const { task, env } = this.#options;
    for (const [name, n] of Object.entries(counters)) task.totals.add(name, n);
    task.returned.isAny ||= valuesReturned;
    task.status.bytes = bytes;
    task.status.records = records;
    task.status.hasCheckpoint = true;
    env.log(`goes on from a checkpoint behind ${records} records, at byte ${position.offset}`, undefined);
  }

  /** After reading failed: puts aside a record that the format refuses, where that is allowed. */
  async #goOnBehind(thrown: unknown): Promise<Position> {
    if (!isA(thrown, BadRecordIn)) {
      // Any other error comes from a format of the user's own.
      throw isA(thrown, MillraceError) ? thrown : userFailure(thrown, { where: "the input format" });
    }
    const { file, start, end, bytes, lines, by } = thrown;
    const { source, input } = this.#options.work.files[file]!;
    if (end === undefined) {
      // The file can't be read from here on: there is no record to look at again, or to put aside.
      const where = start === 0 ? source : `${source}, from byte ${start} on`;
      throw badInputFailure(thrown, { at: { file, offset: start }, where, excerpt: excerptOf(bytes) });
    }
    if (!this.#deadLetters.roomFor(thrown)) {
      const origin = {
        at: { file, offset: start },
        where: `${source}:${start}`,
        excerpt: excerptOf(bytes),
        aside: 1 + lines,
      };
      throw by === undefined ? badInputFailure(thrown, origin) : userFailure(by.thrown, { ...origin, final: true });
    }
    const pass = await this.#side.passOf(input);
    const stream = this.#streamOf(source);
    const origin = { file, source, stream, record: bytes, offset: start, bytes: end - start, lines };
    pass.putAside(origin, by === undefined ? { thrown, code: "bad-input" } : { thrown: by.thrown, code: "user-error" });
    return { file, offset: end };
  }

  /** Built-in mappers take whole blocks, unless single records matter. */
  #formatOf(input: NamedInput): InputFormat<unknown> {
    const { task, work, env } = this.#options;
    if (task.status.careful || work.skip.length > 0) return input.format;
    return blockFormat(env.job, input, isCounting(env.job) ? this.#side.blockBytesMax : 0);
  }

  #streamOf(source: string): () => number {
    if (source !== this.#source) {
      const stream = hashText(source);
      this.#source = source;
      this.#stream = () => stream;
    }
    return this.#stream;
  }

  #named({ groups, ...bounds }: EncodedGroups): LargestGroups {
    const { job } = this.#options.env;
    return { ...bounds, groups: groups.map(({ key, ...size }) => ({ key: encodedKeyExcerpt(job, key), ...size })) };
  }

  #stats(collected: Collected | undefined, bytesOut: number): AttemptDone["stats"] {
    const { work, env, task, from, begun } = this.#options;
    return {
      ...noStats,
      recordsIn: this.#side.records,
      bytesIn: work.split.reduce((sum, piece) => sum + piece.end - piece.start, 0),
      pairs: collected?.emissions ?? 0,
      recordsOut: this.#outputs.records,
      bytesOut,
      memoryRunBytes: (collected?.stats.memoryRunBytes ?? 0) + (from?.memoryRunBytes ?? 0),
      diskRunBytes: (collected?.stats.diskRunBytes ?? 0) + (from?.diskRunBytes ?? 0),
      spills: (collected?.stats.spills ?? 0) + (from?.spills ?? 0),
      resumed: from === undefined ? 0 : 1,
      resumedRecords: from?.records ?? 0,
      resumedMs: from?.spentMs ?? 0,
      checkpoints: this.#checkpoints,
      valuesReturned: task.returned.isAny ? 1 : 0,
      asideLines: this.#deadLetters.lines,
      asideBytes: this.#deadLetters.bytes,
      wallMs: env.clock.now() - begun,
    };
  }
}
