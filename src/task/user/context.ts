// `ctx`: what user code may ask of its task. Its functions work without `ctx` in front (`{ count }` in a parameter
// list). Its getters read what the task updates from record to record, so that one object serves all records of a
// synchronous map.
import { MillraceError } from "../../base/error.ts";
import type { AttemptId } from "../../base/ids.ts";
import { seededRandom } from "../../base/system/random.ts";
import type { Assignment } from "../../protocol/messages.ts";
import type { TaskEnvironment } from "../environment.ts";
import type { PendingCounts } from "./counters.ts";
import type { CallOf, LateCalls } from "./late-calls.ts";

/** What is the same for all contexts of an attempt. */
export interface ContextBase {
  readonly params: unknown;
  readonly attempt: AttemptId;
  readonly signal: AbortSignal;
  readonly startedAtMs: number;
  /** A hash of job name and bundle: two jobs draw different numbers, a retry the same. */
  readonly seed: number;
  // Functions that user code may take on their own (`{ log }` in a parameter list).
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly file: (name: string) => string;
  readonly progress: () => void;
  readonly late: LateCalls;
}

/** What a context is about now; its owner updates it. */
export interface ContextScope {
  /** The path of the record's file; "" where there is no record. */
  source: string;
  offset: number;
  state: unknown;
  /** Counts the records or keys: each draws other numbers. */
  serial: number;
  /**
   * Seeds `random()` beside job and offset: a hash of the record's file, the task or the key. Asked only when numbers
   * are drawn.
   */
  stream: () => number;
  readonly counts: PendingCounts;
  /** Whether something was counted since the owner last looked. */
  dirty: boolean;
  readonly of: CallOf;
  /**
   * The state of the call of user code that this was made for. What a failed call does counts for nothing, and is no
   * loss.
   */
  call: "open" | "ended" | "failed";
}

export function contextBase(
  assignment: Pick<Assignment, "attempt" | "spec">,
  env: Pick<TaskEnvironment, "job" | "signal" | "log" | "file">,
  params: unknown,
  progress: () => void,
  late: LateCalls,
): ContextBase {
  const startedAtMs = Date.parse(assignment.spec.startedAt);
  return {
    params,
    attempt: assignment.attempt,
    signal: env.signal,
    startedAtMs,
    seed: hashText(`${assignment.spec.name}\n${assignment.spec.bundle}`),
    log: (message, fields) => env.log(String(message), fields),
    file: (name) => {
      if (env.job.files.has(name)) return env.file(name);
      const names = [...env.job.files.keys()];
      const known = names.length === 0 ? "it has none" : `it has ${names.join(", ")}`;
      throw new MillraceError(
        "user-error",
        `ctx.file(${JSON.stringify(name)}): the job has no such side file, ${known}`,
      );
    },
    progress,
    late,
  };
}

/**
 * One is made per record where map returns promises, so what does not depend on the record is made once, in the base.
 */
export class Context {
  readonly params: unknown;
  readonly attempt: AttemptId;
  readonly signal: AbortSignal;
  readonly log: ContextBase["log"];
  readonly file: ContextBase["file"];
  readonly progress: ContextBase["progress"];
  readonly count: (name: string, n?: number) => void;
  readonly random: () => number;
  readonly #base: ContextBase;
  readonly #scope: ContextScope;
  #draw: (() => number) | undefined;
  #drawSerial = 0;

  constructor(base: ContextBase, scope: ContextScope) {
    this.#base = base;
    this.#scope = scope;
    this.params = base.params;
    this.attempt = base.attempt;
    this.signal = base.signal;
    this.file = base.file;
    this.log = (message, fields) => this.#log(message, fields);
    this.progress = () => {
      if (this.#scope.call === "open") this.#base.progress(); // later it would be a sign of life of another attempt
    };
    this.count = (name, n = 1) => this.#count(name, n);
    this.random = () => this.#random();
  }

  /** A new one each time, as user code may change the one it got. */
  get startedAt(): Date {
    return new Date(this.#base.startedAtMs);
  }

  get state(): unknown {
    return this.#scope.state;
  }

  get source(): string {
    return this.#scope.source;
  }

  get offset(): number {
    return this.#scope.offset;
  }

  #count(name: string, n: number): void {
    const scope = this.#scope;
    if (scope.call !== "open") this.#late(`ctx.count(${JSON.stringify(name)}) was called`);
    scope.dirty = true;
    scope.counts.add(name, n);
  }

  /**
   * What is open for as long as the slot lives may keep the `ctx` of setup, such as a connection that logs that it is
   * closed.
   */
  #log(...line: Parameters<ContextBase["log"]>): void {
    const { call, of } = this.#scope;
    if (call !== "open" && of.name !== "setup") this.#late("ctx.log was called");
    this.#base.log(...line);
  }

  #late(what: string): never {
    const { call, of } = this.#scope;
    return this.#base.late.refuse(what, of, call === "failed");
  }

  #random(): number {
    const scope = this.#scope;
    if (this.#draw === undefined || this.#drawSerial !== scope.serial) {
      this.#drawSerial = scope.serial;
      this.#draw = seededRandom(this.#base.seed ^ scope.stream(), hashOffset(scope.offset));
    }
    return this.#draw();
  }
}

/** 32 bits of a text: FNV-1a over its UTF-16 units. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}

/** 32 bits of bytes: FNV-1a. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash | 0;
}

function hashOffset(offset: number): number {
  const high = Math.floor(offset / 0x100000000);
  return Math.imul((offset >>> 0) ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b) | 0;
}
