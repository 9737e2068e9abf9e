// The reduce of a join's job: makes rows of a key's records, and gives them to the join's own map or reduce.
import { assert } from "../../base/assert.ts";
import { ByteBuffer } from "../../base/bytes/byte-buffer.ts";
import { MillraceError } from "../../base/error.ts";
import type { StateAggregate } from "../aggregate/aggregate.ts";
import type { UserFunction } from "../check.ts";
import type { JobDefinition, Room } from "../definition.ts";
import type { TaskContext } from "../types.ts";
import { hasNull } from "./key.ts";
import { type MakeRow, rowsOf } from "./rows.ts";
import type { How } from "./types.ts";

export interface JoinWork {
  readonly how: How;
  /** The names of the inputs. */
  readonly left: string;
  readonly right: string;
  /** Exactly one of the two, or both with an aggregate. */
  readonly map: UserFunction | undefined;
  readonly reduce: UserFunction | undefined;
  /** Folds what `map` emits; `reduce` gets the result in place of the rows. */
  readonly aggregate: StateAggregate | undefined;
}

export function joinReduce(work: JoinWork): NonNullable<JobDefinition["reduce"]> {
  const { how, left, right, map, reduce, aggregate } = work;
  const scratch = new ByteBuffer(64);
  const row: MakeRow =
    how === "semi" || how === "anti" ? (one) => ({ [left]: one }) : (one, other) => ({ [left]: one, [right]: other });
  let context: Context | undefined;
  return (group, records, emit, given, room) => {
    assert(room !== undefined, "a join's reduce gets room for records");
    const [key] = group as readonly [unknown, boolean];
    const ctx =
      context !== undefined && context.given === given ? context : new Context(given as TaskContext<unknown, never>);
    context = ctx;
    ctx.key = key;
    const isNull = hasNull(key);
    const rows = () => rowsOf(how, records as Iterable<unknown>, isNull, room, row);
    if (map !== undefined && aggregate !== undefined) {
      const states = aggregate.begin();
      let any = false;
      const fold = (value: unknown) => {
        room.check();
        scratch.reset();
        aggregate.lift(value, scratch);
        states.add(scratch.bytes, 0, scratch.length);
        any = true;
      };
      for (const each of rows()) refuseResult(map(each, fold, ctx));
      return any ? reduce?.(key, states.finish(), emit, ctx) : undefined;
    }
    if (map !== undefined) {
      for (const each of rows()) refuseResult(map(each, emit, ctx));
      return undefined;
    }
    // A key whose records make no row is none of the join's.
    const first = firstOf(rows(), room);
    if (first === undefined) return undefined;
    return reduce?.(key, first, emit, ctx);
  };
}

/** The same rows; undefined where there are none. */
function firstOf(rows: Iterable<unknown>, room: Room): Iterable<unknown> | undefined {
  const iterator = rows[Symbol.iterator]();
  let next: IteratorResult<unknown> | undefined = iterator.next();
  if (next.done === true) return undefined;
  let isTaken = false;
  const again: IterableIterator<unknown> = {
    next() {
      room.check();
      const result = next ?? iterator.next();
      next = undefined;
      return result;
    },
    return: () => ({ done: true, value: undefined }),
    [Symbol.iterator]() {
      room.check();
      if (isTaken) {
        throw new MillraceError(
          "user-error",
          "the rows of a key can be read only once, because they stream from disk. Compute all you need in one loop, or collect them first ([...rows]) where they are sure to fit into memory",
        );
      }
      isTaken = true;
      return again;
    },
  };
  return again;
}

function refuseResult(returned: unknown): void {
  if (returned === undefined || typeof (returned as { readonly then?: unknown } | null)?.then !== "function") return;
  (returned as Promise<unknown>).then(undefined, () => {}); // what it throws would be no one's
  throw new MillraceError(
    "user-error",
    "map of a join returned a promise, and rows are not waited for: use reduce(key, rows, emit), which may be async",
  );
}

/** The task's `ctx`, with the key of the row. */
class Context implements TaskContext<unknown, never> {
  readonly given: TaskContext<unknown, never>;
  readonly params: unknown;
  readonly attempt: TaskContext<unknown, never>["attempt"];
  readonly signal: AbortSignal;
  readonly log: TaskContext<unknown, never>["log"];
  readonly count: TaskContext<unknown, never>["count"];
  readonly file: TaskContext<unknown, never>["file"];
  readonly progress: () => void;
  readonly random: () => number;
  key: unknown;

  constructor(given: TaskContext<unknown, never>) {
    this.given = given;
    this.params = given.params;
    this.attempt = given.attempt;
    this.signal = given.signal;
    this.log = given.log;
    this.count = given.count;
    this.file = given.file;
    this.progress = given.progress;
    this.random = given.random;
  }

  get startedAt(): Date {
    return this.given.startedAt;
  }
}
