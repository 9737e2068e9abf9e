import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../base/system/clock.ts";
import { Secret } from "../base/value/secret.ts";
import type { HistoryEvent } from "../protocol/services.ts";
import { checkSignature, emptyBody, expiresHeader, jobKey, signatureHeader } from "../rpc/access/signature.ts";
import { logSources, readLog } from "./logs.ts";
import { workerAddress } from "./worker-address.ts";

const token = new Secret("t".repeat(43));
let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let asked: IncomingMessage[];
let address: URL;

beforeEach(async () => {
  asked = [];
  server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function read(attempt = "map-00001.1.2"): Promise<string> {
  const silence = { silenceMs: 300, silenceBytesMin: 1000 };
  const options = { workerTokens: () => [token], tls: {}, clock: systemClock, silence };
  const chunks: Uint8Array[] = [];
  for await (const { bytes } of readLog({ worker: "w1", address, job: "j1", attempt }, options, undefined)) {
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString();
}

describe("a log that lies with a worker", () => {
  test("S19: is asked for with the job's signature, and no token", async () => {
    answer = (_, response) => response.end("hello\n");
    expect(await read()).toBe("hello\n");
    const { method, url, headers, rawHeaders } = asked[0]!;
    expect(url).toBe("/v1/logs/j1/map-00001.1.2");
    const presented = { expires: headers[expiresHeader] as string, signature: headers[signatureHeader] as string };
    const request = { method: method!, path: url!, query: "", address: address.origin, body: emptyBody };
    expect(checkSignature([jobKey(token, "j1")], request, presented, new Date())).toBe("ok");
    expect(rawHeaders.join()).not.toContain(token.reveal());
  });

  test("S23: is not followed to another place", async () => {
    answer = (_, response) => response.writeHead(302, { location: "http://169.254.169.254/" }).end();
    await expect(read()).rejects.toMatchObject({ code: "unreachable", message: expect.stringContaining("302") });
    expect(asked).toHaveLength(1);
  });

  test("is bounded", async () => {
    answer = (_, response) => {
      const send = () => response.writableEnded || response.write(Buffer.alloc(100_000), send);
      send();
    };
    await expect(read()).rejects.toMatchObject({ code: "over-limit" });
  });

  test("fault 54: of which nothing more comes is given up, with who has it", async () => {
    answer = (_, response) => {
      response.writeHead(200, { "content-length": 1000 }).write("hello\n");
    };
    await expect(read()).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/^worker w1 at .* can't be reached: it moved less than 1000 bytes in 300 ms$/),
    });
    answer = () => {};
    await expect(read()).rejects.toMatchObject({ code: "unreachable" });
  });

  test("that is not there, or can't be reached, is said so, with who has it", async () => {
    answer = (_, response) => response.writeHead(404).end();
    await expect(read()).rejects.toMatchObject({ code: "bad-input", message: expect.stringContaining("worker w1") });
    answer = (request) => request.socket.destroy();
    await expect(read()).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(
        /^worker w1 at http:\/\/127\.0\.0\.1:\d+, which has the log of map-00001\.1\.2, can't be reached: ECONNRESET/,
      ),
    });
  });
});

describe("whose logs are meant", () => {
  const happened: [string, string, string][] = [
    ["attempt-started", "map-1.1.1", "w1"],
    ["attempt-started", "map-2.1.2", "w2"],
    ["attempt-failed", "map-1.1.1", "w1"],
    ["attempt-started", "map-3.1.3", "w1"],
    ["holder-unreachable", "map-2.1.2", "w9"],
    ["attempt-won", "map-2.1.2", "w2"],
  ];
  async function* events(list = happened): AsyncIterable<HistoryEvent> {
    for (const [kind, attempt, worker] of list)
      yield { time: "", kind, job: "j", task: undefined, attempt, worker, message: undefined };
  }

  test("the attempt's that is named, at the worker that ran it", async () => {
    expect(await logSources(events(), "map-2.1.2")).toEqual([{ attempt: "map-2.1.2", worker: "w2" }]);
    expect(await logSources(events(), "map-9.1.9")).toEqual([{ attempt: "map-9.1.9", worker: undefined }]);
  });

  test("else those of the newest failures, or of what runs", async () => {
    expect(await logSources(events(), undefined)).toEqual([{ attempt: "map-1.1.1", worker: "w1" }]);
    const running = happened.filter(([kind]) => kind !== "attempt-failed");
    expect(await logSources(events(running), undefined)).toEqual([
      { attempt: "map-1.1.1", worker: "w1" },
      { attempt: "map-3.1.3", worker: "w1" },
    ]);
  });
});

describe("a worker's address (S23)", () => {
  const one = { loopbackOnly: true, tls: false };
  const many = { loopbackOnly: false, tls: true };

  test("is one that a worker of this cluster can have", () => {
    expect(workerAddress("w", "http://127.0.0.1:8080", one).port).toBe("8080");
    expect(workerAddress("w", "https://10.1.2.3:8080", many).hostname).toBe("10.1.2.3");
  });

  test.each([
    ["http://10.1.2.3:80", one, "one machine"],
    ["https://127.0.0.1:8080", one, "plain HTTP"],
    ["http://10.1.2.3:8080", many, "TLS"],
    ["https://169.254.169.254:8080", many, "link-local"],
    ["https://[fe80::1]:8080", many, "link-local"],
    ["https://0.0.0.0:8080", many, "unspecified"],
    ["https://w:8080/v1/logs", many, "host:port"],
    ["https://u:p@w:8080", many, "host:port"],
    ["file:///etc/passwd", many, "host:port"],
    ["", many, "host:port"],
  ])("is not %s", (text, rules, why) => {
    expect(() => workerAddress("w", text, rules)).toThrow(why);
  });
});
