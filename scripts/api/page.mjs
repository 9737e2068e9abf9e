// What docs/api.md has to say of a program's exports, and which of them no theme names.
import ts from "typescript";
import { sectionOf } from "./section.mjs";

const intro = `<!-- Made by \`npm run docs\` from the doc comments in src/: change those, not this page. -->

# API

Everything that \`millrace\` and \`millrace/testing\` export, with the text that an editor shows. The [guide](guide.md) says how it goes together.
Properties are read-only. Words in backticks behind "Throws" are [error codes](errors.md); sizes and numbers that are bounded have
[a page of their own](limits.md).
`;

/**
 * The page of what `entries` export, by themes `[title, text, names]` in their order, and a line for each mistake in
 * these.
 */
export function apiPage(program, entries, themes) {
  const checker = program.getTypeChecker();
  const exported = new Map();
  for (const entry of entries) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
    for (const symbol of checker.getExportsOfModule(module))
      exported.set(symbol.name, symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
  }
  const problems = problemsOf(themes, exported);
  const sections = themes.map(([title, text, names]) => {
    const parts = names
      .filter((name) => exported.has(name))
      .map((name) => sectionOf(name, exported.get(name), checker, exported));
    const links = parts.map(({ name, anchor }) => `[${name}](#${anchor})`).join(" · ");
    return `## ${title}\n\n${text}\n\n${links}\n\n${parts.map((part) => part.text).join("\n")}`;
  });
  return { page: `${intro}\n${sections.join("\n")}`, problems };
}

function problemsOf(themes, exported) {
  const named = themes.flatMap(([, , names]) => names);
  return [
    ...[...exported.keys()]
      .filter((name) => !named.includes(name))
      .map(
        (name) =>
          `${name} is exported, and no theme names it: add it to one in scripts/api/themes.mjs, then npm run docs`,
      ),
    ...named
      .filter((name, index) => !exported.has(name) || named.indexOf(name) !== index)
      .map(
        (name) => `${name} is not exported, or named twice: remove it from scripts/api/themes.mjs, then npm run docs`,
      ),
  ];
}
