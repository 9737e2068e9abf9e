// The routes of a worker besides the shuffle: logs of attempts, health, metrics. They check names and numbers only; the
// gate decides which callers may ask.
import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import { pipeline } from "node:stream/promises";
import type { HttpRoute } from "../../rpc/server/http.ts";
import type { JobLogs } from "../disk/job-logs.ts";
import type { WorkerMetrics } from "./metrics.ts";

type Response = ServerResponse | Http2ServerResponse;

export interface WorkerRoutesOptions {
  readonly logs: Pick<JobLogs, "read">;
  /** Why the worker is not ready; undefined: it takes work, and the master hears it. */
  readonly notReady: () => string | undefined;
  readonly metrics: WorkerMetrics;
}

export function workerRoutes({ logs, notReady, metrics }: WorkerRoutesOptions): readonly HttpRoute[] {
  return [
    {
      method: "GET",
      path: "/v1/logs/:job/:attempt",
      scope: "job-key",
      bodyBytesMax: 0,
      async handle({ params, signal, raw }, response) {
        const log = logs.read(params["job"] ?? "", params["attempt"] ?? "");
        if (log === undefined) return answer(response, 404, "there is no such log: it may have printed nothing");
        // The bytes as they were printed. A caller that shows them on a terminal has to escape control characters.
        head(response, 200, { "content-type": "text/plain; charset=utf-8", "content-length": String(log.bytes) });
        if (raw.method === "HEAD") {
          response.end();
          return;
        }
        await pipeline(log.content, response as ServerResponse, { signal });
      },
    },
    {
      method: "GET",
      path: "/healthz",
      scope: "open",
      bodyBytesMax: 0,
      handle: async (_request, response) => answer(response, 200, "ok"),
    },
    {
      method: "GET",
      path: "/readyz",
      scope: "open",
      bodyBytesMax: 0,
      async handle(_request, response) {
        const why = notReady();
        return why === undefined ? answer(response, 200, "ok") : answer(response, 503, why);
      },
    },
    {
      method: "GET",
      path: "/metrics",
      scope: "read",
      bodyBytesMax: 0,
      async handle(_request, response) {
        const { contentType, text } = await metrics.page();
        head(response, 200, { "content-type": contentType });
        response.end(text);
      },
    },
  ];
}

function answer(response: Response, status: number, text: string): void {
  head(response, status, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${text}\n`);
}

function head(response: Response, status: number, headers: Record<string, string>): void {
  (response as ServerResponse).writeHead(status, {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
  });
}
