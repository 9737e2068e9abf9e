// What a new master waits for before it gives out tasks: that the workers of its predecessor have said what they run. Who asks
// first would otherwise get what another is in the middle of (fault 46). Which workers there were is noted in the store, one
// record each; whoever of them is silent is waited for no longer than a lease.
import type { Instant, WorkerId } from "../base/ids.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import type { Fact } from "../schedule/facts.ts";
import type { Change, StoredRecord } from "../state/store.ts";

const prefix = "present/";

/** The workers that are heard of, as the store knows them. A record too many costs the next master a lease, and nothing else. */
export class Presence {
  readonly #known: Set<WorkerId>;

  constructor(records: readonly StoredRecord[]) {
    this.#known = new Set(
      records
        .filter(({ key }) => key.startsWith(prefix))
        .map(({ key }) => decodeURIComponent(key.slice(prefix.length))),
    );
  }

  get known(): ReadonlySet<WorkerId> {
    return this.#known;
  }

  /** What to store for it. */
  heard(worker: WorkerId): readonly Change[] {
    if (this.#known.has(worker)) return [];
    this.#known.add(worker);
    return [{ put: { key: keyOf(worker), value: new Uint8Array() } }];
  }

  noted(facts: readonly Fact[]): readonly Change[] {
    return facts.flatMap((fact): Change[] => {
      if (fact.kind !== "worker-silent" && fact.kind !== "worker-forgotten") return [];
      return this.#known.delete(fact.worker) ? [{ delete: keyOf(fact.worker) }] : [];
    });
  }
}

/** From recovery until every worker has been heard, or the time is up. */
export class Adoption {
  readonly until: Instant;
  readonly #missing: Set<WorkerId>;

  constructor(workers: Iterable<WorkerId>, until: Instant) {
    this.until = until;
    this.#missing = new Set(workers);
  }

  isOver(now: Instant): boolean {
    return this.#missing.size === 0 || now >= this.until;
  }

  /** The report as it counts meanwhile: for what runs and what is done, not for what is free. */
  heard(report: WorkerReport): WorkerReport {
    this.#missing.delete(report.worker);
    return { ...report, slotsFree: 0, slotsAhead: 0 };
  }
}

function keyOf(worker: WorkerId): string {
  return prefix + encodeURIComponent(worker);
}
