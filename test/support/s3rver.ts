// s3rver, an object store over HTTP that others wrote, on loopback. It ignores conditions of requests and does not
// check version 4 signatures. It neither aborts uploads nor says that one is gone: both are added here, over its own
// folder. It lets others see half an object, keeps one when a client dies in the middle of a request, and answers
// before the bytes are in its files, where a store has the object or has it not: a request is passed on when all of it
// has come and every change before it is done, and a change is done when the file is as long as it should be.
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as open,
  type Server,
  type ServerResponse,
} from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

interface Written {
  readonly size: number;
}

interface S3rver {
  readonly store: {
    getResourcePath(bucket: string, key: string | undefined, resource: string): string;
    putObject(object: { readonly bucket: string; readonly key: string }): Promise<Written>;
    putPart(bucket: string, uploadId: string, partNumber: number, content: unknown): Promise<Written>;
  };
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
  /** Called when a request has had its effect. */
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
  const { store } = s3rver;
  const putObject = store.putObject.bind(store);
  store.putObject = async (object) => {
    const put = await putObject(object);
    await untilWritten(store.getResourcePath(object.bucket, object.key, "object"), put);
    return put;
  };
  const putPart = store.putPart.bind(store);
  store.putPart = async (bucket, uploadId, partNumber, content) => {
    const put = await putPart(bucket, uploadId, partNumber, content);
    await untilWritten(join(store.getResourcePath(bucket, undefined, "uploads"), uploadId, `${partNumber}`), put);
    return put;
  };
  const inner = createServer(s3rver.callback());
  const innerPort = await listen(inner);
  const agent = new Agent({ keepAlive: true });
  const changes = new Set<Promise<void>>();
  const log: string[] = [];

  const pass = (from: IncomingMessage, body: Buffer, to: ServerResponse): Promise<void> =>
    new Promise((resolve) => {
      const { method, url: path, headers } = from;
      const passed = open({ agent, host: "127.0.0.1", port: innerPort, method, path, headers }, (answer) => {
        // Whole, whether or not the client still waits for it.
        const content: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => content.push(chunk));
        answer.on("close", () => {
          to.writeHead(answer.statusCode!, answer.headers).end(Buffer.concat(content));
          resolve();
        });
      });
      passed.on("error", (thrown) => {
        to.destroy(thrown);
        resolve();
      });
      passed.end(body);
    });

  const server = createServer(async (request, response) => {
    const line = `${request.method} ${request.url}`;
    log.push(line);
    response.on("finish", () => running.onAnswer?.(line));
    const body: Buffer[] = [];
    try {
      for await (const chunk of request) body.push(chunk as Buffer);
    } catch {
      return; // the client is gone
    }
    await Promise.allSettled(changes);
    const url = new URL(request.url!, "http://localhost");
    const upload = url.searchParams.get("uploadId");
    if (upload !== null && /^[0-9a-f]{32}$/.test(upload) && request.method !== "PUT") {
      const folder = join(directory, url.pathname.split("/")[1]!, "._S3rver_uploads", upload);
      const isThere = existsSync(folder);
      if (request.method === "DELETE") rmSync(folder, { recursive: true, force: true });
      if (request.method === "DELETE" || !isThere) {
        const status = isThere ? 204 : 404;
        response.writeHead(status).end(isThere ? undefined : "<Error><Code>NoSuchUpload</Code></Error>");
        return;
      }
    }
    const passed = pass(request, Buffer.concat(body), response);
    if (request.method === "GET" || request.method === "HEAD" || url.searchParams.has("partNumber")) return;
    changes.add(passed);
    void passed.then(() => changes.delete(passed));
  });
  const url = `http://127.0.0.1:${await listen(server)}`;
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
      agent.destroy();
      for (const each of [server, inner]) {
        each.closeAllConnections();
        await new Promise((resolve) => each.close(resolve));
      }
      rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  return running;
}

async function untilWritten(path: string, { size }: Written): Promise<void> {
  while (statSync(path).size !== size) await setTimeout(1);
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}
