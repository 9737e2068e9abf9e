// One master as a client reaches it: an address, the HTTP/2 connection to it, and what it has said in its greeting.
import type { SecureContextOptions } from "node:tls";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { limits } from "../../base/limits.ts";
import type { Welcome } from "../../protocol/services.ts";
import { Jobs, Workers } from "../../wire/gen/millrace/v1/service_pb.ts";
import type { Secret } from "../access/token-digest.ts";
import { Session } from "./session.ts";

export interface LineOptions {
  readonly token: Secret;
  /** For addresses of https. */
  readonly tls: SecureContextOptions;
  readonly pingMs: number;
}

export class Line {
  readonly address: string;
  readonly session: Session;
  readonly workers: Client<typeof Workers>;
  readonly jobs: Client<typeof Jobs>;
  /** The greeting of the open connection; undefined: the next call says hello first. */
  welcome: Promise<Welcome> | undefined;

  /** `address` is an origin, such as "https://m1:7070". */
  constructor(address: string, { token, tls, pingMs }: LineOptions) {
    this.address = address;
    this.session = new Session({ authority: address, tls: address.startsWith("https:") ? tls : {}, pingMs });
    const bearer: Interceptor = (next) => (request) => {
      request.header.set("authorization", `Bearer ${token.reveal()}`);
      return next(request);
    };
    const transport = createGrpcTransport({
      baseUrl: address,
      sessionManager: this.session,
      interceptors: [bearer],
      readMaxBytes: limits.messageBytesMax,
      writeMaxBytes: limits.messageBytesMax,
      acceptCompression: [],
    });
    this.workers = createClient(Workers, transport);
    this.jobs = createClient(Jobs, transport);
  }
}
