// Calls to a cluster of etcd: one member at a time, the next one where that does not answer. Every try has a deadline.
import { type CallOptions, type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { MillraceError } from "../../base/error.ts";
import { MiB } from "../../base/limits.ts";
import type { Clock } from "../../base/system/clock.ts";
import { Session } from "../../rpc/client/session.ts";
import { Auth, KV, Lease, Watch } from "../../wire/gen/etcd/rpc_pb.ts";
import type { EtcdAddress } from "./address.ts";
import { type Trouble, troubleOf } from "./trouble.ts";

/** A member that does not answer for this long is left for the next: a stopped process keeps its connections. */
const tryMs = 1000;
/** Pause after all members have failed. */
const pauseMs = 100;
/** More often than every 5 s, and etcd closes the connection. */
const pingMs = 10_000;
/** An answer of more is refused: a scan asks for fewer records then. */
const answerBytesMax = 16 * MiB;

export interface Member {
  readonly address: string;
  readonly kv: Client<typeof KV>;
  readonly lease: Client<typeof Lease>;
  readonly watch: Client<typeof Watch>;
  readonly auth: Client<typeof Auth>;
  readonly session: Session;
}

export interface CallBounds {
  /** When the call is given up, whichever member it is at. By the clock. Default: never. */
  readonly until?: number;
  /** Gives the call up at once, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What a call throws that is not to be tried again: the error, and what it means to this client. */
export class EtcdError extends MillraceError {
  readonly kind: Trouble["kind"];

  constructor({ kind, error }: Trouble) {
    super(error.code, error.message, { cause: error.cause });
    this.kind = kind;
  }
}

export class Members {
  readonly #members: readonly Member[];
  readonly #address: EtcdAddress;
  readonly #clock: Clock;
  #current = 0;
  #token: string | undefined;

  constructor(address: EtcdAddress, clock: Clock) {
    this.#address = address;
    this.#clock = clock;
    this.#members = address.members.map((member) => this.#open(member));
  }

  /**
   * Calls a member, and the next where it does not answer, until `until` at the latest. A try that failed may have had
   * its effect, or may have it later: `call` has to be one that may be repeated. Throws `EtcdError`, or the reason of
   * the signal.
   */
  async call<T>(call: (member: Member, options: CallOptions) => Promise<T>, bounds: CallBounds = {}): Promise<T> {
    const { until = Number.POSITIVE_INFINITY, signal } = bounds;
    let logins = 0;
    for (let tries = 1; ; tries++) {
      signal?.throwIfAborted();
      const member = this.current;
      // A whole number: etcd breaks off a call whose header says otherwise.
      const timeoutMs = Math.max(1, Math.ceil(Math.min(tryMs, until - this.#clock.now())));
      try {
        await this.#logIn(member, { timeoutMs, signal });
        return await call(member, { timeoutMs, signal });
      } catch (thrown) {
        signal?.throwIfAborted();
        const trouble = troubleOf(thrown, member.address);
        if (trouble.kind === "log-in" && this.#address.user !== undefined && logins++ < 2) {
          this.#token = undefined;
          continue;
        }
        if (trouble.kind !== "elsewhere" || this.#clock.now() >= until) throw new EtcdError(trouble);
        this.leave(member);
        if (tries % this.#members.length === 0) await this.#clock.sleep(pauseMs, signal);
        if (this.#clock.now() >= until) throw new EtcdError(trouble);
      }
    }
  }

  /** The member that answered last. */
  get current(): Member {
    return this.#members[this.#current] as Member;
  }

  /** Prefers the next member from now on, unless another call has moved on already. */
  leave(member: Member): void {
    if (member === this.current) this.#current = (this.#current + 1) % this.#members.length;
  }

  close(): void {
    for (const { session } of this.#members) session.abort();
  }

  async #logIn({ auth }: Member, options: CallOptions): Promise<void> {
    const { user } = this.#address;
    if (user === undefined || this.#token !== undefined) return;
    const { token } = await auth.authenticate({ name: user.name, password: user.password.reveal() }, options);
    this.#token = token;
  }

  #open(address: string): Member {
    const session = new Session({ authority: address, tls: this.#address.tls, pingMs });
    const bearer: Interceptor = (next) => (request) => {
      if (this.#token !== undefined && request.service.typeName !== Auth.typeName)
        request.header.set("token", this.#token);
      return next(request);
    };
    const transport = createGrpcTransport({
      baseUrl: address,
      sessionManager: session,
      interceptors: [bearer],
      readMaxBytes: answerBytesMax,
      acceptCompression: [],
    });
    return {
      address,
      session,
      kv: createClient(KV, transport),
      lease: createClient(Lease, transport),
      watch: createClient(Watch, transport),
      auth: createClient(Auth, transport),
    };
  }
}
