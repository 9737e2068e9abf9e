// What the oracle's attempts write to a worker's disk: a run whose content is known record by record.
import type { AttemptId } from "../../src/base/ids.ts";
import { attemptName } from "../../src/base/ids.ts";
import type { Disk, Offer, OnDisk } from "../../src/sim/disk.ts";
import type { RunRef } from "../../src/sort/run.ts";
import type { RunContent } from "./workload.ts";

export class OracleRun implements OnDisk {
  readonly ref: RunRef;
  readonly content: RunContent;
  readonly isFinished = true;
  /** A bit of it was flipped: its checks fail. */
  isDamaged = false;

  constructor(content: RunContent, worker: string) {
    const { attempt } = content;
    const pairs = content.partitions.reduce((sum, ids) => sum + ids.length, 0);
    const path = `/runs/${worker}/${attempt.job}/${attemptName(attempt)}.run`;
    this.ref = { writtenBy: attempt, path, bytes: 100 + pairs * 10, pairs };
    this.content = content;
  }

  get attempt(): AttemptId {
    return this.content.attempt;
  }

  damage(): void {
    this.isDamaged = true;
  }

  /** Only footers are verified (worker/disk/offered.ts), so damage within goes unnoticed here. */
  offer(): Offer {
    return { run: this.ref, emissionDigest: this.content.emissionDigest };
  }
}

export function runOn(disk: Disk, attempt: AttemptId): OracleRun | undefined {
  const found = disk.find(attempt);
  return found instanceof OracleRun ? found : undefined;
}
