// The keys that are most like one that is not there.
import { nearest } from "../../base/closest.ts";
import { valueOfShown } from "../../base/value/shown.ts";

/**
 * Those of the keys that are few edits away from the text, or of which the text is a part: "startup" is near to
 * ["startup",14]. At most `count`; empty where none is near. Keys are as `keyWord` writes them.
 */
export function nearKeys(text: string, keys: readonly string[], count: number): string[] {
  const wanted = plainOf(text);
  // Two keys may look alike without their quotes and brackets.
  const byPlain = new Map<string, string[]>();
  const parts: string[] = [];
  for (const key of keys) {
    const plain = plainOf(key);
    byPlain.set(plain, [...(byPlain.get(plain) ?? []), key]);
    if (wanted !== "" && plain.split("\n").includes(wanted)) parts.push(key);
  }
  const near = nearest(wanted, byPlain.keys(), count).flatMap((plain) => byPlain.get(plain) ?? []);
  return [...new Set([...near, ...parts])].slice(0, count);
}

/** What a person looks at: the values, without quotes, brackets and names, each on its line. */
function plainOf(text: string): string {
  const read = valueOfShown(text);
  return read === undefined ? text : leaves(read.value).join("\n");
}

function leaves(value: unknown): string[] {
  if (value instanceof Date) return [value.toISOString()];
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap(leaves);
  return [String(value)];
}
