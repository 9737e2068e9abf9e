// Finds out whether anything that the job's code has started still goes on in this process, once no call of that code
// is under way.
//
// Node tells: where nothing is left that could call back, it emits `beforeExit`; where something keeps the process, it
// does not. Nothing else sees all kinds of work: `process.getActiveResourcesInfo` shows neither zlib nor crypto nor
// WebAssembly. So, for as long as it takes, our own handles are let go (`unref`), and so are connections and intervals
// that the job's module and its setup have opened to keep. Whatever was waited for in vain is let go too, because it
// would hide what threads still compute.
import { createHook } from "node:async_hooks";
import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { type Handle, isHandle, letGoOfHandles, letGoOfTimers } from "./active-handles.ts";

export class UserWork {
  readonly #ours: Pick<Handle, "ref" | "unref">;
  /** Handles that the module or setup opened. */
  readonly #kept = new Set<WeakRef<Handle>>();
  /** Kinds of resources that were waited for until the limit. */
  readonly #known = new Set<string>();
  #isIdle: (() => void) | undefined;
  #interrupt: (() => void) | undefined;
  /**
   * Whether the first setup left something open: otherwise later ones are not watched, which would make their promises
   * slower.
   */
  #setupKeeps: boolean | undefined;
  readonly #watch = createHook({ init: (_, type, __, resource) => this.#opened(type, resource) });

  /** `ours` keeps the process alive while it waits for work. */
  constructor(ours: Pick<Handle, "ref" | "unref">) {
    this.#ours = ours;
    // They keep no process alive, as nothing comes from them, but Node would name them among the things that do.
    for (const stream of [process.stdout, process.stderr] as readonly { unref?(): unknown }[]) stream.unref?.();
    const { emit } = process;
    const user = emit as (this: NodeJS.Process, ...values: unknown[]) => boolean;
    // The job's own listeners are not called while this waits: to them this process has not come to its end.
    process.emit = ((...values: unknown[]) => {
      if (values[0] !== "beforeExit" || this.#isIdle === undefined) return user.apply(process, values);
      this.#isIdle();
      return true;
    }) as typeof emit;
  }

  /** Runs `work`, which loads the module. What it opens is meant to stay open. */
  async loading<T>(work: () => Promise<T>): Promise<T> {
    this.#watch.enable();
    try {
      return await work();
    } finally {
      this.#watch.disable();
    }
  }

  /** Runs `work`, which is setup. What it opens is meant to stay open. */
  async settingUp<T>(work: () => Promise<T>): Promise<T> {
    if (this.#setupKeeps === false) return await work();
    const before = this.#kept.size;
    const result = await this.loading(work);
    this.#setupKeeps ??= this.#kept.size > before;
    return result;
  }

  /**
   * Resolves when nothing goes on any more, or after `limits.settleMs`, with the kinds of what is left then, as Node
   * names them. Kinds that were left before are not waited for again, except for a moment with `isLast`, and not named
   * again. One call at a time: what is under way is to be interrupted first.
   */
  async over(isLast: boolean): Promise<readonly string[]> {
    assert(this.#interrupt === undefined, "what was left is looked for once at a time");
    const begun = performance.now();
    const grace = this.#known.size > 0 && isLast ? limits.settleGraceMs : 0;
    const kept = this.#letGo();
    const left: string[] = [];
    let keepTimers = () => {};
    let isIdle = false;
    let isInterrupted = false;
    const interrupted = new Promise<void>((resolve) => {
      this.#interrupt = () => {
        isInterrupted = true;
        this.#interrupt = undefined;
        this.#isIdle = undefined;
        this.#keep(kept);
        keepTimers();
        resolve();
      };
    });
    const idle = new Promise<void>((resolve) => {
      this.#isIdle = () => {
        isIdle = true;
        this.#isIdle = undefined;
        this.#keep(kept);
        keepTimers();
        setImmediate(resolve); // which keeps the process until it continues
      };
    });
    // Used while something keeps the process: then things that do not keep it themselves are called too.
    const turn = (ms: number) =>
      new Promise<void>((resolve) => (ms === 0 ? setImmediate(resolve) : setTimeout(resolve, ms)).unref());
    for (let ms = 0; ; ms = limits.settleTurnMs) {
      await Promise.race([idle, interrupted, turn(ms)]);
      const waited = performance.now() - begun;
      if (isInterrupted) return left;
      if (isIdle) {
        await Promise.race([idle, interrupted]);
        this.#interrupt = undefined;
        return left;
      }
      keepTimers();
      const active = new Set(process.getActiveResourcesInfo());
      // Node shows nothing, but is not idle: a thread computes (zlib, crypto), and that ends by itself, however long it
      // takes here.
      if (active.size === 0) continue;
      const isKnown = this.#known.size > 0 && [...active].every((kind) => this.#known.has(kind));
      if ((!isKnown || waited < grace) && waited < limits.settleMs) continue;
      for (const kind of active) {
        if (this.#known.has(kind)) continue;
        this.#known.add(kind);
        left.push(kind);
      }
      kept.push(...letGoOfHandles());
      keepTimers = letGoOfTimers();
      if (process.getActiveResourcesInfo().length === 0) continue;
      keepTimers();
      // A request that does not end, such as reading a pipe: what threads compute can't be told from it.
      this.#isIdle = undefined;
      this.#interrupt = undefined;
      this.#keep(kept);
      return left;
    }
  }

  /**
   * Ends a call of `over` that is under way, because code of the job is called again. It would take that code's own
   * connections and timers for what earlier calls have left, let go of them, and so end the process.
   */
  interrupt(): void {
    this.#interrupt?.();
  }

  #letGo(): Handle[] {
    const kept: Handle[] = [];
    for (const weak of this.#kept) {
      const handle = weak.deref();
      if (handle === undefined) this.#kept.delete(weak);
      else if (handle.hasRef() === true) {
        handle.unref();
        kept.push(handle);
      }
    }
    this.#ours.unref();
    return kept;
  }

  #keep(kept: readonly Handle[]): void {
    this.#ours.ref();
    for (const handle of kept) handle.ref();
  }

  /** A one-time timer is waited for, wherever it was made; so is a request, which is no handle. */
  #opened(type: string, resource: object): void {
    if (type === "PROMISE" || !isHandle(resource)) return;
    if (type === "Immediate" || (type === "Timeout" && (resource as { _repeat?: unknown })._repeat === null)) return;
    this.#kept.add(new WeakRef(resource));
  }
}
