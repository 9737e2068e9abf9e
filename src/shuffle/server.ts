// The serving side of the shuffle: a worker's agent hands out segments of the runs that lie on it (docs/shuffle.md).
// Bytes go unchanged from file to socket; the fetching side checks them. Nothing here blocks the process. A request
// holds two buffers and a few small segments, however much it asks for and however slowly its answer is read.
import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import { MillraceError } from "../base/error.ts";
import type { AttemptId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { type Clock, systemClock } from "../base/system/clock.ts";
import type { HttpRequest, HttpRoute } from "../rpc/server/http.ts";
import type { RunRef } from "../sort/run.ts";
import { BodyWriter } from "./body-writer.ts";
import { FooterCache, readLater } from "./footer-cache.ts";
import { ServedFile } from "./served-file.ts";
import {
  noPartition,
  noSegment,
  parseRequest,
  requestBytesMax,
  type SegmentHeader,
  type SegmentsRequest,
  segmentsType,
  wholeRun,
  writeSegmentHeader,
} from "./wire.ts";

export interface ShuffleOptions {
  /** The run of a map attempt that lies here; it has been verified if an earlier process wrote it. */
  readonly find: (attempt: AttemptId) => RunRef | undefined;
  /**
   * Returns false while `find` does not know yet what an earlier process left here. Clients are then told to come back,
   * because "missing" would make maps run again. Default: always true.
   */
  readonly isReady?: () => boolean;
  /** Default: the system's clock. */
  readonly clock?: Clock;
  /** Called with the number of bytes that were sent, for metrics. */
  readonly onSent?: (bytes: number) => void;
  /**
   * Defaults are in `limits`: servedFetchesMax, serveStallMs, serveBufferBytes, footerCacheBytes, copyBytesPerSecond.
   */
  readonly servedMax?: number;
  readonly stallMs?: number;
  readonly bufferBytes?: number;
  readonly footerCacheBytes?: number;
  readonly copyBytesPerSecond?: number;
}

/** What a map's answer begins with, and where the rest comes from. */
interface Prepared {
  readonly map: AttemptId;
  readonly header: SegmentHeader;
  /**
   * The part that was asked for: its bytes, or the file that has them at `position`. Whoever takes it closes the file.
   */
  readonly small?: Buffer;
  readonly file?: ServedFile;
  readonly position?: number;
  readonly bytes: number;
}

/** The routes of one worker, for its listener. The gate in front has checked the signature (scope "job-key"). */
export function shuffleRoutes(options: ShuffleOptions): HttpRoute[] {
  const server = new ShuffleServer(options);
  return [
    {
      method: "POST",
      path: "/v1/segments/:job",
      scope: "job-key",
      bodyBytesMax: requestBytesMax,
      handle: (request, response) => server.handle(request, response),
    },
  ];
}

class ShuffleServer {
  readonly #options: ShuffleOptions;
  readonly #clock: Clock;
  readonly #footers: FooterCache;
  #serving = 0;
  /** When what was sent of whole runs is paid for, at the rate that they may take. */
  #copiesPaidAt = 0;

  constructor(options: ShuffleOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#footers = new FooterCache(options.footerCacheBytes ?? limits.footerCacheBytes);
  }

  /** Never rejects: after the headers were sent, a failure can only be told by breaking off. */
  async handle({ raw, params, signal }: HttpRequest, response: ServerResponse | Http2ServerResponse): Promise<void> {
    if (this.#options.isReady?.() === false) {
      refuse(response, 503, "this worker has just started and looks for its runs");
      return;
    }
    if (this.#serving >= (this.#options.servedMax ?? limits.servedFetchesMax)) {
      refuse(response, 503, "as many requests as this worker serves at once are under way");
      return;
    }
    this.#serving++;
    try {
      const body = await readBody(raw, this.#clock, this.#options.stallMs ?? limits.serveStallMs);
      const request = body && parseRequest(params["job"] ?? "", body);
      if (request === undefined) {
        refuse(response, body === undefined ? 413 : 400, "this is not a request for segments of version 1");
        return;
      }
      await this.#answer(request, response, signal);
    } catch {
      // The client is gone, or a file can't be opened for now (too many are open): the client comes again.
      if (response.headersSent) response.destroy();
      else refuse(response, 503, "the segments can't be read now");
    } finally {
      this.#serving--;
    }
  }

  async #answer(
    request: SegmentsRequest,
    response: ServerResponse | Http2ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const { maps, partition } = request;
    const bufferBytes = this.#options.bufferBytes ?? limits.serveBufferBytes;
    const stallMs = this.#options.stallMs ?? limits.serveStallMs;
    const ahead: Promise<Prepared>[] = [];
    let next = 0;
    const prepareMore = () => {
      for (; next < maps.length && ahead.length < limits.serveAhead; next++) {
        const prepared = this.#prepare(maps[next]!, partition, next === 0 ? request.from : 0);
        prepared.catch(() => {}); // thrown when its turn comes
        ahead.push(prepared);
      }
    };
    try {
      prepareMore();
      // A failure of this machine with the first map's file can still be told by a status.
      await ahead[0];
      response.writeHead(200, { "content-type": segmentsType, "cache-control": "no-store" });
      const body = new BodyWriter(response, { clock: this.#clock, stallMs, bufferBytes });
      for (let taken = ahead.shift(); taken !== undefined; taken = ahead.shift()) {
        const prepared = await taken;
        try {
          prepareMore();
          await this.#send(prepared, partition, body, signal);
        } finally {
          await prepared.file?.close();
        }
      }
      await body.end();
    } finally {
      for (const left of await Promise.allSettled(ahead)) {
        if (left.status === "fulfilled") await left.value.file?.close();
      }
    }
  }

  async #send(prepared: Prepared, partition: number, body: BodyWriter, signal: AbortSignal): Promise<void> {
    const { map, header, small, file, position = 0, bytes } = prepared;
    await body.append(writeSegmentHeader(map, partition, header));
    if (small !== undefined) await body.append(small);
    for (let sent = 0; file !== undefined && sent < bytes; ) {
      if (signal.aborted) throw new Error("the connection is gone");
      const { buffer, start, end } = await body.room(Math.min(bytes - sent, limits.serveSmallBytes));
      const length = Math.min(end - start, bytes - sent);
      await file.read(buffer, start, length, position + sent);
      body.add(length);
      sent += length;
      if (partition === wholeRun) await this.#payForCopy(length, signal);
    }
    this.#options.onSent?.(bytes);
  }

  /** Bounds what all copies take together, as reduces fetch from here too. */
  async #payForCopy(bytes: number, signal: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const rate = this.#options.copyBytesPerSecond ?? limits.copyBytesPerSecond;
    this.#copiesPaidAt = Math.max(this.#copiesPaidAt, now) + (bytes / rate) * 1000;
    const aheadMs = this.#copiesPaidAt - now;
    if (aheadMs > copyAheadMs) await this.#clock.sleep(aheadMs, signal);
  }

  /**
   * Looks for one map's segment. Rejects where this machine is at fault for now; a lost or damaged run is an answer.
   */
  async #prepare(map: AttemptId, partition: number, from: number): Promise<Prepared> {
    const run = this.#options.find(map);
    if (run === undefined) return { map, header: { status: "missing", ...noSegment }, bytes: 0 };
    let file: ServedFile | undefined;
    try {
      const open = async () => (file ??= await ServedFile.open(run.path));
      const known = partition === noPartition ? undefined : this.#footers.find(run);
      const footer = known ?? (await this.#footers.read(run, await open()));
      const { pairs: runPairs } = footer;
      if (partition === wholeRun) {
        const { bytes: all, writtenBy } = run;
        const whole = { bytes: all, pairs: runPairs, digest: footer.emissionDigest, blockBytesMax: 0, runPairs };
        const opened = await open();
        const rest = Math.max(0, all - from);
        return { map: writtenBy, header: { status: "segment", ...whole }, file: opened, position: from, bytes: rest };
      }
      const segment = await readLater(footer.find(partition), open);
      if (segment === undefined) {
        await file?.close();
        return { map, header: { status: "none", ...noSegment, runPairs }, bytes: 0 };
      }
      const header: SegmentHeader = { status: "segment", ...segment, runPairs };
      const bytes = Math.max(0, segment.bytes - from);
      const position = segment.offset + from;
      const opened = await open();
      if (bytes > limits.serveSmallBytes) return { map, header, file: opened, position, bytes };
      const small = Buffer.allocUnsafe(bytes);
      await opened.read(small, 0, bytes, position);
      await opened.close();
      return { map, header, small, bytes };
    } catch (error) {
      await file?.close();
      this.#footers.drop(run);
      const code = error instanceof MillraceError ? error.code : undefined;
      if (code === "segment-lost") return { map, header: { status: "missing", ...noSegment }, bytes: 0 };
      if (code === "corrupt-run") return { map, header: { status: "corrupt", ...noSegment }, bytes: 0 };
      throw error;
    }
  }
}

/** Copies are sent ahead of their rate by this much, so that a timer is set now and then and not per buffer. */
const copyAheadMs = 20;

/**
 * Returns undefined for a body that is longer than any request. A client that takes longer than `stallMs` to send its
 * request, of at most 20 kB, is dropped.
 */
async function readBody(
  raw: AsyncIterable<Buffer> & { destroy(): unknown },
  clock: Clock,
  stallMs: number,
): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  const over = new AbortController();
  void clock.sleep(stallMs, over.signal).then(() => {
    if (!over.signal.aborted) raw.destroy();
  });
  try {
    for await (const piece of raw) {
      bytes += piece.length;
      if (bytes > requestBytesMax) return undefined;
      pieces.push(piece);
    }
  } finally {
    over.abort();
  }
  return Buffer.concat(pieces);
}

function refuse(response: ServerResponse | Http2ServerResponse, status: number, message: string): void {
  const text = Buffer.from(`${message}\n`);
  const headers = { "content-type": "text/plain; charset=utf-8", "content-length": text.length };
  response.writeHead(status, status === 503 ? { ...headers, "retry-after": "1" } : headers);
  if ("stream" in response) response.end(text);
  else response.end(text);
}
