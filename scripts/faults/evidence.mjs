// What shows that the numbers hold: names of tests, scenarios of the scheduler, checks of the simulation, seeded bugs.
// Each is `{ file, kind, name, tags }`.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { beginsWithTags, citationsIn, tagsOfName } from "./citations.mjs";

const testFunctions = new Set(["test", "it", "describe"]);
const neverRun = new Set(["skip", "todo"]);

/** The evidence in all files, given as `{ path, text }`, and in the seeded bugs below `root`. */
export async function evidenceOf(files, root) {
  const found = [];
  for (const { path, text } of files) {
    if (path.startsWith("test/scenarios/") && path.endsWith(".txt")) found.push(...scenarioOf(path, text));
    if (path.endsWith(".ts") && citationsIn(text).length > 0) {
      const isOfTests = path.startsWith("test/") || path.endsWith(".test.ts");
      if (isOfTests) found.push(...testsOf(path, text));
    }
  }
  return [...found, ...(await seededBugsOf(root))];
}

function scenarioOf(file, text) {
  const heading = /^(?:#.*\n)+/.exec(text)?.[0] ?? "";
  const name = heading.replace(/^# ?/gm, "").replace(/\s+/g, " ").trim();
  const tags = tagsOfName(name);
  return tags.size === 0 ? [] : [{ file, kind: "test", name, tags }];
}

/**
 * The names of tests: what `test`, `it` and `describe` are called with, the `name` of a case in a table, and texts in a
 * table that begin with a number as names do. What is skipped whatever happens has no names. Beside them the checks of
 * the simulation, which ends a world by `violate("I5", …)` where an invariant does not hold.
 */
function testsOf(file, text) {
  const names = new Set();
  const checked = new Set();
  const visit = (node) => {
    if (ts.isCallExpression(node)) {
      const words = calleeOf(node.expression);
      if (testFunctions.has(words[0]) && words.some((word) => neverRun.has(word))) return;
      const first = node.arguments[0] && textOf(node.arguments[0]);
      if (testFunctions.has(words[0])) names.add(first);
      if (words.at(-1) === "violate" && /^I\d+$/.test(first)) checked.add(first);
    }
    if (ts.isPropertyAssignment(node) && node.name.getText() === "name") names.add(textOf(node.initializer));
    if (ts.isArrayLiteralExpression(node))
      for (const cell of node.elements.map(textOf)) if (beginsWithTags(cell ?? "")) names.add(cell);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  const found = [...names]
    .filter((name) => name !== undefined && tagsOfName(name).size > 0)
    .map((name) => ({ file, kind: "test", name, tags: tagsOfName(name) }));
  if (checked.size === 0) return found;
  return [...found, { file, kind: "check", name: "checked in every world of the simulation", tags: checked }];
}

/** `test.skipIf(x).each(y)` is ["test", "skipIf", "each"]. */
function calleeOf(expression) {
  if (ts.isIdentifier(expression)) return [expression.text];
  if (expression.kind === ts.SyntaxKind.ThisKeyword) return ["this"];
  if (ts.isPropertyAccessExpression(expression)) return [...calleeOf(expression.expression), expression.name.text];
  if (ts.isCallExpression(expression)) return calleeOf(expression.expression);
  if (ts.isTaggedTemplateExpression(expression)) return calleeOf(expression.tag);
  return [];
}

function textOf(node) {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join("");
}

async function seededBugsOf(root) {
  const found = [];
  for (const [file, exported] of [
    ["scripts/simulate/mutants.mjs", "mutants"],
    ["scripts/simulate/test-mutants.mjs", "testMutants"],
  ]) {
    if (!existsSync(join(root, file))) continue;
    const { [exported]: bugs } = await import(pathToFileURL(join(root, file)).href);
    for (const { name, source, invariants = [] } of bugs) {
      const tags = new Set([...citationsIn(source).map(({ tag }) => tag), ...invariants]);
      if (tags.size > 0) found.push({ file, kind: "seeded bug", name, tags });
    }
  }
  return found;
}
