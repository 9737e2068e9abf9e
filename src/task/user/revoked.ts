import { MillraceError } from "../../base/error.ts";

/** The reason of `ctx.signal`, which also reaches everything to which the job's code has given the signal (`fetch`). */
export function revoked(why: string): MillraceError {
  return new MillraceError("cancelled", `the attempt was revoked${why === "" ? "" : `: ${why}`}`);
}
