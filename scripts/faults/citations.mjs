// Where a text cites a fault, a requirement of security or an invariant, in each of the spellings that are in use:
// "fault 64", "faults 33, 65", "faults 1 to 9, 21 and 22", "Fault 7:", "faults 49–58", "S2", "I3, I16".

/** A space, or the end of a line and the sign of the comment that goes on in the next one. */
const space = String.raw`(?:[ \t]|[ \t]*\r?\n[ \t]*(?:/{2,}|\*|#)?[ \t]*)`;
const number = String.raw`\d+(?:\.\d+)*(?![\w%])`;
const item = `${number}(?:(?:${space}?[-–]${space}?|${space}(?:to|through)${space})${number})?`;
const comma = `(?:${space}?,${space}?(?:(?:and|or)${space})?|${space}(?:and|or|&)${space}|/)`;
const faults = new RegExp(
  String.raw`(?<![\w-])faults?${space}[(#]?(${item}(?:${comma}(?:faults?${space})?${item})*)`,
  "gi",
);
const range = new RegExp(`(${number})(?:(?:${space}*[-–]${space}*|${space}(?:to|through)${space})(${number}))?`, "g");
const letters = /(?<![\w$.])([SI])(\d+)(?!\w|:\/\/)(?:(?: to |\s?[-–]\s?)\1(\d+)(?!\w))?/g;

/** The longest range that is taken for one: what is longer is no list of faults. */
const rangeMax = 200;

/** Each citation with the offset at which it begins: `{ tag: "fault 12" | "S2" | "I3", at }`. */
export function citationsIn(text) {
  const found = [];
  for (const list of text.matchAll(faults)) {
    for (const [, first, last] of list[1].matchAll(range)) {
      for (const one of between(first, last)) found.push({ tag: `fault ${one}`, at: list.index });
    }
  }
  for (const { 1: letter, 2: first, 3: last, index } of text.matchAll(letters)) {
    for (const one of between(first, last)) found.push({ tag: `${letter}${one}`, at: index });
  }
  return found;
}

function between(first, last = first) {
  const [from, to] = [Number(first), Number(last)];
  const isRange = Number.isInteger(from) && Number.isInteger(to) && from <= to && to - from <= rangeMax;
  if (!isRange) return [...new Set([first, last])];
  return Array.from({ length: to - from + 1 }, (_, i) => String(from + i));
}

/**
 * The numbers that the name of a test stands for. S3 is also the name of a protocol, so a name counts for that
 * requirement only where it begins with it.
 */
export function tagsOfName(name) {
  const tags = citationsIn(name).map(({ tag }) => tag);
  return new Set(tags.filter((tag) => tag !== "S3" || /^S3\b(?!:\/\/)/.test(name)));
}

/** Whether a text begins as the names of tests do: with its numbers and a colon. */
export function beginsWithTags(text) {
  return /^(?:[Ff]aults? \d[^:]{0,80}|[SI]\d+(?:, [SI]\d+)*):(?!\/\/)/.test(text);
}
