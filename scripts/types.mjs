// Rolls the declarations of the public API up into two files: `node scripts/types.mjs FOLDER` writes index.d.ts, and
// testing.d.ts, which imports from the first one what both need: a type that is declared twice (by a unique symbol,
// say) would not fit itself. scripts/build.mjs calls it.
//
// Declarations are made file by file, without a type checker, as far as they are reachable from the exports: some fifty
// files in a second, where a program of all sources takes eight. A file that has exports without a written type goes
// through the checker.

import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import ts from "typescript";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const target = resolve(process.argv[2] ?? "dist");
const options = {
  target: ts.ScriptTarget.ES2023,
  lib: ["lib.es2023.d.ts"],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ["node"],
  strict: true,
  skipLibCheck: true,
  declaration: true,
  emitDeclarationOnly: true,
  allowImportingTsExtensions: true,
};
/**
 * Globals that are of the DOM's or of Node's types, which not every project has. An empty interface is merged with the
 * one that is there, if any.
 */
const globals = ["AbortSignal"];

const [first, second] = ["index", "testing"];
// Within the checkout, so that packages which declarations name are found.
const scratch = mkdtempSync(join(root, ".dist-types-"));
/** Where the declarations of a source are written. */
const declared = (path) => join(scratch, path.replace(/\.ts$/, ".d.ts"));
try {
  const made = new Map();
  addDeclarations(made, `src/${first}.ts`);
  const shared = new Set([...made.keys()].map(declared));
  addDeclarations(made, `src/${second}.ts`);
  for (const [path, text] of made) {
    mkdirSync(dirname(declared(path)), { recursive: true });
    writeFileSync(declared(path), text);
  }
  await rollUp(shared);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** Adds the declarations of all files that those of the entry name, as far as they are not there yet. */
function addDeclarations(made, entry) {
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (made.has(path)) continue;
    const text = declarationsOf(path);
    made.set(path, text);
    for (const { fileName } of ts.preProcessFile(text, true, true).importedFiles)
      if (fileName.startsWith(".")) waiting.push(join(dirname(path), fileName));
  }
}

function declarationsOf(path) {
  const { outputText, diagnostics } = ts.transpileDeclaration(readFileSync(join(root, path), "utf8"), {
    fileName: path,
    reportDiagnostics: true,
    compilerOptions: { ...options, isolatedDeclarations: true },
  });
  return diagnostics.length === 0 ? outputText : checkedDeclarationsOf(path);
}

/** What types the file's exports have when no one has written them down. */
function checkedDeclarationsOf(path) {
  const file = join(root, path);
  // The types of Node are most of the work, and few files need them.
  let program = ts.createProgram([file], { ...options, types: [] });
  if (program.getSemanticDiagnostics().length > 0) program = ts.createProgram([file], options);
  let text;
  const { diagnostics } = program.emit(program.getSourceFile(file), (_, written) => (text = written), undefined, true);
  if (text !== undefined && diagnostics.length === 0) return text;
  const why = diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  throw new Error(`${path} has no declarations: ${why.join("; ")}`);
}

/** `shared`: the files of the first entry, which stay in it. */
async function rollUp(shared) {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const sources = {
    name: "declarations of this repository",
    resolveId(source, importer) {
      if (importer === undefined || isBuiltin(source) || source in dependencies) return null;
      if (source.startsWith(".")) return join(dirname(importer), source.replace(/\.ts$/, ".d.ts"));
      throw new Error(`${relative(scratch, importer)}: users of the package don't have ${source}`);
    },
  };
  const bundle = await rollup({
    input: Object.fromEntries([first, second].map((name) => [name, declared(`src/${name}.ts`)])),
    plugins: [sources, dts()],
    external: (id) => !id.startsWith(".") && !isAbsolute(id),
    preserveEntrySignatures: "allow-extension",
    onwarn(warning) {
      throw new Error(warning.message);
    },
  });
  const { output } = await bundle.write({
    dir: target,
    minifyInternalExports: false,
    manualChunks: (id) => (shared.has(id) ? first : second),
  });
  await bundle.close();
  const names = output.map(({ fileName }) => fileName).sort();
  assert.deepEqual(names, [`${first}.d.ts`, `${second}.d.ts`]);
  const merged = globals.map((name) => `  interface ${name} {}\n`).join("");
  appendFileSync(join(target, `${first}.d.ts`), `\ndeclare global {\n${merged}}\n`);
}
