import { MillraceError } from "../base/error.ts";

export async function testCommand(..._: unknown[]): Promise<void> {
  throw new MillraceError("not-supported", "not built yet");
}
