import { didYouMean } from "../../base/closest.ts";
import { excerptOf } from "../../base/excerpt.ts";
import { checkName, isFormat, isObject, refuseUncalled, type UserFunction, userFunction, wrong } from "../check.ts";
import type { NamedInput } from "../definition.ts";

/** Parses a job's `input` and `map`, which must have the same shape. Throws `wrong-job`. */
export function parseInputs(input: unknown, map: unknown): readonly NamedInput[] {
  if (input === undefined) throw wrong("input is missing: say how input files are read, for example input: text()");
  refuseUncalled("input", input);
  if (map === undefined) throw wrong("map is missing");
  if (isFormat(input, "read")) {
    if (typeof map === "object" && map !== null) {
      throw wrong("there is one input, so map is one function; functions by name belong to several inputs");
    }
    return [namedInput("", input, userFunction("map", map))];
  }
  if (isFormat(input, "write")) throw wrong("the format given as input can only be written");
  if (!isObject(input) || Object.keys(input).length === 0) {
    throw wrong(`input is a format such as text(), or an object of formats by name, not ${excerptOf(input)}`);
  }
  const names = Object.keys(input);
  if (typeof map === "function") {
    const shown = names.map((name) => `${name}(record, emit) {…}`).join(", ");
    throw wrong(`there are several inputs, so map has a function for each: map: { ${shown} }`);
  }
  if (!isObject(map)) throw wrong(`map is an object with a function for each input, not ${excerptOf(map)}`);
  for (const name of Object.keys(map)) {
    if (!names.includes(name))
      throw wrong(`map has a function for ${JSON.stringify(name)}, which is not an input${didYouMean(name, names)}`);
  }
  return names.map((name) => {
    checkName("an input", name);
    refuseUncalled(`input ${name}`, input[name]);
    if (!isFormat(input[name], "read"))
      throw wrong(`input ${name} is not a format that can be read: ${excerptOf(input[name])}`);
    if (!Object.hasOwn(map, name)) throw wrong(`map has no function for the input ${JSON.stringify(name)}`);
    return namedInput(name, input[name], userFunction(`map.${name}`, map[name]));
  });
}

function namedInput(name: string, format: object, map: UserFunction): NamedInput {
  return { name, format: format as NamedInput["format"], map };
}
