// I14 no leak: once all jobs are over and all is quiet, nothing of them is left on workers that are well: no attempt
// runs, no run lies about, nothing is staged, and the store has of a job what it was and how it ended.
import { parseKey } from "../../../src/protocol/records.ts";
import type { Invariant } from "../checks.ts";
import { fullName } from "../workload.ts";
import type { OracleWorld } from "../world.ts";

export class Leaks implements Invariant {
  readonly #world: OracleWorld;

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  atEnd(): void {
    const { workers, core, files, server, checks } = this.#world;
    const isKept = (job: string) => checks.ends.isKept(job);
    for (const { id, disk } of workers) {
      if (!core.has(id)) continue;
      for (const { attempt } of disk.finished())
        if (!isKept(attempt.job))
          this.#world.violate("I14", `the run of ${fullName(attempt)} is left, and its job is over`);
    }
    // What runs and stages on workers that no one reaches any more is theirs to clear.
    const leader = this.#world.masters.find(({ host }) => host === server.leader)?.life;
    for (const worker of leader?.cluster?.workers.values() ?? []) {
      if (core.has(worker.id) && worker.attempts.size > 0)
        this.#world.violate("I14", `${worker.id} has ${worker.attempts.size} attempts of jobs that are over`);
    }
    if (workers.every(({ id }) => core.has(id)))
      for (const [token, { job }] of files.unpublished)
        if (!isKept(job)) this.#world.violate("I14", `${token} is left, and its job is over`);
    for (const key of server.records.keys()) {
      const parsed = parseKey(key);
      if (parsed === undefined || parsed.kind === "drain") continue;
      if (parsed.kind !== "spec" && parsed.kind !== "ended" && parsed.kind !== "failure" && !isKept(parsed.job))
        this.#world.violate("I14", `${key} is left, and its job is over`);
    }
  }
}
