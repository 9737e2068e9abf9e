import { MillraceError } from "../base/error.ts";

export async function replayCommand(..._: unknown[]): Promise<void> {
  throw new MillraceError("not-supported", "not built yet");
}
