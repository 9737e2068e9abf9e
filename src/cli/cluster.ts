// Shared by the commands that ask a master something: the connection, and names cut short.

import { MillraceError } from "../base/error.ts";
import type { WorkerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { RemoteMaster } from "../protocol/services.ts";
import type { JobView } from "../protocol/view.ts";
import { tell } from "./loading.ts";
import type { MasterFlags } from "./options.ts";
import { shortId } from "./screen/hints.ts";

/** Connects, does the work, and closes the connection. `told` takes a sentence that stays on the screen. */
export async function withMaster<T>(
  flags: MasterFlags,
  work: (master: RemoteMaster) => Promise<T>,
  told: (warning: string) => void = (warning) => tellOnStderr(warning, flags),
): Promise<T> {
  const { connectTo } = await import("../engine/remote/connect.ts");
  const onConnection = (state: "lost" | "back", why: string) => told(connectionText(state, why));
  const master = await connectTo({ address: flags.master, tokenFile: flags.tokenFile, ca: flags.ca, onConnection });
  try {
    return await work(master);
  } finally {
    master.close();
  }
}

export function connectionText(state: "lost" | "back", why: string): string {
  return state === "lost" ? `${why}; trying again` : "the master answers again";
}

export function tellOnStderr(warning: string, { json }: MasterFlags): void {
  tell(warning, json);
}

/** The one job whose id begins with `start`, with all that is known of it. */
export async function findJob(master: RemoteMaster, start: string): Promise<JobView> {
  const { jobs } = await master.view();
  const { job: id } = theOne(
    jobs.filter(({ job }) => job.startsWith(start)),
    { noun: "job", start, listed: "millrace jobs", idOf: ({ job, name }) => `${shortId(job)} (${name})` },
    ({ job }) => job === start,
  );
  return await master.get(id);
}

export async function findWorker(master: RemoteMaster, start: string): Promise<WorkerId> {
  const { workers } = await master.view();
  const found = theOne(
    workers.filter(({ id }) => id.startsWith(start)),
    { noun: "worker", start, listed: "millrace workers", idOf: ({ id }) => id },
    ({ id }) => id === start,
  );
  return found.id;
}

interface Names<T> {
  readonly noun: string;
  readonly start: string;
  readonly listed: string;
  readonly idOf: (found: T) => string;
}

export function theOne<T>(found: readonly T[], names: Names<T>, isExact: (found: T) => boolean): T {
  const { noun, start, listed, idOf } = names;
  const exact = found.find(isExact);
  if (exact !== undefined) return exact;
  if (found.length === 1) return found[0]!;
  if (found.length === 0) {
    throw new MillraceError(
      "wrong-usage",
      `no ${noun} has an id that begins with ${JSON.stringify(start)}: ${listed} lists them`,
    );
  }
  const more = found.length > limits.namedMax ? `, and ${found.length - limits.namedMax} more` : "";
  throw new MillraceError(
    "wrong-usage",
    `${found.length} ${noun}s have ids that begin with ${JSON.stringify(start)}: ${found.slice(0, limits.namedMax).map(idOf).join(", ")}${more}. Give more of it`,
  );
}
