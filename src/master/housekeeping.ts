// A master's housekeeping: removes blobs that are no longer needed, and the oldest event logs.

import type { JobId } from "../base/ids.ts";
import type { Clock } from "../base/system/clock.ts";
import type { Log } from "../base/system/log.ts";
import { keys } from "../protocol/records.ts";
import type { StateStore } from "../state/store.ts";
import { jobRecord } from "../wire/stored/records.ts";
import type { DiskBlobs } from "./blobs.ts";
import type { History } from "./history.ts";
import type { Master } from "./master.ts";

const everyMs = 10 * 60_000;

export interface House {
  readonly master: Master;
  readonly store: StateStore;
  readonly blobs: DiskBlobs;
  readonly history: History;
  readonly clock: Clock;
  readonly log: Log;
}

export function keepHouse(house: House): { close(): Promise<void> } {
  const closing = new AbortController();
  const run = async () => {
    while (!closing.signal.aborted) {
      try {
        await tidy(house);
      } catch (error) {
        house.log.warn({ error: String(error) }, "clearing away has failed; it is tried again later");
      }
      await house.clock.sleep(everyMs, closing.signal);
    }
  };
  const running = run();
  return {
    async close() {
      closing.abort();
      await running;
    },
  };
}

/** Tidies up once. A failed job may be retried, so its blobs stay as long as the job is known. */
export async function tidy({ master, store, blobs, history, log }: House): Promise<void> {
  const { jobs } = master.view();
  const known = new Set<JobId>(jobs.map(({ job }) => job));
  const needed = new Set<string>();
  for (const { job, state } of jobs) {
    if (state === "succeeded" || state === "cancelled") continue;
    for (const sha256 of await blobsOf(store, job)) needed.add(sha256);
  }
  const removed = await blobs.sweep((sha256) => needed.has(sha256));
  if (removed.length > 0) log.info({ blobs: removed.length }, "blobs that no job needs any more were removed");
  await history.sweep((job) => known.has(job));
}

/** The blobs of a job. Its spec is read from the store, as the master does not keep the specs of all jobs in memory. */
async function blobsOf(store: StateStore, job: JobId): Promise<readonly string[]> {
  for await (const { key, value } of store.scan(keys.spec(job))) {
    if (key !== keys.spec(job)) continue;
    const { spec } = jobRecord.decode(value);
    return [spec.bundle, ...spec.files.map(({ sha256 }) => sha256)];
  }
  return [];
}
