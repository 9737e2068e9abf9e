// Creates records of declared fields with one hidden class, so that `map` finds their fields without a search.

/** Creates a record with these names, in their order, from values in the same order. */
export type MakeRecord = (values: readonly unknown[]) => Record<string, unknown>;

/** By number of fields: the names of the first records that were created by the literal with that many. */
const literalNames = new Map<number, string>();

/**
 * With few fields, records are object literals of computed names, which take 5 to 10 ns a field as long as each place
 * in the code sees one list of names. Records with other names, or more fields, are copies of an object whose values
 * are replaced: 13 ns a field. (Assigning names to an empty object takes 15 to 35 ns a field, and makes a dictionary of
 * an object with more than 16 of them.) Either way `__proto__` is a property like any other.
 */
export function recordMaker(texts: readonly string[]): MakeRecord {
  const names = texts.map(internalized);
  const key = JSON.stringify(names);
  const first = literalNames.get(names.length) ?? key;
  if (first !== key) return copied(names);
  literalNames.set(names.length, key);
  return literal(names) ?? copied(names);
}

/**
 * The string as V8 keeps it for names of properties: others are looked up for each record, which takes 60 ns a field.
 */
function internalized(text: string): string {
  return Object.keys({ [text]: 0 })[0]!;
}

/** undefined: there is no literal with this many names. */
function literal(names: readonly string[]): MakeRecord | undefined {
  const [a = "", b = "", c = "", d = "", e = "", f = "", g = "", h = ""] = names;
  switch (names.length) {
    case 1:
      return (v) => ({ [a]: v[0] });
    case 2:
      return (v) => ({ [a]: v[0], [b]: v[1] });
    case 3:
      return (v) => ({ [a]: v[0], [b]: v[1], [c]: v[2] });
    case 4:
      return (v) => ({ [a]: v[0], [b]: v[1], [c]: v[2], [d]: v[3] });
    case 5:
      return (v) => ({ [a]: v[0], [b]: v[1], [c]: v[2], [d]: v[3], [e]: v[4] });
    case 6:
      return (v) => ({ [a]: v[0], [b]: v[1], [c]: v[2], [d]: v[3], [e]: v[4], [f]: v[5] });
    case 7:
      return (v) => ({ [a]: v[0], [b]: v[1], [c]: v[2], [d]: v[3], [e]: v[4], [f]: v[5], [g]: v[6] });
    case 8:
      return (v) => ({ [a]: v[0], [b]: v[1], [c]: v[2], [d]: v[3], [e]: v[4], [f]: v[5], [g]: v[6], [h]: v[7] });
    default:
      return undefined;
  }
}

function copied(names: readonly string[]): MakeRecord {
  const all = (json: string): Record<string, unknown> =>
    JSON.parse(`{${names.map((name) => `${JSON.stringify(name)}:${json}`).join(",")}}`) as Record<string, unknown>;
  // V8 notes what each property holds: once it has seen all kinds of values, the copies' hidden class stays as it is.
  for (const json of ["1", "1.5", '"a"']) all(json);
  const blank = all("null");
  return (values) => {
    const record = { ...blank };
    for (let i = 0; i < names.length; i++) record[names[i]!] = values[i];
    return record;
  };
}
