// Calls reduce over sorted pairs, wherever they come from. An error in reduce is never skipped: values of a key can't
// be put aside like a record, and the rest would be a wrong result.
import { MillraceError } from "../../base/error.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { reduceOfKey } from "../../base/ids.ts";
import type { ReducePosition } from "../../checkpoint/checkpoint.ts";
import type { JobDefinition } from "../../job/definition.ts";
import type { PairBlock } from "../../kernel/kernel.ts";
import { Groups } from "../../sort/group.ts";
import { KeptLists } from "../../sort/kept-list.ts";
import type { BlockCursor, RunFiles } from "../../sort/run.ts";
import type { CheckpointPace } from "../checkpoint-pace.ts";
import { codeOf, isA, userFailure } from "../failure.ts";
import { encodedKeyExcerpt } from "../key-excerpt.ts";
import { isCounting } from "../map/block-mappers.ts";
import { mayShare, ReturnsPromises } from "../map/sharing.ts";
import { type OutputTable, outputTable } from "../output/outputs.ts";
import { Context, type ContextScope, hashBytes } from "../user/context.ts";
import { PendingCounts } from "../user/counters.ts";
import { type CallOf, isPromise, type LateCalls } from "../user/late-calls.ts";
import { IteratorReturned } from "../user/returned.ts";
import type { UserTask } from "../user/user-task.ts";
import { CheckpointRefused } from "./checkpoint-refused.ts";
import { cutBlock, type KeyLines, keyLinesOf, type LineSink, type SingleSink } from "./key-lines.ts";
import { type Decoder, decoderOf, GroupValues, type ValueSource, valuesPerBeat } from "./values.ts";

/** Takes output records as they are emitted; `write` throws what the output's format throws. */
type RecordSink = SingleSink | LineSink;

export interface ReduceSideOptions {
  readonly job: JobDefinition;
  readonly task: UserTask;
  readonly state: unknown;
  /** Closed when `reduceAll` rejects; otherwise read to its end. */
  readonly cursor: BlockCursor;
  readonly sink: RecordSink;
  /** Where a reduce that keeps records puts them. */
  readonly files: RunFiles;
  readonly signal: AbortSignal;
  /** Whether values of a key may have been combined on the way, so that reduce sees fewer. Default false. */
  readonly isCombined?: boolean;
  /** Default: no checkpoints are made. */
  readonly pace?: CheckpointPace | undefined;
  /** Called when a checkpoint is due: all up to there is written to the sink, and nothing behind it. */
  readonly onRest?: ((position: ReducePosition) => void) | undefined;
  /**
   * What another attempt has written to the sink. It is read and counted again, but not reduced. `CheckpointRefused` is
   * thrown where there is something else at that place. Default: nothing.
   */
  readonly from?: ReducePosition | undefined;
  /** False: each call of reduce has an `emit` and a `ctx` of its own, which takes longer. Default true. */
  readonly sharing?: boolean | undefined;
}

/** What a call of reduce gets beside its key and values; many calls may share it (sharing.ts). */
interface ReduceCall {
  readonly scope: ContextScope;
  readonly emit: unknown;
  readonly ctx: Context;
}

/** A call whose promise is under way. */
interface PendingReduce {
  readonly key: unknown;
  readonly values: GroupValues;
  readonly scope: ContextScope;
  readonly returned: PromiseLike<unknown>;
}
type Reduce = NonNullable<JobDefinition["reduce"]>;

/** After this many groups the status page is written, and the signal is checked. */
const groupsPerBeat = 1024;

export class ReduceSide {
  readonly #options: ReduceSideOptions;
  readonly #groups: Groups;
  readonly #keyLines: KeyLines | undefined;
  readonly #late: LateCalls;
  /** Undefined where reduce is the job's own. */
  readonly #kept: KeptLists | undefined;
  /** The number of the group within whose values the status page was written last. */
  #hotGroup = 0;
  /** The key that the status page names; undefined: none. */
  #hotKey: string | undefined;
  /** Where the folded value of a key says how many values it had: the key with most of them so far. */
  #mostCounted: { readonly key: Uint8Array; readonly pairs: number } | undefined;
  /** Calls, or pairs, until the clock is looked at for a checkpoint. */
  #untilLook: number;
  /** An error that ends the attempt, whatever user code makes of it: a full disk. */
  #broken: { readonly thrown: unknown } | undefined;

  constructor(options: ReduceSideOptions) {
    this.#options = options;
    this.#late = options.task.base.late;
    const { job, cursor, sink, files, task, pace } = options;
    this.#untilLook = pace?.records ?? Number.POSITIVE_INFINITY;
    this.#kept = job.keeps === true ? new KeptLists(files, task.base.attempt) : undefined;
    this.#keyLines = keyLinesOf(job, sink);
    // Without reduce pairs are written, with their whole keys.
    this.#groups = new Groups(cursor, job.reduce === undefined ? undefined : job.group?.shapes);
  }

  get groups(): number {
    return this.#keyLines?.groups ?? this.#groups.groups;
  }

  /** The largest number of values of one key. */
  get groupMax(): number {
    return this.#keyLines?.groupMax ?? this.#groups.groupMax;
  }

  /** The key with most values, as bytes, and their number before combining; undefined where that is not known. */
  get largest(): { readonly key: Uint8Array; readonly pairs: number } | undefined {
    const { job, isCombined } = this.#options;
    if (isCombined) return isCounting(job) && job.reduce === undefined ? this.#mostCounted : undefined;
    const key = this.#keyLines === undefined ? this.#groups.largestKey : this.#keyLines.largestKey;
    return key && { key, pairs: this.groupMax };
  }

  /** Throws a `TaskFailure`, or what the engine throws. */
  async reduceAll(): Promise<void> {
    const { job, task } = this.#options;
    task.status.phase("reduce");
    try {
      if (this.#keyLines !== undefined) this.#writeKeys(this.#keyLines);
      else if (job.reduce === undefined) this.#writePairs();
      else await this.#reduceGroups(job.reduce);
      this.#throwBroken();
    } catch (thrown) {
      this.#groups.close();
      throw thrown;
    } finally {
      this.#kept?.clear();
    }
  }

  /** `eachKey`, by blocks. */
  #writeKeys(lines: KeyLines): void {
    const { cursor, from, pace } = this.#options;
    let pairs = 0;
    const write = (block: PairBlock) => {
      const before = lines.groups;
      lines.write(block, (thrown, key) => this.#failed(thrown, key));
      pairs += block.pairs;
      if (lines.groups === before) this.#beatWithin(lines.lastKey);
      else this.#beat();
    };
    const next = () => cursor.nextBlock();
    const behind = from === undefined ? undefined : this.#skipBlocks(lines, next, write, from);
    for (let block = behind ?? next(); block !== undefined; block = next()) {
      write(block);
      if (pace?.isDue === true) this.#save({ groups: lines.groups, pairs, key: lines.lastKey });
    }
  }

  /** Returns what is left of the block in which `from` lies. */
  #skipBlocks(
    lines: KeyLines,
    next: () => PairBlock | undefined,
    write: (block: PairBlock) => void,
    from: ReducePosition,
  ): PairBlock | undefined {
    lines.isMuted = true;
    let behind: PairBlock | undefined;
    let pairs = 0;
    while (pairs < from.pairs) {
      let block = next();
      if (block === undefined) break;
      if (pairs + block.pairs > from.pairs) [block, behind] = cutBlock(block, from.pairs - pairs);
      write(block);
      pairs += block.pairs;
    }
    checkSkipped(from, { groups: lines.groups, pairs, key: lines.lastKey });
    lines.isMuted = false;
    return behind;
  }

  /** Without reduce: writes the folded values, or all values in order, as `[key, value]`. */
  #writePairs(): void {
    const { job, sink } = this.#options;
    const groups = this.#groups;
    const readKey = decoderOf(job.key);
    const readValue = decoderOf(job.value);
    const counts = isCounting(job);
    const skipped = this.#options.from?.pairs ?? 0;
    let most = 0;
    while (groups.nextGroup()) {
      const key = readKey(groups.pair, groups.keyStart, groups.keyEnd);
      while (groups.nextValue()) {
        if (groups.pairs % valuesPerBeat === 0) this.#beatWithin(groups.currentKey);
        const value = readValue(groups.pair, groups.valueStart, groups.valueEnd);
        if (counts && (value as number) > most) {
          most = value as number;
          this.#mostCounted = { key: Uint8Array.from(groups.currentKey), pairs: most };
        }
        if (groups.pairs <= skipped) {
          if (groups.pairs === skipped) this.#checkSkipped();
          continue;
        }
        try {
          sink.write(0, [key, value]);
        } catch (thrown) {
          throw this.#failed(thrown, key);
        }
        if (--this.#untilLook === 0) this.#look();
      }
      if (groups.groups % groupsPerBeat === 0 || this.#hotKey !== undefined) this.#beat();
    }
    if (groups.pairs < skipped) this.#checkSkipped();
  }

  /** Reads what another attempt has reduced: it is verified and counted as ever. */
  #skipGroups(count: number): void {
    const groups = this.#groups;
    while (groups.groups < count && groups.nextGroup()) {
      while (groups.nextValue()) if (groups.pairs % valuesPerBeat === 0) this.#beatWithin(groups.currentKey);
      if (groups.groups % groupsPerBeat === 0 || this.#hotKey !== undefined) this.#beat();
    }
    this.#checkSkipped();
  }

  #checkSkipped(): void {
    const { groups, pairs, currentKey } = this.#groups;
    checkSkipped(this.#options.from, { groups, pairs, key: currentKey });
  }

  async #reduceGroups(reduce: Reduce): Promise<void> {
    const { job, sharing = true } = this.#options;
    const readKey = decoderOf(job.group?.key ?? job.key);
    const readValue = decoderOf(job.value);
    const table = outputTable(job, []);
    const of: CallOf = { name: "reduce", code: [reduce] };
    const { from } = this.#options;
    if (from !== undefined) this.#skipGroups(from.groups);
    this.#late.during = of;
    const readWholeKey = job.group === undefined ? readKey : decoderOf(job.key);
    const source = {
      groups: this.#groups,
      read: readValue,
      readWholeKey,
      beat: () => this.#beatWithin(this.#groups.currentKey),
      late: this.#late,
      of,
    };
    let shared = sharing && mayShare(reduce) ? this.#newCall(table, of) : undefined;
    const next = () => this.#reduceOn(reduce, readKey, source, table, shared);
    for (let pending = next(); pending !== undefined; pending = next()) {
      const { key, values, scope, returned } = pending;
      try {
        this.#options.task.returned.take(await returned);
      } catch (thrown) {
        throw this.#fault(thrown, key, values, scope);
      }
      this.#end(values, scope);
      if (shared === undefined) continue;
      if (this.#groups.groups > (from?.groups ?? 0) + 1) throw new ReturnsPromises(reduce);
      shared = undefined; // the first call keeps it
    }
  }

  #newCall(table: OutputTable, of: CallOf): ReduceCall {
    const { task, state, sink } = this.#options;
    const groups = this.#groups;
    const scope: ContextScope = {
      source: "",
      offset: 0,
      serial: groups.groups,
      stream: () => hashBytes(groups.key, groups.keyStart, groups.keyEnd),
      state,
      counts: new PendingCounts(task.totals),
      dirty: false,
      of,
      call: "ended",
    };
    const write = (what: string, output: number, record: unknown): void => {
      if (scope.call !== "open") throw this.#tooLate(what, scope);
      try {
        sink.write(output, record);
      } catch (thrown) {
        throw isEngines(thrown) ? this.#breaks(thrown) : thrown;
      }
    };
    const emit = Object.assign((record: unknown) => write("emit", 0, record), {
      to: (name: unknown, record: unknown) => write("emit.to", table.indexOf(name), record),
    });
    return { scope, emit, ctx: new Context(task.base, scope) };
  }

  /** Reduces up to the next group whose reduce returns a promise; undefined when all groups are done. */
  #reduceOn(
    reduce: Reduce,
    readKey: Decoder,
    source: ValueSource,
    table: OutputTable,
    shared: ReduceCall | undefined,
  ): PendingReduce | undefined {
    const { groups } = source;
    const { aggregate } = this.#options.job;
    const kept = this.#kept;
    while (groups.nextGroup()) {
      const key = readKey(groups.pair, groups.keyStart, groups.keyEnd);
      const values = new GroupValues(source);
      const { scope, emit, ctx } = shared ?? this.#newCall(table, source.of);
      scope.serial++;
      scope.call = "open";
      try {
        const given = aggregate === undefined ? values : values.fold(aggregate);
        const returned =
          kept === undefined
            ? reduce(key, given, emit, ctx)
            : reduce(key, given, emit, ctx, { keep: () => kept.keep(), check: () => values.check() });
        if (returned !== undefined) {
          if (isPromise(returned)) return { key, values, scope, returned };
          this.#options.task.returned.take(returned);
        }
      } catch (thrown) {
        throw this.#fault(thrown, key, values, scope);
      }
      this.#end(values, scope);
    }
    return undefined;
  }

  /** Out of line, as code that is never called would keep the rest from being inlined. */
  #tooLate(what: string, scope: ContextScope): never {
    this.#late.refuse(`${what} was called`, scope.of, scope.call === "failed");
  }

  #end(values: GroupValues, scope: ContextScope): void {
    scope.call = "ended";
    values.end("ended");
    if (this.#kept !== undefined) {
      this.#kept.clear();
      if (this.#kept.broken !== undefined) this.#throwBroken();
    }
    if (this.#broken !== undefined || values.broken !== undefined) this.#throwBroken(values);
    if (scope.dirty) {
      scope.dirty = false;
      scope.counts.commit();
    }
    // What comes after a hot key is not that key.
    if (this.#groups.groups % groupsPerBeat === 0 || this.#hotKey !== undefined) this.#beat();
    if (--this.#untilLook === 0) this.#look();
  }

  /** Asks whether it is time for a checkpoint. */
  #look(): void {
    const pace = this.#options.pace!;
    pace.done(pace.records);
    this.#untilLook = pace.records;
    if (!pace.isDue) return;
    const groups = this.#groups;
    // Values that reduce did not ask for are part of its group.
    if (this.#options.job.reduce !== undefined) while (groups.nextValue());
    this.#save({ groups: groups.groups, pairs: groups.pairs, key: groups.currentKey });
  }

  #save(position: ReducePosition): void {
    const { pace, onRest } = this.#options;
    this.#throwBroken();
    this.#beat(this.#hotKey);
    pace?.begin();
    onRest?.(position);
    pace?.begin();
  }

  #fault(thrown: unknown, key: unknown, values: GroupValues, scope: ContextScope): unknown {
    scope.call = "failed";
    values.end("failed");
    this.#throwBroken(values);
    return this.#failed(thrown, key);
  }

  #breaks(thrown: unknown): unknown {
    this.#broken ??= { thrown };
    return thrown;
  }

  #throwBroken(values?: GroupValues): void {
    this.#late.check();
    const broken = this.#broken ?? values?.broken ?? this.#kept?.broken;
    if (broken !== undefined) throw broken.thrown;
  }

  #failed(thrown: unknown, key: unknown): unknown {
    if (isEngines(thrown)) return thrown;
    const excerpt = excerptOf(key);
    const final = isA(thrown, IteratorReturned);
    return userFailure(thrown, { where: `${reduceOfKey}${excerpt}`, excerpt, final });
  }

  /** Within the values of a key that has many: the status page names it. */
  #beatWithin(key: Uint8Array): void {
    const isSecond = this.#hotGroup === this.groups;
    this.#hotGroup = this.groups;
    // The first time, the key may have begun just before.
    this.#beat(isSecond ? (this.#hotKey ?? encodedKeyExcerpt(this.#options.job, key)) : undefined);
  }

  /** Writes the status page. `hotKey`: the key within whose many values it is called. */
  #beat(hotKey?: string): void {
    const { task, signal } = this.#options;
    this.#hotKey = hotKey;
    task.status.records = this.groups;
    task.status.key(hotKey);
    this.#late.check();
    if (signal.aborted) throw new MillraceError("cancelled", "the attempt was revoked", { retry: "elsewhere" });
  }
}

/** Throws `CheckpointRefused` where an attempt that was to skip what another has done has skipped something else. */
function checkSkipped(wanted: ReducePosition | undefined, { groups, pairs, key }: ReducePosition): void {
  if (wanted?.groups !== groups || wanted.pairs !== pairs || Buffer.compare(wanted.key, key) !== 0)
    throw new CheckpointRefused("what it has done is not what is read now");
}

/** Whether the engine threw it through user code, which called the engine: a full disk is not the user's fault. */
function isEngines(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return code === "no-space" || code === "io-error";
}
