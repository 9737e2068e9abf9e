// Tells from its token whose a staged file is: no attempt may have another attempt's file published as its own.
import type { AttemptId } from "../base/ids.ts";
import { localToken } from "./local/hidden.ts";
import { schemeOf, schemes } from "./schemes.ts";
import type { StagedFile } from "./storage.ts";

/** A longer token would name more parts of an upload than there can be. */
const tokenLengthMax = 256 * 1024;

export function isStagedBy(attempt: AttemptId, destination: string, file: StagedFile): boolean {
  const scheme = schemeOf(destination);
  if (scheme === undefined) return file.token === localToken(attempt, file.name);
  if (file.token.length > tokenLengthMax || !Object.hasOwn(schemes, scheme)) return false;
  return schemes[scheme]!.isStagedBy(attempt, destination, file);
}
