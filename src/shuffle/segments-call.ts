// One request to one shuffle server: sends it, hands what comes to `push`, and watches that something comes (faults 49,
// 53, 54, 56). It follows no redirects, and reads only answers of status 200 with the right type.

import { readFileSync } from "node:fs";
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, Agent as TlsAgent } from "node:https";
import { certificateTrouble } from "../base/certificate-trouble.ts";
import { MillraceError, systemCode } from "../base/error.ts";
import type { JobId } from "../base/ids.ts";
import type { Clock } from "../base/system/clock.ts";
import { digestOfBody, signRequest } from "../rpc/access/signature.ts";
import { workerLookup } from "../rpc/access/worker-address.ts";
import { TransferFault } from "./transfer-fault.ts";
import { segmentsPath, segmentsType } from "./wire.ts";
import { parseAddress } from "./worker-address.ts";

/** What fetching needs besides an address. */
export interface ShuffleAccess {
  /** The job's shuffle key: 64 hexadecimal digits. */
  readonly key: string;
  /** A PEM file of the authority that signed the workers' certificates; undefined: the system's authorities. */
  readonly ca: string | undefined;
  /** How far the master's clock is ahead of this machine's: signatures go by the master's clock. */
  readonly clockAheadMs: number;
}

export interface CallLimits {
  /** In each window of this many milliseconds at least `windowBytesMin` bytes must come. */
  readonly windowMs: number;
  readonly windowBytesMin: number;
  readonly deadlineMs: number;
}

export interface CallOptions {
  readonly job: JobId;
  readonly body: Buffer;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly limits: CallLimits;
  /** Takes a chunk, which is valid during the call. When it throws, the call ends and rejects with that. */
  readonly push: (chunk: Buffer) => void;
  /** Whether everything that was asked for has come. */
  readonly isComplete: () => boolean;
}

/** Calls to one worker, one after the other on one connection. */
export class WorkerCalls {
  readonly #agent: Agent;
  readonly #isTls: boolean;
  readonly #host: string;
  readonly #port: number;
  readonly #key: string;
  readonly #address: string;
  readonly #clockAheadMs: number;

  /** Throws a `TransferFault` where the address is not a worker's. */
  constructor(address: string, { key, ca, clockAheadMs }: ShuffleAccess) {
    const { isTls, host, port } = parseAddress(address);
    const keep = { keepAlive: true, maxSockets: 1, lookup: workerLookup };
    this.#agent = isTls
      ? new TlsAgent({ ...keep, minVersion: "TLSv1.3", ...(ca !== undefined && { ca: readAuthority(ca) }) })
      : new Agent(keep);
    this.#isTls = isTls;
    this.#host = host;
    this.#port = port;
    this.#key = key;
    this.#address = address;
    this.#clockAheadMs = clockAheadMs;
  }

  close(): void {
    this.#agent.destroy();
  }

  /**
   * Makes one call. Resolves when everything has come; rejects with a `TransferFault`, also when aborted, or with what
   * `push` throws.
   */
  async call(options: CallOptions): Promise<void> {
    const over = new AbortController();
    let bytes = 0;
    const request = this.#open(options);
    try {
      await new Promise<void>((resolve, reject) => {
        const fail = (reason: unknown) => {
          reject(reason);
          request.destroy();
        };
        if (options.signal.aborted) fail(unreachable("stopped"));
        options.signal.addEventListener("abort", () => fail(unreachable("stopped")), { signal: over.signal });
        request.on("error", (error) => fail(unreachable(reasonOf(error), error)));
        request.on("response", (response) => {
          const fault = responseFault(response);
          if (fault !== undefined) return fail(fault);
          response.on("data", (chunk: Buffer) => {
            bytes += chunk.length;
            try {
              options.push(chunk);
            } catch (error) {
              fail(error);
            }
          });
          response.on("end", () => (options.isComplete() ? resolve() : fail(short())));
          response.on("error", (error) => fail(unreachable(error.message, error)));
          response.on("close", () => fail(short()));
        });
        void watch(options, over.signal, () => bytes).then((fault) => {
          if (fault !== undefined) fail(fault);
        });
        request.end(options.body);
      });
    } finally {
      over.abort();
    }
  }

  #open({ job, body, clock }: CallOptions): ClientRequest {
    const path = segmentsPath(job);
    const asked = { method: "POST", path, query: "", address: this.#address, body: digestOfBody(body) };
    const signed = signRequest(this.#key, asked, new Date(clock.date().getTime() + this.#clockAheadMs));
    const headers = { ...signed, "content-type": segmentsType, "content-length": body.length };
    const options = { agent: this.#agent, host: this.#host, port: this.#port, method: "POST", path, headers };
    return this.#isTls ? httpsRequest(options) : httpRequest(options);
  }
}

/**
 * Words the reason. It is useless to ask again a worker whose certificate comes from an unknown authority, so the
 * person who set this worker up has to know.
 */
function reasonOf(error: Error): string {
  return certificateTrouble(systemCode(error), "start this worker with --ca FILE") ?? error.message;
}

function readAuthority(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const message = `the certificate of the workers' authority (--ca ${path}) can't be read: ${systemCode(error)}`;
    throw new MillraceError("io-error", message, { retry: "elsewhere", cause: error });
  }
}

/** Watches a call. Resolves with undefined when the call is over first. */
async function watch(
  { clock, limits }: CallOptions,
  over: AbortSignal,
  received: () => number,
): Promise<TransferFault | undefined> {
  const begun = clock.now();
  for (let before = 0; ; ) {
    await clock.sleep(limits.windowMs, over);
    // What came while this process was busy or stopped is read before the time is judged.
    await new Promise((resolve) => setImmediate(resolve));
    if (over.aborted) return undefined;
    const bytes = received();
    if (bytes - before < limits.windowBytesMin) {
      return unreachable(`${bytes - before} bytes came in ${limits.windowMs} ms`);
    }
    if (clock.now() - begun > limits.deadlineMs) return unreachable(`it takes more than ${limits.deadlineMs} ms`);
    before = bytes;
  }
}

function responseFault({ statusCode, headers }: IncomingMessage): TransferFault | undefined {
  if (statusCode === 503) return new TransferFault("busy", "it is busy");
  if (statusCode === 401 || statusCode === 403) {
    return unreachable(
      `it refuses the job's key (${statusCode}): another process may have its port, or the clocks differ`,
    );
  }
  if (statusCode !== 200 || headers["content-type"] !== segmentsType) {
    return new TransferFault("garbled", `what answers is not a worker (status ${statusCode})`);
  }
  return undefined;
}

function short(): TransferFault {
  return unreachable("the answer breaks off");
}

function unreachable(message: string, cause?: unknown): TransferFault {
  return new TransferFault("unreachable", message, cause);
}
