// Tells from its token whose a staged file is: no attempt may have another attempt's file published as its own.
import { MillraceError } from "../base/error.ts";
import { type AttemptId, attemptName } from "../base/ids.ts";
import { isUrl } from "../base/paths.ts";
import { localToken } from "./local/hidden.ts";
import { decodeToken, destinationOf } from "./s3/names.ts";
import type { StagedFile } from "./storage.ts";

/** A longer token would name more parts of an upload than there can be. */
const tokenLengthMax = 256 * 1024;

export function isStagedBy(attempt: AttemptId, destination: string, file: StagedFile): boolean {
  if (!isUrl(destination)) return file.token === localToken(attempt, file.name);
  if (file.token.length > tokenLengthMax) return false;
  try {
    return decodeToken(file, destinationOf(destination)).attempt === attemptName(attempt);
  } catch (error) {
    if (error instanceof MillraceError) return false;
    throw error;
  }
}
