// What is the same for every attempt that runs user code: parameters, counters, the status page, and `setup` and
// `teardown` around the rest.
import type { Counters } from "../../base/ids.ts";
import { readParams } from "../../job/params/read.ts";
import type { Assignment } from "../../protocol/messages.ts";
import type { TaskEnvironment } from "../environment.ts";
import { isA, type TaskFailure, userFailure } from "../failure.ts";
import { StatusReport } from "../status-report.ts";
import { Context, type ContextBase, type ContextScope, contextBase, hashText } from "./context.ts";
import { CounterTotals, PendingCounts } from "./counters.ts";
import { LateCalls } from "./late-calls.ts";
import { IteratorReturned, isIterator, Returned } from "./returned.ts";

/** What a task needs of its assignment and environment; a test or an inline run has no more. */
export type TaskFrame = Pick<Assignment, "attempt" | "spec" | "careful">;
export type UserEnvironment = Pick<
  TaskEnvironment,
  "job" | "status" | "signal" | "log" | "file" | "late" | "settingUp"
>;

export class UserTask {
  readonly status: StatusReport;
  readonly totals = new CounterTotals();
  readonly returned: Returned;
  readonly base: ContextBase;
  readonly #env: UserEnvironment;
  /** The scope of `setup` and `teardown`; code that keeps their `ctx` may count with it until the attempt ends. */
  readonly #scope: ContextScope;
  readonly #ctx: unknown;
  /** What `setup` itself has counted. */
  #countedBySetup: ReadonlyMap<string, number | bigint> = new Map();

  /** Throws `wrong-params`. */
  constructor(frame: TaskFrame, env: UserEnvironment) {
    this.#env = env;
    this.status = new StatusReport(env.status, frame.careful);
    const params = readParams(env.job.params, frame.spec.paramsValue);
    this.base = contextBase(frame, env, params, this.status.touch, env.late ?? new LateCalls());
    const { phase, index } = frame.attempt;
    this.returned = new Returned(phase === "reduce" ? "reduce" : "map");
    this.#scope = {
      source: "",
      offset: 0,
      serial: 0,
      stream: () => hashText(`${phase}-${index}`),
      state: undefined,
      counts: new PendingCounts(this.totals),
      dirty: false,
      of: { name: "setup", code: [env.job.setup, env.job.teardown].filter((code) => code !== undefined) },
      call: "open",
    };
    this.#ctx = new Context(this.base, this.#scope);
  }

  /**
   * Runs `setup`, `body` with the state that it made, and `teardown`, which also runs when the body failed and never
   * hides why. Throws a `TaskFailure` for what setup or teardown throw.
   */
  async run<T>(body: (state: unknown) => Promise<T>): Promise<T> {
    const { setup } = this.#env.job;
    this.status.phase("setup");
    this.base.late.during = { name: "setup", code: setup === undefined ? [] : [setup] };
    try {
      if (setup !== undefined) this.#scope.state = await this.#settingUp(async () => await setup(this.#ctx));
    } catch (thrown) {
      throw userFailure(thrown, { where: "setup" });
    }
    this.#countedBySetup = new Map(this.#scope.counts.pending);
    let result: T;
    try {
      result = await body(this.#scope.state);
    } catch (thrown) {
      this.base.late.void();
      await this.#teardown().catch((second: TaskFailure) =>
        this.#env.log(`teardown failed too: ${second.message}`, undefined),
      );
      throw thrown;
    }
    await this.#teardown();
    return result;
  }

  /**
   * What was counted so far, without what `setup` has counted: it runs again where another attempt goes on from here.
   * Throws `over-limit` for a total that can't be carried.
   */
  countedSinceSetup(): Counters {
    const totals = this.totals.copy();
    for (const [name, n] of this.#scope.counts.pending) {
      totals.add(name, n);
      const before = this.#countedBySetup.get(name);
      if (before !== undefined) totals.add(name, -before);
    }
    return totals.report();
  }

  /** Makes the counts of `setup` and `teardown` count; nothing may be counted any more. */
  end(): void {
    this.#scope.counts.commit();
    this.#scope.call = "ended";
  }

  #settingUp(work: () => Promise<unknown>): Promise<unknown> {
    return this.#env.settingUp === undefined ? work() : this.#env.settingUp(work);
  }

  async #teardown(): Promise<void> {
    const { teardown } = this.#env.job;
    if (teardown === undefined) return;
    this.status.phase("teardown");
    this.base.late.during = { name: "setup", code: [teardown] };
    try {
      const returned: unknown = await teardown(this.#ctx);
      if (typeof returned === "object" && returned !== null && isIterator(returned))
        throw new IteratorReturned("teardown");
    } catch (thrown) {
      throw userFailure(thrown, { where: "teardown", final: isA(thrown, IteratorReturned) });
    }
  }
}
