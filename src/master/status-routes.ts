// The routes for machines that watch a master: two questions that need no token and are answered by yes or no, and
// metrics for callers with the right to read.
import type { HttpRoute } from "../rpc/server/http.ts";
import type { MasterMetrics } from "./metrics.ts";

export interface StatusSources {
  readonly metrics: MasterMetrics;
  /** Whether the master leads, and has recovered its predecessor's state. */
  isReady(): boolean;
}

export function statusRoutes({ metrics, isReady }: StatusSources): readonly HttpRoute[] {
  return [
    get("/healthz", "open", () => ({ status: 200, text: "ok\n" })),
    get("/readyz", "open", () => (isReady() ? { status: 200, text: "ready\n" } : { status: 503, text: "not ready\n" })),
    get("/metrics", "read", async () => ({ status: 200, ...(await metrics.page()) })),
  ];
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly contentType?: string;
}

function get(path: string, scope: HttpRoute["scope"], answer: () => Answer | Promise<Answer>): HttpRoute {
  return {
    method: "GET",
    path,
    scope,
    bodyBytesMax: 0,
    async handle(_request, response) {
      const { status, text, contentType = "text/plain; charset=utf-8" } = await answer();
      response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(text) });
      response.end(text);
    },
  };
}
