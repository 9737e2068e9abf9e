// Parameters checked by a Standard Schema. A schema does not say of which type its parameters are, and the command line
// gives text: where it refuses a parameter whose text is a JSON number, true or false, it is asked again with that
// value instead.
import { MillraceError } from "../../base/error.ts";
import {
  issuesText,
  isThenable,
  type SchemaIssue,
  type Validated,
  validatedOf,
} from "../../base/value/standard-schema.ts";
import { describeThrown } from "../thrown.ts";
import type { StandardSchema } from "./params.ts";
import { wrongParams } from "./read.ts";

type Given = ReadonlyMap<string, unknown>;

const issuesShown = 10;

/**
 * What the schema makes of the parameters. Throws `wrong-params` in the schema's own words, `user-error` when its code
 * throws.
 */
export async function schemaValue(schema: StandardSchema, given: Given): Promise<unknown> {
  const asked = new Map(given);
  const converted = new Set<string>();
  for (;;) {
    const { value, issues } = await ask(schema, asked);
    if (issues === undefined) return value;
    const more = refusedTexts(issues, asked);
    if (more.length === 0) {
      const shown = await meantIssues(schema, given, asked, converted, issues);
      throw wrongParams(`the job's schema refuses the parameters: ${issuesText(shown, issuesShown)}`);
    }
    for (const name of more) {
      asked.set(name, readValue(asked.get(name)));
      converted.add(name);
    }
  }
}

/**
 * Names of texts that were refused and can be read as another value; where an issue does not say what it is about, all
 * such names.
 */
function refusedTexts(issues: readonly SchemaIssue[], asked: Given): string[] {
  const refused = new Set(issues.map(({ path }) => path[0]));
  return [...asked].flatMap(([name, value]) =>
    (refused.has(name) || refused.has(undefined)) && readValue(value) !== value ? [name] : [],
  );
}

/** The number, true or false that a text stands for, if none of its digits are lost; otherwise the value itself. */
function readValue(value: unknown): unknown {
  if (typeof value !== "string" || !/^(?:true|false|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/.test(value))
    return value;
  const read: unknown = JSON.parse(value);
  const isLost = typeof read === "number" && (!Number.isFinite(read) || (Number.isInteger(read) && !isExact(read)));
  return isLost ? value : read;
}

function isExact(integer: number): boolean {
  return Number.isSafeInteger(integer);
}

/**
 * The issues that say what is wrong with what the caller meant: `2` that should be at least 3 is too small, and not of
 * the wrong type because the command line gives text. To find out whether the text or the value was meant, the schema
 * is asked about other values of the same type: where it refuses all of them in the same words, it does not want the
 * type.
 */
async function meantIssues(
  schema: StandardSchema,
  given: Given,
  asked: Given,
  converted: ReadonlySet<string>,
  issues: readonly SchemaIssue[],
): Promise<readonly SchemaIssue[]> {
  const shown: SchemaIssue[] = [];
  const seen = new Set<string>();
  for (const issue of issues) {
    const name = issue.path[0];
    if (name === undefined || !converted.has(name)) shown.push(issue);
    else if (!seen.has(name)) {
      seen.add(name);
      const text = new Refusal(schema, asked, name, given.get(name));
      const value = new Refusal(schema, asked, name, asked.get(name));
      const ofText = await text.issues();
      const isValueMeant = (await value.depends()) || ofText.length === 0;
      if (!isValueMeant || (await text.depends())) shown.push(...ofText);
      if (isValueMeant) shown.push(...(await value.issues()));
    }
  }
  return shown;
}

/** What the schema says about one parameter, with all others as they are. */
class Refusal {
  readonly #schema: StandardSchema;
  readonly #others: Given;
  readonly #name: string;
  readonly #value: unknown;

  constructor(schema: StandardSchema, others: Given, name: string, value: unknown) {
    this.#schema = schema;
    this.#others = others;
    this.#name = name;
    this.#value = value;
  }

  async issues(value: unknown = this.#value): Promise<readonly SchemaIssue[]> {
    const { issues = [] } = await ask(this.#schema, new Map(this.#others).set(this.#name, value));
    return issues.filter(({ path }) => path[0] === this.#name);
  }

  /** Whether the value is refused for what it is, and not for its type. */
  async depends(): Promise<boolean> {
    const own = wordsOf(await this.issues(), this.#value);
    for (const other of othersLike(this.#value)) {
      try {
        if (wordsOf(await this.issues(other), other) !== own) return true;
      } catch {
        return true; // the schema's code threw because of the value
      }
    }
    return false;
  }
}

function othersLike(value: unknown): readonly unknown[] {
  if (typeof value === "number") return [value + 1, -value, 0.5, 1e9, -1e9];
  if (typeof value === "boolean") return [!value];
  return [`${String(value)}x`, "", "a", "2024-01-01"];
}

/** The issues' words without the refused value, which messages may quote. */
function wordsOf(issues: readonly SchemaIssue[], value: unknown): string {
  const quoted = JSON.stringify(value);
  const texts = issues.map(({ path, message }) => {
    const plain = message.replaceAll(quoted, "…").replaceAll(`'${String(value)}'`, "…");
    if (typeof value === "string") return [path, plain];
    return [path, plain.replace(new RegExp(`(?<![\\w.])${quoted.replaceAll(/[.+]/g, "\\$&")}(?![\\w.])`, "g"), "…")];
  });
  return JSON.stringify(texts);
}

async function ask(schema: StandardSchema, given: Given): Promise<Validated> {
  const standard = schema["~standard"];
  let result: unknown;
  try {
    result = standard.validate(Object.fromEntries(given));
    if (isThenable(result)) result = await result;
  } catch (thrown) {
    const { message, stack } = describeThrown(thrown);
    const frames = stack === undefined ? "" : `\n${stack.replace(/^/gm, "  ")}`;
    throw new MillraceError("user-error", `the schema of params throws: ${message}${frames}`, { cause: thrown });
  }
  if (typeof result === "object" && result !== null) return validatedOf(result);
  throw new MillraceError(
    "wrong-job",
    `the schema of params (${standard.vendor}) is not a Standard Schema: its validate returned neither a value nor issues`,
  );
}
