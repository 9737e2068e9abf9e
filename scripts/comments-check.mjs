// Checks that comments are plain English within 120 columns: what the formatter does not do for comments.
// It fails on lines that are too long, on a doc comment that begins with "Of", on the phrases below, and on a long
// source file without an opening comment. Without arguments it reads src, test, scripts and bench, except for the
// folders that `pending` lists. `node scripts/comments-check.mjs FOLDER…` reads those folders, pending or not;
// `--count` prints the number of findings of each folder instead of the findings. `--root DIR` reads another copy of
// the repository.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** Folders whose comments no one has gone through yet. The list only ever shrinks. */
const pending = [];

const columns = 120;

/** A source file longer than this says at its top what it is. */
const linesWithoutOpening = 100;

const read = ["src", "test", "scripts", "bench"];
const generated = /^src\/wire\/gen\/|^bench\/recorded|node_modules/;

/** Phrases of the dialect that the comments were once written in, with what to say instead. */
const phrases = [
  [/\bso many\b(?! that\b)/gi, 'say "at most N", "this many" or a number'],
  [/\bso (?:often|long)\b(?! (?:as|that)\b)/gi, 'say "this often", "for this long" or a number'],
  [/\banew\b/gi, 'say "again"'],
  [/\bnobody\b/gi, 'say "no one", or who does not'],
  [/\bnone that\b/gi, "say what there is not"],
  [/\b(?:for|by|to|of|from|with|than|as) who\b/gi, 'say "callers that …", "whoever …"'],
  [/(?:^|[.:;] )who [^.?]*(?:\.|$)/gi, 'a statement can\'t begin with "who": say "callers that …", "whoever …"'],
];

/** Ranges of the text that only look as if a comment could begin in them: strings, templates, regular expressions. */
function literals(source) {
  const found = [];
  const visit = (node) => {
    if (
      ts.isStringLiteralLike(node) ||
      ts.isTemplateLiteralToken(node) ||
      node.kind === ts.SyntaxKind.RegularExpressionLiteral
    )
      found.push([node.getStart(source), node.end]);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found.sort(([a], [b]) => a - b);
}

/** The comments of a file, with neighbouring `//` lines as one: each its line and its text as it stands. */
function comments(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, false);
  const skip = literals(source);
  const start = /\/\/.*|\/\*[\s\S]*?\*\//g;
  const found = [];
  let next = 0;
  for (let match = start.exec(text); match !== null; match = start.exec(text)) {
    while (next < skip.length && skip[next][1] <= match.index) next++;
    if (next < skip.length && skip[next][0] <= match.index) {
      start.lastIndex = skip[next][1];
      continue;
    }
    const line = source.getLineAndCharacterOfPosition(match.index).line;
    const lineStart = text.lastIndexOf("\n", match.index) + 1;
    const isAlone = text.slice(lineStart, match.index).trim() === "";
    const before = found.at(-1);
    if (match[0].startsWith("//") && isAlone && before?.isLine && before.line + before.lines.length === line)
      before.lines.push(match[0]);
    else found.push({ line, lines: match[0].split("\n"), isLine: match[0].startsWith("//") && isAlone });
  }
  return found;
}

/**
 * Columns of a table or parts of a drawing, which can't be wrapped: a wide gap inside, cells, or line-drawing
 * characters.
 */
const isDrawn = (words) => /\S {3,}\S|^\||[─-▟→]{2}/.test(words);

const wordsOf = (line) => line.replace(/^\s*(?:\/\/+|\/\*+|\*+(?!\/))? ?/, "").replace(/\s*\*\/$/, "");

function findings(path, text) {
  const lines = text.split("\n");
  const found = [];
  const add = (line, what) => found.push(`${path}:${line + 1}: ${what}`);
  for (const comment of comments(path, text)) {
    for (let index = 0; index < comment.lines.length; index++) {
      const line = comment.line + index;
      const words = wordsOf(comment.lines[index]).trim();
      const canWrap = /\s/.test(words) && !isDrawn(words) && !/^(?:biome-ignore|@ts-|dprint)/.test(words);
      if (lines[line].length > columns && canWrap) add(line, `${lines[line].length} columns; wrap at ${columns}`);
    }
    const whole = comment.lines.map(wordsOf).join(" ").replace(/\s+/g, " ").trim();
    if (comment.lines[0].startsWith("/**") && /^Of\b/.test(whole))
      add(comment.line, 'a comment can\'t begin with "Of"');
    // What stands in quotes or backticks is quoted, not said.
    const said = whole.replace(/`[^`]*`|"[^"]*"/g, "…");
    for (const [phrase, advice] of phrases)
      for (const [words] of said.matchAll(phrase)) add(comment.line, `"${words.trim().slice(0, 60)}": ${advice}`);
  }
  const isSource = path.startsWith("src/") && !path.endsWith(".test.ts");
  if (isSource && lines.length > linesWithoutOpening && !/^(?:#!.*\n)?\s*\/[/*]/.test(text))
    add(0, `no opening comment in a file of more than ${linesWithoutOpening} lines`);
  return found;
}

const folderOf = (path) =>
  path.startsWith("src/") ? path.split("/").slice(0, -1).slice(0, 2).join("/") : path.split("/")[0];

const args = process.argv.slice(2);
const rootAt = args.indexOf("--root");
const root = rootAt < 0 ? dirname(dirname(fileURLToPath(import.meta.url))) : args.splice(rootAt, 2)[1];
const countAt = args.indexOf("--count");
if (countAt >= 0) args.splice(countAt, 1);
const wanted = args.map((arg) => arg.replace(/\/+$/, ""));

const files = read
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => `${folder}/${name}`),
  )
  .filter((path) => /\.(?:ts|mts|mjs)$/.test(path) && !generated.test(path))
  .filter((path) =>
    wanted.length > 0
      ? wanted.some((folder) => path === folder || path.startsWith(`${folder}/`))
      : countAt >= 0 || !pending.includes(folderOf(path)),
  )
  .sort();

const counts = new Map();
let total = 0;
for (const path of files) {
  const found = findings(path, readFileSync(join(root, path), "utf8"));
  total += found.length;
  counts.set(folderOf(path), (counts.get(folderOf(path)) ?? 0) + found.length);
  if (countAt < 0) for (const line of found) console.log(line);
}
if (countAt >= 0) for (const [folder, count] of counts) console.log(`${String(count).padStart(6)}  ${folder}`);
if (total > 0) console.log(`${total} findings in the comments of ${files.length} files`);
process.exitCode = total > 0 ? 1 : 0;
