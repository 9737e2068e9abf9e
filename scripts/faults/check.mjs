// What docs/faults.md has to say of a repository, and what is wrong with the numbers that the repository cites.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { citationsIn } from "./citations.mjs";
import { evidenceOf } from "./evidence.mjs";
import { pageOf, tagsDefined } from "./page.mjs";

const definitionsPath = "scripts/faults/definitions.md";
const allowedPath = "scripts/faults/not-covered.json";
export const pagePath = "docs/faults.md";

/** Not ours, made, or no words of ours. */
const leftOut = ["dist", "coverage", "tmp", "out", "examples/data", "src/wire/gen", "package-lock.json"];
const texts = /\.(?:[cm]?[jt]s|md|txt|json|proto|ya?ml|sh)$|^\.ci\//;

/** Reads all texts below `root`: `{ page, problems }`, the page as it must be and a line per mistake. */
export async function checkNumbers(root) {
  const files = filesBelow(root, root).map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
  const definitions = readFileSync(join(root, definitionsPath), "utf8");
  const allowed = JSON.parse(readFileSync(join(root, allowedPath), "utf8"));
  const evidence = await evidenceOf(files, root);
  const tags = tagsDefined(definitions);
  return {
    page: pageOf(definitions, evidence, allowed),
    problems: [...undefinedCitations(files, tags), ...wrongRows(tags, evidence, allowed)],
  };
}

function undefinedCitations(files, tags) {
  const defined = new Set(tags);
  return files
    .filter(({ path }) => path !== pagePath)
    .flatMap(({ path, text }) =>
      citationsIn(text)
        .filter(({ tag }) => !defined.has(tag))
        .map(({ tag, at }) => `${path}:${lineOf(text, at)}: ${tag} is not defined in ${definitionsPath}`),
    );
}

function wrongRows(tags, evidence, allowed) {
  const shown = new Set(evidence.flatMap((one) => [...one.tags]));
  const isAllowed = (tag) => Object.hasOwn(allowed, tag);
  const defects = [
    [definitionsPath, tags.filter((tag, i) => tags.indexOf(tag) !== i), () => "is defined more than once"],
    [
      definitionsPath,
      tags.filter((tag) => !shown.has(tag) && !isAllowed(tag)),
      (tag) => `has no test; begin the name of the test that shows it with "${tag}: "`,
    ],
    [allowedPath, Object.keys(allowed).filter((tag) => !tags.includes(tag)), () => "is not defined"],
    [
      allowedPath,
      Object.keys(allowed).filter((tag) => shown.has(tag)),
      () => "has a test now; take it off, so that the list can't grow again",
    ],
  ];
  return defects.flatMap(([path, wrong, why]) => wrong.map((tag) => `${path}: ${tag} ${why(tag)}`));
}

function lineOf(text, at) {
  return text.slice(0, at).split("\n").length;
}

/** Paths below `folder`, relative to the root and in one order everywhere. */
function filesBelow(root, folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = relative(root, join(folder, entry.name)).split(sep).join("/");
      if (leftOut.includes(path) || entry.name === "node_modules" || /^\.(?!ci$|github$)/.test(entry.name)) return [];
      if (entry.isDirectory()) return filesBelow(root, join(folder, entry.name));
      return entry.isFile() && texts.test(path) ? [path] : [];
    })
    .sort();
}
