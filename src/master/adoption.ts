// Before a new master gives out tasks, it waits until the workers of its predecessor have said what they run. Otherwise
// the first worker to ask would get what another is in the middle of (fault 46). The store has a record of each worker
// that was there; a silent one is waited for no longer than a lease.
import type { Instant, WorkerId } from "../base/ids.ts";
import type { WorkerReport } from "../protocol/messages.ts";
import type { Fact } from "../schedule/facts.ts";
import type { Change, StoredRecord } from "../state/store.ts";

const prefix = "present/";

/** The workers that are present, as the store knows them. A record too many only costs the next master a lease. */
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

  /** The changes to store when a worker is heard. Called for each report. */
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

/** The time from recovery until every worker has been heard, or a lease is over. */
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

  /** The report as it counts meanwhile: it says what runs and what is done, but offers no free slots. */
  heard(report: WorkerReport): WorkerReport {
    this.#missing.delete(report.worker);
    return { ...report, slotsFree: 0, slotsAhead: 0 };
  }
}

function keyOf(worker: WorkerId): string {
  return prefix + encodeURIComponent(worker);
}
