// s3rver, an object store over HTTP that others wrote, on loopback. It ignores conditions of requests and does not check version 4
// signatures. It neither aborts uploads nor says that one is gone: both are added here, over its own folder.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface S3rver {
  callback(): (request: IncomingMessage, response: ServerResponse) => void;
  configureBuckets(): Promise<void>;
}
type S3rverClass = new (options: {
  readonly directory: string;
  readonly silent: true;
  readonly vhostBuckets: false;
  readonly configureBuckets: readonly { readonly name: string }[];
}) => S3rver;

export interface RunningS3 {
  readonly url: string;
  /** Its own environment: what a command needs to use it. */
  readonly env: Readonly<Record<string, string>>;
  /** "METHOD path?query", as they came. */
  readonly log: readonly string[];
  /** Called when a request has had its effect: a client that is killed in the middle of one leaves half an object here. */
  onAnswer: ((line: string) => void) | undefined;
  close(): Promise<void>;
}

export async function startS3rver(...buckets: readonly string[]): Promise<RunningS3> {
  const directory = mkdtempSync(join(tmpdir(), "millrace-s3rver-"));
  const Server = createRequire(import.meta.url)("s3rver") as S3rverClass;
  const s3rver = new Server({
    directory,
    silent: true,
    vhostBuckets: false,
    configureBuckets: buckets.map((name) => ({ name })),
  });
  await s3rver.configureBuckets();
  const pass = s3rver.callback();
  const log: string[] = [];
  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    log.push(line);
    response.on("finish", () => running.onAnswer?.(line));
    const url = new URL(request.url ?? "", "http://localhost");
    const upload = url.searchParams.get("uploadId");
    if (upload !== null && /^[0-9a-f]{32}$/.test(upload) && request.method !== "PUT") {
      const folder = join(directory, url.pathname.split("/")[1]!, "._S3rver_uploads", upload);
      const isThere = existsSync(folder);
      if (request.method === "DELETE") rmSync(folder, { recursive: true, force: true });
      if (request.method === "DELETE" || !isThere) {
        const status = isThere ? 204 : 404;
        response.writeHead(status).end(isThere ? undefined : "<Error><Code>NoSuchUpload</Code></Error>");
        request.resume();
        return;
      }
    }
    pass(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const running: RunningS3 = {
    url,
    log,
    onAnswer: undefined,
    env: {
      AWS_ACCESS_KEY_ID: "S3RVER",
      AWS_SECRET_ACCESS_KEY: "S3RVER",
      AWS_ENDPOINT_URL_S3: url,
      AWS_REGION: "us-east-1",
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  return running;
}
