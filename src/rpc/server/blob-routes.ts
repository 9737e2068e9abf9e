// The routes of bundles and side files, by content: `PUT /v1/blobs/:sha256` (204), `GET` and `HEAD` (200 or 404).
import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { limits } from "../../base/limits.ts";
import { blobName } from "../../protocol/blob-name.ts";
import type { Blobs } from "../../protocol/services.ts";
import type { HttpRoute } from "./http.ts";

/** `blobs` checks the digest of what is put. */
export function blobRoutes(blobs: Blobs): readonly HttpRoute[] {
  const path = "/v1/blobs/:sha256";
  return [
    {
      method: "PUT",
      path,
      scope: "submit",
      bodyBytesMax: limits.sideFileBytesMax,
      async handle({ raw, params, signal }, response) {
        await blobs.put(blobName(params["sha256"] ?? ""), raw, limits.sideFileBytesMax, signal);
        response.writeHead(204).end();
      },
    },
    {
      method: "GET",
      path,
      // A bundle is its owner's code, so the scope "read" is not enough.
      scope: ["submit", "worker"],
      bodyBytesMax: 0,
      async handle({ raw, params, signal }, response) {
        const sha256 = blobName(params["sha256"] ?? "");
        if (!(await blobs.has(sha256, signal))) {
          response.writeHead(404).end();
          return;
        }
        response.setHeader("content-type", "application/octet-stream");
        response.setHeader("content-disposition", "attachment");
        if (raw.method === "HEAD") {
          response.writeHead(200).end();
          return;
        }
        const content = await blobs.get(sha256, signal);
        response.writeHead(200);
        await pipeline(Readable.from(content), response as ServerResponse, { signal });
      },
    },
  ];
}
