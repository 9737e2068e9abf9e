// Records of declared fields, all of one hidden class, so that `map` finds its fields without looking for them.
import { setField } from "./json-field.ts";

/** Makes records of these names, in their order, of values in the same order. */
export type MakeRecord = (values: readonly unknown[]) => Record<string, unknown>;

/**
 * Object literals of computed names, which V8 makes in half the time that assigning one name after the other in a loop takes, as
 * each place in the code sees one name only. A computed `__proto__` is a property like any other.
 */
export function recordMaker(names: readonly string[]): MakeRecord {
  const [a = "", b = "", c = "", d = "", e = "", f = "", g = "", h = ""] = names;
  switch (names.length) {
    case 0:
      return () => ({});
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
      return manyFields(names);
  }
}

function manyFields(names: readonly string[]): MakeRecord {
  return (values) => {
    const record: Record<string, unknown> = {};
    for (let i = 0; i < names.length; i++) setField(record, names[i]!, values[i]);
    return record;
  };
}
