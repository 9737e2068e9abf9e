// Map outputs in real files, and the worker's listener that serves them: gate and all.
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type AttemptId, attemptName } from "../../src/base/ids.ts";
import { systemClock } from "../../src/base/system/clock.ts";
import { Secret } from "../../src/base/value/secret.ts";
import { jobKey } from "../../src/rpc/access/signature.ts";
import { fixedTokens } from "../../src/rpc/access/tokens.ts";
import { Gate } from "../../src/rpc/server/gate.ts";
import type { Listener, TlsFiles } from "../../src/rpc/server/http.ts";
import { listen } from "../../src/rpc/server/listener.ts";
import { type FetchOptions, fetchSegments, type RemoteRuns } from "../../src/shuffle/client.ts";
import { type ShuffleOptions, shuffleRoutes } from "../../src/shuffle/server.ts";
import type { RunRef } from "../../src/sort/run.ts";
import { createTier, type Tier } from "../../src/tier/tier.ts";
import { reduceAttempt } from "./pairs.ts";

/** A directory of its own, as a worker's; removed after the test. */
export class TestFiles {
  readonly directory = mkdtempSync(join(tmpdir(), "millrace-shuffle-"));
  readonly tier: Tier = createTier({ memoryDirectory: undefined, memoryBytesMax: 0, diskDirectory: this.directory });

  constructor() {
    onTestFinished(() => rmSync(this.directory, { recursive: true, force: true }));
  }

  get names(): string[] {
    return readdirSync(this.directory);
  }
}

export interface TestServer extends RemoteRuns {
  readonly port: number;
  readonly listener: Listener;
}

export const workerToken = new Secret(randomBytes(32).toString("base64url"));
export const access = { key: jobKey(workerToken, "job-1"), ca: undefined, clockAheadMs: 0 };

export interface ServeOptions extends Partial<ShuffleOptions> {
  readonly port?: number;
  readonly token?: Secret;
  readonly tls?: TlsFiles;
  readonly advertise?: string;
}

export async function serveRuns(runs: readonly RunRef[], options: ServeOptions = {}): Promise<TestServer> {
  const byName = new Map(runs.map((run) => [nameOf(run.writtenBy), run]));
  const find = (attempt: AttemptId) => byName.get(nameOf(attempt));
  const listener = await listen({
    host: "127.0.0.1",
    port: options.port ?? 0,
    tls: options.tls,
    advertise: options.advertise,
    gate: new Gate({ tokens: fixedTokens({ worker: [options.token ?? workerToken] }), clock: systemClock }),
    routes: shuffleRoutes({ find, ...options }),
  });
  onTestFinished(() => listener.close(0));
  return { worker: "w", address: listener.address, port: Number(new URL(listener.address).port), listener, runs };
}

function nameOf(attempt: AttemptId): string {
  return `${attempt.job} ${attemptName(attempt)}`;
}

let attempts = 0;

/** What a reduce of partition 1 of 2 fetches, with little patience. */
export function fetching(files: TestFiles, remote: readonly RemoteRuns[], over: Partial<FetchOptions> = {}) {
  return fetchSegments({
    remote,
    access,
    partitions: 2,
    partition: 1,
    attempt: reduceAttempt(1, ++attempts),
    files: files.tier,
    clock: systemClock,
    random: () => 0,
    signal: new AbortController().signal,
    ...over,
    limits: { backOffMsMin: 1, backOffMsMax: 5, ...over.limits },
  });
}
