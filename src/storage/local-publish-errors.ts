import { MillraceError } from "../base/error.ts";
import { showPath } from "./local-fs.ts";
import type { Places } from "./places.ts";
import type { StagedFile } from "./storage.ts";

export function outputExists(destination: string): MillraceError {
  return new MillraceError(
    "output-exists",
    `${showPath(destination)} exists, and is not what this job may replace: it was made or changed after the job was started. Nothing in it was touched. Move it away and resume, or choose another output directory with -o.`,
  );
}

/** A decided file that is in none of its places: lost, unless another publisher has made the output complete meanwhile. */
export class StagedFileGone extends MillraceError {
  constructor(file: StagedFile, places: Places) {
    super(
      "corrupt-output",
      `The staged file ${file.name} (${file.token}) of ${showPath(places.destination)} is missing: something removed it from ${showPath(places.staging)}. Run the job again.`,
    );
  }
}
