// Words of a command line that stand in each other's places: the command with them in order is told.
import { statSync } from "node:fs";
import { MillraceError } from "../base/error.ts";

const moduleName = /\.[cm]?[jt]sx?$/;

export function looksLikeModule(path: string): boolean {
  return moduleName.test(path);
}

/** Throws `wrong-usage` where the job's place has data, and a module stands behind it. */
export async function refuseSwapped(command: string, job: string, others: readonly string[]): Promise<void> {
  if (!isData(job)) return;
  const module = others.find(looksLikeModule);
  if (module === undefined) return;
  const { quoted } = await import("./screen/hints.ts"); // needed only here
  const words = [module, job, ...others.filter((each) => each !== module)].map(quoted).join(" ");
  throw new MillraceError(
    "wrong-usage",
    `the job file comes first, and ${quoted(job)} is none:  millrace ${command} ${words}  (with the same options)`,
  );
}

/** A folder, a file whose name says that it is no module, or FILE:OFFSET. Names without an ending may be anything. */
function isData(path: string): boolean {
  if (looksLikeModule(path)) return false;
  if (path === "-" || /[*?]|:\d+$/.test(path) || /[^/.]\.[^/.]+$/.test(path)) return true;
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
