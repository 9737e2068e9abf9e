// Records of declared fields, all of one hidden class, so that `map` finds its fields without looking for them.

/** Makes records of these names, in their order, of values in the same order. */
export type MakeRecord = (values: readonly unknown[]) => Record<string, unknown>;

/** By number of fields: the names of the first records that were made by a literal of so many. */
const literalNames = new Map<number, string>();

/**
 * Few fields: object literals of computed names, 5 to 10 ns a field, as long as each place in the code sees one name only; records
 * of other names, and of more fields, are copies of an object whose values are replaced, 13 ns a field. (Assigning names to
 * an empty object takes 15 to 35 ns a field, and makes a dictionary of more than 16 of them.) `__proto__` is a property like any
 * other either way.
 */
export function recordMaker(texts: readonly string[]): MakeRecord {
  const names = texts.map(internalized);
  const key = JSON.stringify(names);
  const first = literalNames.get(names.length) ?? key;
  if (first !== key) return copied(names);
  literalNames.set(names.length, key);
  return literal(names) ?? copied(names);
}

/** As V8 keeps the names of properties: others are looked up for each record, 60 ns a field. */
function internalized(text: string): string {
  return Object.keys({ [text]: 0 })[0]!;
}

/** undefined: there is none of so many. */
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
  // V8 notes what each property holds: once any value has been seen, the copies' hidden class stays as it is.
  for (const json of ["1", "1.5", '"a"']) all(json);
  const blank = all("null");
  return (values) => {
    const record = { ...blank };
    for (let i = 0; i < names.length; i++) record[names[i]!] = values[i];
    return record;
  };
}
