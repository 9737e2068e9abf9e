import { MillraceError } from "../../base/error.ts";
import type { StagedFile } from "../storage.ts";
import { showPath } from "./fs.ts";
import type { HiddenFolders } from "./hidden.ts";

export function outputExists(destination: string): MillraceError {
  return new MillraceError(
    "output-exists",
    `${showPath(destination)} exists, and is not what this job may replace: it was made or changed after the job was started. Nothing in it was touched. Move it away and resume, or choose another output directory with -o.`,
  );
}

/** A decided file is in none of its places: it is lost, unless another publisher has completed the output meanwhile. */
export class StagedFileGone extends MillraceError {
  constructor(
    file: StagedFile,
    places: HiddenFolders,
    why = `is missing: something removed it from ${showPath(places.staging)}`,
  ) {
    super(
      "corrupt-output",
      `The staged file ${file.name} (${file.token}) of ${showPath(places.destination)} ${why}. Retry the job, or run it with --resume: its task runs again.`,
    );
  }
}

/** The error for a decision that another decision of the job has replaced. */
export function decisionWithdrawn({ destination }: HiddenFolders): MillraceError {
  return new MillraceError(
    "corrupt-output",
    `The output prepared for ${showPath(destination)} was withdrawn, because one of its files was gone; the job has been retried since.`,
  );
}
