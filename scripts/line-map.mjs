// Source maps by lines. esbuild maps each token, and bundles have no line breaks: the columns within a line of source
// would be a quarter of what is packed. A stack needs the line of a function.
const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The map without the segments that go on in the line of source of the one before. */
export function lineMap(map) {
  return { ...map, mappings: byLines(map.mappings) };
}

/**
 * Mappings as the format has them: generated lines between semicolons, segments between commas, each the differences
 * (to the last column of the line; to the last source, line and column) as numbers in base 64.
 */
function byLines(mappings) {
  const place = [0, 0, 0]; // source, line, column
  const written = [0, 0, 0];
  const lines = mappings.split(";").map((generated) => {
    let column = 0;
    let writtenColumn = 0;
    let last;
    const kept = [];
    for (const segment of generated === "" ? [] : generated.split(",")) {
      const [columns, ...differences] = numbersIn(segment);
      column += columns;
      if (differences.length > 0) for (const i of place.keys()) place[i] += differences[i];
      const here = differences.length === 0 ? "" : `${place[0]}:${place[1]}`;
      if (here === last) continue;
      last = here;
      const numbers = [column - writtenColumn];
      writtenColumn = column;
      if (here !== "") {
        numbers.push(...place.map((value, i) => value - written[i]));
        written.splice(0, 3, ...place);
      }
      kept.push(numbers.map(encoded).join(""));
    }
    return kept.join(",");
  });
  return lines.join(";");
}

function numbersIn(segment) {
  const numbers = [];
  let value = 0;
  let shift = 0;
  for (const character of segment) {
    const digit = digits.indexOf(character);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >>> 1) : value >>> 1);
    value = shift = 0;
  }
  return numbers;
}

function encoded(number) {
  let value = number < 0 ? (-number << 1) | 1 : number << 1;
  let text = "";
  do {
    const digit = value & 31;
    value >>>= 5;
    text += digits[value > 0 ? digit | 32 : digit];
  } while (value > 0);
  return text;
}
