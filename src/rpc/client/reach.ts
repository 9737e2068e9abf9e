// Explains why a call has failed, with what to do, and decides whether repeating it can help.
import { Code, ConnectError } from "@connectrpc/connect";
import { certificateTrouble } from "../../base/certificate-trouble.ts";
import { MillraceError, systemCode } from "../../base/error.ts";
import { fromWire } from "../../wire/error.ts";

/**
 * Codes after which a call is repeated. When a server is killed, a stream ends as Canceled or Aborted; a reset session
 * as Internal.
 */
const transientCodes: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Canceled,
  Code.Aborted,
]);

/** Whether the same call may succeed later. Not for a call that its caller has cancelled. */
export function isTransient(error: unknown): boolean {
  if (error instanceof MillraceError) return error.retry === "same";
  if (!(error instanceof ConnectError)) return isConnectionCode(systemCode(error));
  const ours = fromWire(error);
  if (ours !== undefined) return ours.retry !== "never";
  if (isCertificateError(error)) return false;
  if (transientCodes.has(error.code)) return true;
  // HTTP/2 reports this when the connection broke, not the call.
  return (
    (error.code === Code.Internal || error.code === Code.Unknown) &&
    // An answer without gRPC's status, which comes last: its sender was killed in the middle.
    (causes(error).some((cause) => isConnectionCode(systemCode(cause))) || error.rawMessage.endsWith("missing status"))
  );
}

export interface Reached {
  readonly address: string;
  /** Whether the master has ever answered. If not, the address may be wrong. */
  readonly hasAnswered: boolean;
  /** For how long it has not answered; undefined: this was a single try. */
  readonly sinceMs?: number;
}

export function describeFailure(error: unknown, reached: Reached): Error {
  const { address } = reached;
  if (!(error instanceof ConnectError)) {
    if (error instanceof MillraceError || !isConnectionCode(systemCode(error))) {
      return error instanceof Error ? error : new Error(String(error));
    }
    return unreachable(reached, error);
  }
  const ours = fromWire(error);
  if (ours !== undefined) return ours;
  const said = saidByGate(error);
  switch (error.code) {
    case Code.Unauthenticated:
      return new MillraceError(
        "no-access",
        `the master at ${address} refuses the token: ${said ?? "it is not one of this cluster's"}; give --token-file with a copy of one of the files in its STATE/tokens`,
        { cause: error },
      );
    case Code.PermissionDenied:
      return new MillraceError("no-access", `the master at ${address} refuses this: ${said ?? error.rawMessage}`, {
        cause: error,
      });
    case Code.Unimplemented:
      return new MillraceError(
        "not-supported",
        `what answers at ${address} is not a master of this version of millrace (${said ?? error.rawMessage})`,
        { cause: error },
      );
    case Code.ResourceExhausted:
      return new MillraceError("over-limit", `the master at ${address} refuses this message: ${error.rawMessage}`, {
        cause: error,
      });
    case Code.InvalidArgument:
      return new MillraceError(
        "not-supported",
        `the master at ${address} can't read this message: ${error.rawMessage}`,
        { cause: error },
      );
    default:
      if (isTransient(error) || isCertificateError(error) || isNoMaster(error)) {
        return unreachable(reached, error);
      }
      return new MillraceError("io-error", `the call to the master at ${address} failed: ${error.rawMessage}`, {
        cause: error,
      });
  }
}

function unreachable({ address, hasAnswered, sinceMs }: Reached, cause: unknown): MillraceError {
  const reason = why(cause, hasAnswered);
  const since = sinceMs === undefined || sinceMs < 1000 ? "" : ` (tried for ${Math.round(sinceMs / 1000)} s)`;
  // The caller may try again; `isTransient` of the cause says whether that can help.
  return new MillraceError("unreachable", `can't reach the master at ${address}: ${reason}${since}`, {
    cause,
    retry: isTransient(cause) ? "same" : "never",
  });
}

/** The reason in words, with what most likely helps. */
function why(error: unknown, hasAnswered: boolean): string {
  const isItThere = hasAnswered
    ? ""
    : "; is this the master's port, and does it speak TLS there (https://) or not (http://)?";
  for (const cause of causes(error)) {
    const code = systemCode(cause);
    const distrust = certificateTrouble(code);
    if (distrust !== undefined) return distrust;
    switch (code) {
      case "ECONNREFUSED":
        return "connection refused; is it running?";
      case "ENOTFOUND":
        return "there is no machine of that name";
      case "EAI_AGAIN":
        return "its name can't be looked up now (DNS)";
      case "EHOSTUNREACH":
      case "ENETUNREACH":
        return "there is no way to its network";
      case "ETIMEDOUT":
        return "the connection timed out; is a firewall between?";
      case "ECONNRESET":
      case "EPIPE":
        return `the connection was reset${isItThere}`;
      case "ERR_HTTP2_ERROR":
      case "ERR_HTTP2_SESSION_ERROR":
        return `what answers there does not speak HTTP/2${isItThere}`;
    }
    if (code?.startsWith("ERR_SSL_") || code === "EPROTO") {
      return `TLS can't be agreed on${isItThere}`;
    }
  }
  if (error instanceof ConnectError) {
    if (error.code === Code.DeadlineExceeded) return "it does not answer in time";
    if (error.code === Code.Canceled || error.code === Code.Aborted) return `the connection was lost${isItThere}`;
    return saidByGate(error) ?? error.rawMessage;
  }
  return error instanceof Error ? error.message : String(error);
}

function isConnectionCode(code: string | undefined): boolean {
  return (
    code !== undefined &&
    /^(ECONN\w+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ERR_HTTP2_\w+|ERR_STREAM_\w+|UND_ERR_\w+)$/.test(
      code,
    )
  );
}

/** Whether the other side's certificate is the problem: repeating the call would show the same one. */
function isCertificateError(error: unknown): boolean {
  return causes(error).some((cause) => /CERT|^ERR_SSL_|^EPROTO$/.test(systemCode(cause) ?? ""));
}

/** Whether something else than a master answers: a master never answers Unknown. */
function isNoMaster(error: ConnectError): boolean {
  return error.code === Code.Unknown;
}

/** The gate's message, in the header where gRPC clients find it. */
function saidByGate(error: ConnectError): string | undefined {
  const message = error.metadata.get("x-millrace-error");
  try {
    return message === null ? undefined : decodeURIComponent(message);
  } catch {
    return undefined;
  }
}

function causes(error: unknown): readonly unknown[] {
  const all: unknown[] = [];
  for (let next = error; next instanceof Error && all.length < 8; next = next.cause) {
    all.push(next);
    // Several addresses of the same name were tried.
    if (next instanceof AggregateError) all.push(...next.errors);
  }
  return all;
}
