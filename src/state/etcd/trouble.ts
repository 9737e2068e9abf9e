// What etcd's errors mean. Their texts are part of etcd's protocol where their codes are too coarse.
import { Code, ConnectError } from "@connectrpc/connect";
import { MillraceError } from "../../base/error.ts";

/** What the caller of a call that failed can do. */
export type Trouble =
  /** Another member, or the same one a little later, may do better. Whether the call had an effect is not known. */
  | { readonly kind: "elsewhere"; readonly error: MillraceError }
  /** A new token is needed. The call had no effect. */
  | { readonly kind: "log-in"; readonly error: MillraceError }
  /** A revision that was asked for is compacted. */
  | { readonly kind: "compacted"; readonly error: MillraceError }
  /** The lease that a key was to have is over. The call had no effect. */
  | { readonly kind: "no-lease"; readonly error: MillraceError }
  /** The answer was larger than this side takes. */
  | { readonly kind: "too-large"; readonly error: MillraceError }
  | { readonly kind: "final"; readonly error: MillraceError };

export function troubleOf(thrown: unknown, member: string): Trouble {
  if (thrown instanceof MillraceError) return { kind: "final", error: thrown };
  const { code, rawMessage } = ConnectError.from(thrown);
  const made = (as: "io-error" | "unreachable" | "no-access" | "no-space", text: string) =>
    new MillraceError(as, text, { cause: thrown });
  const said = `etcd at ${member} says: ${rawMessage}`;
  switch (code) {
    case Code.OutOfRange:
      return { kind: "compacted", error: made("io-error", said) };
    case Code.ResourceExhausted:
      if (rawMessage.includes("database space exceeded"))
        return { kind: "final", error: made("no-space", noSpace(member)) };
      if (!rawMessage.startsWith("etcdserver:")) return { kind: "too-large", error: made("io-error", said) };
      return { kind: "elsewhere", error: made("io-error", said) }; // too many requests
    case Code.Unauthenticated:
      return { kind: "log-in", error: made("no-access", said) };
    case Code.PermissionDenied:
      return {
        kind: "final",
        error: made("no-access", `${said}: give its user the right to read and write the prefix`),
      };
    case Code.InvalidArgument:
      if (rawMessage.includes("auth store is old")) return { kind: "log-in", error: made("no-access", said) };
      if (rawMessage.includes("user name is empty"))
        return { kind: "final", error: made("no-access", `${said}: give --state-user and --state-password-file`) };
      if (rawMessage.includes("authentication failed"))
        return { kind: "final", error: made("no-access", `${said}: look at --state-user and --state-password-file`) };
      return { kind: "final", error: made("io-error", said) };
    case Code.NotFound:
      return { kind: "no-lease", error: made("io-error", said) };
    case Code.FailedPrecondition:
    case Code.Unimplemented:
      return { kind: "final", error: made("io-error", said) };
    default:
      return { kind: "elsewhere", error: made("unreachable", `etcd at ${member} can't be reached: ${rawMessage}`) };
  }
}

function noSpace(member: string): string {
  return `the quota of etcd is reached (${member} says: database space exceeded), and it takes nothing until there is room: run etcdctl compact, etcdctl defrag and etcdctl alarm disarm, or start it with a larger --quota-backend-bytes`;
}
