// Reads the answers of a Standard Schema (standardschema.dev). A schema is user code, so none of its answers is trusted
// to have a certain shape.
import { messageOf } from "./message.ts";

export interface SchemaIssue {
  readonly message: string;
  /** Names and indexes that lead to the refused part. */
  readonly path: readonly string[];
}

/** The outcome. Where `issues` is undefined, `value` is what the schema made of its input. */
export interface Validated {
  readonly value: unknown;
  readonly issues: readonly SchemaIssue[] | undefined;
}

const issuesMax = 100;

/**
 * Whether the value has a function to validate by; the property alone makes no schema. Schemas of arktype are
 * functions.
 */
export function hasValidate(value: object): boolean {
  const standard = (value as { readonly "~standard"?: unknown })["~standard"];
  return (
    typeof standard === "object" &&
    standard !== null &&
    "validate" in standard &&
    typeof standard.validate === "function"
  );
}

/** Reads what `validate` returned, or what its promise resolved to. */
export function validatedOf(result: object): Validated {
  const { value, issues } = result as { readonly value?: unknown; readonly issues?: unknown };
  if (issues === undefined || issues === null) return { value, issues: undefined };
  const listed: readonly unknown[] = Array.isArray(issues) ? issues.slice(0, issuesMax) : [];
  return { value: undefined, issues: listed.map(issueOf) };
}

/** "id: expected a string; and 2 more". */
export function issuesText(issues: readonly SchemaIssue[], shownMax: number): string {
  if (issues.length === 0) return "it gives no reason";
  const shown = issues
    .slice(0, shownMax)
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`));
  const more = issues.length - shown.length;
  return more > 0 ? `${shown.join("; ")}; and ${more} more` : shown.join("; ");
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    typeof (value as { readonly then?: unknown }).then === "function"
  );
}

function issueOf(issue: unknown): SchemaIssue {
  if (typeof issue !== "object" || issue === null) return { message: messageOf(issue), path: [] };
  const { message, path } = issue as { readonly message?: unknown; readonly path?: unknown };
  return { message: messageOf(message), path: Array.isArray(path) ? path.map(stepOf) : [] };
}

/** A step is a key, or an object that holds one. */
function stepOf(step: unknown): string {
  const key: unknown = typeof step === "object" && step !== null && "key" in step ? step.key : step;
  return typeof key === "symbol" ? key.toString() : messageOf(key);
}
