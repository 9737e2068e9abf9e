// The text of docs/faults.md: the definitions, with how many tests each row has, and below them the tests.

const firstCells = { fault: (cell) => `fault ${cell}`, requirement: (cell) => cell, invariant: (cell) => cell };

/** The tags that the tables of the definitions define, in their order, each as often as it is defined. */
export function tagsDefined(definitions) {
  return rowsOf(definitions).flatMap(({ tag }) => (tag === undefined ? [] : [tag]));
}

/** The page for these definitions and this evidence; `allowed` says of a row without a test why it has none. */
export function pageOf(definitions, evidence, allowed) {
  const of = (tag) => evidence.filter(({ tags }) => tags.has(tag));
  const lines = rowsOf(definitions).map(({ line, kind, tag }) => {
    if (kind === "head") return `${line} tests |`;
    if (kind === "rule") return `${line}---|`;
    if (tag === undefined) return line;
    const count = of(tag).length;
    return `${line} ${count === 0 ? "[not covered](#not-covered)" : `[${count}](#${anchorOf(tag)})`} |`;
  });
  const tags = tagsDefined(definitions);
  const uncovered = tags.filter((tag) => of(tag).length === 0);
  return [
    "<!-- Made by `npm run docs` from scripts/faults/definitions.md and the names of tests: change those, not this page. -->",
    "",
    lines.join("\n").trimEnd(),
    "",
    "## Not covered",
    "",
    uncovered.length === 0
      ? "Every row has a test."
      : `No test names ${uncovered.length === 1 ? "this row" : "these rows"}. The list may get shorter (\`scripts/faults/not-covered.json\`), not longer.`,
    "",
    ...uncovered.map((tag) => `- **${tag}**: ${allowed[tag] ?? "no reason is given"}`),
    ...(uncovered.length === 0 ? [] : [""]),
    "## The tests",
    "",
    ...tags.filter((tag) => of(tag).length > 0).flatMap((tag) => [`### ${headingOf(tag)}`, "", ...listOf(of(tag)), ""]),
  ]
    .join("\n")
    .trimEnd()
    .concat("\n");
}

/** The lines of the definitions; rows of their tables have the tag that they define. */
function rowsOf(definitions) {
  let tagOf;
  return definitions.split("\n").map((line) => {
    const first = /^\| *([^|]*?) *\|/.exec(line)?.[1];
    if (first === undefined) {
      tagOf = undefined;
      return /^\|-/.test(line) ? { line, kind: "rule" } : { line, kind: "text" };
    }
    if (/^-+$/.test(first)) return { line, kind: "rule" };
    if (first in firstCells) {
      tagOf = firstCells[first];
      return { line, kind: "head" };
    }
    return tagOf === undefined ? { line, kind: "text" } : { line, kind: "row", tag: tagOf(first) };
  });
}

function listOf(evidence) {
  const files = grouped(evidence);
  return [...files].flatMap(([file, found]) => [
    `- \`${file}\``,
    ...found.map(({ kind, name }) => `  - ${kind === "seeded bug" ? "seeded bug: " : ""}${plain(name)}`),
  ]);
}

function grouped(evidence) {
  const files = new Map();
  for (const one of evidence) files.set(one.file, [...(files.get(one.file) ?? []), one]);
  return files;
}

/** As text: what Markdown would make something else of is escaped, but for `code`. */
function plain(name) {
  return name.replace(/[\\*_<[\]]/g, "\\$&").replace(/\s+/g, " ");
}

function headingOf(tag) {
  return tag.replace(/^f/, "F");
}

function anchorOf(tag) {
  return headingOf(tag).toLowerCase().replaceAll(" ", "-");
}
