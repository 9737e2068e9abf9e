// I1 exactly once: what a decided job publishes has every record once, and the parts are exactly those there must be.
// I2 continuity: published bytes never change. I7 consistent read: each reduce that counts read what the winner of
// each map emitted. I8: and nothing that was damaged or of another attempt. I15: counters are those of the winners
// alone.
import { attemptName, type JobId, sameAttempt } from "../../../src/base/ids.ts";
import { keys, parseKey } from "../../../src/protocol/records.ts";
import type { Change } from "../../../src/state/store.ts";
import type { CommitDecision } from "../../../src/storage/storage.ts";
import { decodeDecision } from "../../../src/wire/stored/commit.ts";
import { planRecord, taskRecord } from "../../../src/wire/stored/records.ts";
import type { Invariant } from "../checks.ts";
import { emit, expectedIds, fullName, type PartContent, type SimJob } from "../workload.ts";
import type { OracleWorld } from "../world.ts";

export class Output implements Invariant {
  readonly #world: OracleWorld;

  constructor(world: OracleWorld) {
    this.#world = world;
  }

  stored(change: Change): void {
    if (!("put" in change)) return;
    const parsed = parseKey(change.put.key);
    if (parsed?.kind === "plan-valid") planRecord.decode(change.put.value);
    if (parsed?.kind === "decision") this.#decided(this.#world.jobOf(parsed.job), decodeDecision(change.put.value));
  }

  visible(destination: string, job: JobId, name: string): void {
    const { files, checks } = this.#world;
    const output = files.published.get(destination)!;
    if (output.manifest !== undefined && name !== "_SUCCESS")
      this.#world.violate("I2", `${name} appeared in ${destination} after _SUCCESS`);
    if (output.job !== job) this.#world.violate("I2", `${name} of ${job} appeared in the output of ${output.job}`);
    if (name !== "_SUCCESS") return;
    const decision = checks.ends.decisions.get(job);
    const decided = new Set(decision?.files.map((file) => file.name));
    for (const there of output.files.keys())
      if (!decided.has(there)) this.#world.violate("I1", `${there} is published and was not decided`);
    for (const { name: file, token } of decision?.files ?? []) {
      const content = output.files.get(file);
      if (content === undefined) this.#world.violate("I1", `${file} was decided and is not published`);
      else if (!token.includes(attemptName(content.attempt)))
        this.#world.violate("I1", `${file} is not the file that was decided`);
    }
  }

  #decided(job: SimJob, decision: CommitDecision): void {
    const { files, server } = this.#world;
    const names = decision.files.map(({ name }) => name).join();
    const expected =
      job.partitions === 0
        ? Array.from({ length: job.maps }, (_, index) => `part-m-${String(index).padStart(5, "0")}.txt`)
        : Array.from({ length: job.partitions }, (_, index) => `part-${String(index).padStart(5, "0")}.txt`);
    if (names !== expected.join()) {
      this.#world.violate("I1", `${job.spec.name} is to publish ${names || "nothing"}`);
      return;
    }
    const parts: PartContent[] = [];
    for (const { name, token } of decision.files) {
      const content = files.written.get(token);
      const lostAt = files.lostAt.get(token) ?? Number.NEGATIVE_INFINITY;
      const isMissed = !files.has(token) && lostAt < (files.lookedAt.get(job.id) ?? Number.POSITIVE_INFINITY);
      if (content === undefined || isMissed) {
        this.#world.violate("I1", `${name} is decided, and was not staged when it was looked for (${token})`);
        return;
      }
      parts.push(content);
    }
    const skipped = new Set<string>();
    for (let map = 0; map < job.maps; map++) {
      const bytes = server.records.get(keys.task(job.id, "map", map));
      const winner = bytes === undefined ? undefined : taskRecord.decode(bytes).winner;
      if (winner === undefined) {
        this.#world.violate("I1", `map ${map} has no winner, and its job is decided`);
        return;
      }
      for (const { file, offset } of winner.deadLetters) skipped.add(`${file}.${offset / 10}`);
      if (job.partitions > 0) {
        for (const part of parts) {
          const read = part.consumed[map];
          if (read?.digest !== winner.emissionDigest)
            this.#world.violate(
              "I7",
              `${fullName(part.attempt)} read ${read === undefined ? "nothing" : fullName(read.map)} of map ${map}, whose winner is ${fullName(winner.attempt)}`,
            );
        }
      } else if (!sameAttempt(parts[map]!.attempt, winner.attempt)) {
        this.#world.violate("I1", `the file of map ${map} is not its winner's`);
      }
    }
    if (skipped.size > job.spec.skipBad)
      this.#world.violate("I10", `${job.spec.name} puts ${skipped.size} records aside, of ${job.spec.skipBad}`);
    this.#checkRecords(job, parts, skipped);
    this.#checkCounters(job, decision, skipped);
  }

  #checkRecords(job: SimJob, parts: readonly PartContent[], skipped: ReadonlySet<string>): void {
    const counts = new Map<string, number>();
    for (const { ids } of parts) for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
    for (const id of expectedIds(job)) {
      const count = counts.get(id) ?? 0;
      const must = skipped.has(id) ? 0 : 1;
      if (count !== must) this.#world.violate("I1", `${job.spec.name} has record ${id} ${count} times, not ${must}`);
    }
    // What reduces read is what the map attempt that they name emitted, in order.
    for (const part of parts) {
      const emitted = part.consumed.flatMap(({ map }) => emit(job, map, skipped).partitions[part.attempt.index] ?? []);
      if (part.consumed.length > 0 && emitted.join() !== part.ids.join())
        this.#world.violate("I8", `${fullName(part.attempt)} did not write what it must have read`);
    }
  }

  #checkCounters(job: SimJob, { manifest }: CommitDecision, skipped: ReadonlySet<string>): void {
    const { counters } = JSON.parse(new TextDecoder().decode(manifest)) as { counters: Record<string, number> };
    const must = expectedIds(job).length - skipped.size;
    for (const name of job.partitions === 0 ? ["records"] : ["records", "written"])
      if ((counters[name] ?? 0) !== must)
        this.#world.violate("I15", `${job.spec.name} counts ${counters[name]} ${name}, not ${must}`);
  }
}
