// The name of a new job, which is that of its files too.
import { MillraceError } from "../../base/error.ts";

export const usualName = "my-job";

const pattern = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
/** Longer names of files are cut to it: a job's file is named after the first one. */
const charactersMax = 40;

export function isName(name: string): boolean {
  return pattern.test(name);
}

/** Throws `wrong-usage` for what is no name of a job. */
export function checkName(name: string): void {
  if (isName(name)) return;
  throw new MillraceError(
    "wrong-usage",
    `a job's name is lower-case words joined by hyphens, such as "page-views", not ${JSON.stringify(name)}`,
  );
}

/** A job's name after the file that it reads: "Sales_2024.csv.gz" is "sales-2024". */
export function nameAfter(source: string): string {
  const file = source.replace(/\/+$/, "").split("/").at(-1)!;
  const words = file
    .replace(/(?<=.)(?:\.[A-Za-z][A-Za-z0-9]*)+$/, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, charactersMax)
    .replace(/^[^a-z]+|-+$/g, "");
  return pattern.test(words) ? words : usualName;
}
