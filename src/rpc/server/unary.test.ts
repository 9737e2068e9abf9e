import { type ClientHttp2Session, connect } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  fakeMaster,
  type ServedMaster,
  serveMaster,
  someOrders,
  someReport,
} from "../../../test/support/fake-master.ts";
import { MillraceError } from "../../base/error.ts";
import type { WorkerReport } from "../../protocol/messages.ts";
import { decodeOrders, encodeReport } from "../../wire/convert.ts";
import { WorkerReportSchema } from "../../wire/gen/millrace/v1/worker_pb.ts";

let served: ServedMaster;
let session: ClientHttp2Session;
let heard: WorkerReport[];
let answer: () => Promise<typeof someOrders>;

beforeEach(async () => {
  heard = [];
  answer = async () => someOrders;
  served = await serveMaster(
    fakeMaster({
      heartbeat: (report) => {
        heard.push(report);
        return answer();
      },
    }),
  );
  session = connect(served.address);
  session.on("error", () => {});
});
afterEach(async () => {
  session.destroy();
  await served.listener.close(0);
});

interface Answer {
  readonly status: string;
  readonly message: string;
  readonly body: Buffer;
}

/** One gRPC call with these bytes as its body, in these pieces. */
function call(pieces: readonly Uint8Array[], headers: Record<string, string> = {}): Promise<Answer> {
  const stream = session.request({
    ":method": "POST",
    ":path": "/millrace.v1.Workers/Heartbeat",
    authorization: `Bearer ${served.tokens.worker.reveal()}`,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  const parts: Buffer[] = [];
  let fields: Record<string, unknown> = {};
  stream.on("response", (head) => (fields = { ...fields, ...head }));
  stream.on("trailers", (trailers) => (fields = { ...fields, ...trailers }));
  stream.on("data", (part) => parts.push(part));
  for (const piece of pieces) stream.write(piece);
  stream.end();
  return new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.once("close", () =>
      resolve({
        status: String(fields["grpc-status"]),
        message: decodeURIComponent(String(fields["grpc-message"] ?? "")),
        body: Buffer.concat(parts),
      }),
    );
  });
}

function envelope(message: Uint8Array, flags = 0, length = message.length): Buffer {
  const head = Buffer.from([flags, 0, 0, 0, 0]);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

describe("a heartbeat of any gRPC client", () => {
  it("is heard however its bytes are cut", async () => {
    const whole = envelope(encodeReport(someReport));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: whole.length }), { maxLength: 6 }), async (cuts) => {
        heard = [];
        const edges = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
        const { status, body } = await call(edges.slice(1).map((end, index) => whole.subarray(edges[index], end)));
        expect(status).toBe("0");
        expect(heard).toEqual([someReport]);
        expect(decodeOrders(body.subarray(5))).toEqual(someOrders);
        expect(body.readUInt32BE(1)).toBe(body.length - 5);
      }),
      { numRuns: 30 },
    );
  });

  it("S18: is refused by the length it announces, before that has come", async () => {
    const { status, message } = await call([envelope(Buffer.alloc(10), 0, 17 * 1024 * 1024)]);
    expect([status, message]).toEqual(["8", "a message of 17825792 bytes is larger than 16777216"]);
    expect(heard).toEqual([]);
  });

  it.each([
    ["nothing", [], "3"],
    ["half a head", [Buffer.from([0, 0])], "3"],
    ["half a message", [envelope(Buffer.alloc(3), 0, 4)], "3"],
    ["two messages", [envelope(Buffer.alloc(0)), envelope(Buffer.alloc(0))], "3"],
    ["a compressed one that says not how", [envelope(Buffer.alloc(3), 1)], "12"],
    ["noise", [envelope(Buffer.from("\xff\xff\xff", "latin1"))], "3"],
    [
      "a report that lacks what it must have",
      [envelope(toBinary(WorkerReportSchema, create(WorkerReportSchema, { running: [{}] })))],
      "3",
    ],
  ])("that is %s is refused, and the connection goes on", async (_, pieces, code) => {
    expect((await call(pieces)).status).toBe(code);
    expect(heard).toEqual([]);
    expect((await call([envelope(encodeReport(someReport))])).status).toBe("0");
  });

  it("an error with much to say keeps its code, and fits into a header", async () => {
    answer = async () => {
      throw new MillraceError("not-leader", `ö${"x".repeat(100_000)}`);
    };
    const { status, message } = await call([envelope(encodeReport(someReport))]);
    expect(status).toBe("14");
    expect(message.length).toBe(4000);
  });

  it("may be compressed, or JSON, by another way with the same answer", async () => {
    const { gzipSync } = await import("node:zlib");
    const zipped = envelope(gzipSync(encodeReport(someReport)), 1);
    expect((await call([zipped], { "grpc-encoding": "gzip" })).status).toBe("0");
    const json = await fetch(`${served.address}/millrace.v1.Workers/Heartbeat`, {
      method: "POST",
      headers: { authorization: `Bearer ${served.tokens.worker.reveal()}`, "content-type": "application/json" },
      body: JSON.stringify({ worker: "w-1", address: "http://127.0.0.1:1" }),
    });
    expect(await json.json()).toMatchObject({ epoch: "7", leaseMs: 10_000 });
    expect(heard.length).toBe(2);
  });

  it("fault 55: connections that end while they are pinged end nothing else", async () => {
    await served.listener.close(0);
    served = await serveMaster(fakeMaster(), { bounds: { pingMs: 1 } });
    for (let round = 0; round < 40; round++) {
      const other = connect(served.address);
      other.on("error", () => {});
      await new Promise((resolve) => other.once("remoteSettings", resolve));
      other.destroy();
    }
    const answer = await fetch(served.address);
    expect(answer.status).toBe(401);
  });
});
