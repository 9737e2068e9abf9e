// Options by name that a function takes, checked where there are no types (JavaScript, casts, options in a variable): a
// misspelt one would be without effect, and whoever gave it would not know.
import { didYouMean } from "../closest.ts";
import { MillraceError } from "../error.ts";
import { excerptOf } from "../excerpt.ts";

/**
 * The names of all options of an interface. `{ … } satisfies OptionNames<Options>` does not compile with a name too
 * many or too few, so that a list of names can't lag behind the interface.
 */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/** Throws for options that are no object, and for one that is not known. Options that are left out are fine. */
export function checkOptions(
  what: string,
  given: unknown,
  known: Readonly<Record<string, true>>,
  code: "wrong-job" | "wrong-usage" = "wrong-job",
): void {
  if (given === undefined) return;
  const names = Object.keys(known);
  const listed = names.length === 0 ? "it takes none" : `there are ${names.join(", ")}`;
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new MillraceError(code, `${what} takes its options as an object, not ${excerptOf(given)}; ${listed}`);
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue;
    throw new MillraceError(code, `${what} has no option ${excerptOf(name)}${didYouMean(name, names)}; ${listed}`);
  }
}
