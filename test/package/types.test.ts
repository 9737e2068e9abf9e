// The two files of declarations that the package holds, as a user's compiler reads them: strictly, and without the
// types of Node and of the DOM.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { afterAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const declarations = ["index", "testing"].map((name) => `${root}/dist/${name}.d.ts`);
// Within the repository, so that the types of Node are found where a test wants them.
const folder = mkdtempSync(join(root, "test/docs/.types-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const strictest: ts.CompilerOptions = {
  noEmit: true,
  strict: true,
  target: ts.ScriptTarget.ES2022,
  lib: ["lib.es2023.d.ts"],
  module: ts.ModuleKind.NodeNext,
  types: [],
  skipLibCheck: false,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  paths: { millrace: [`${root}/dist/index.d.ts`], "millrace/testing": [`${root}/dist/testing.d.ts`] },
};

/** What the compiler says of the files, as "name:line message". */
function errorsOf(files: readonly string[], options: ts.CompilerOptions): string[] {
  const program = ts.createProgram(files, options);
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
    return `${file?.fileName.slice(root.length + 1)}:${line} ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
}

/** A file that tests the declarations with the package's name, beside a package.json that makes it a module. */
function write(name: string, text: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

describe("the declarations in the package", () => {
  it("have no error under the strictest settings, without the types of Node and of the DOM", () => {
    expect(errorsOf(declarations, strictest)).toEqual([]);
  });

  it("say what compiles and what does not, exactly as the sources do", () => {
    const examples = readFileSync(join(root, "test/types/api.examples.ts"), "utf8");
    const config = ts.readConfigFile(`${root}/tsconfig.json`, ts.sys.readFile).config as { compilerOptions: object };
    const { options } = ts.parseJsonConfigFileContent({ ...config, files: [] }, ts.sys, root);
    const { paths } = strictest;
    expect(examples.match(/@ts-expect-error/g)!.length).toBeGreaterThan(30);
    expect(errorsOf([write("examples.ts", examples)], { ...options, paths: paths! })).toEqual([]);
  }, 120_000);

  it("have one Job: what millrace makes fits millrace/testing", () => {
    const uses = `
import { defineJob, sum, text, uint, utf8, type InlineResult, type Job } from "millrace";
import { runInline, type InlineResult as Same } from "millrace/testing";
const job = defineJob({ name: "a", input: text(), key: utf8, value: uint, map(line, emit) { emit(line, 1); }, combine: sum });
const { records } = await runInline(job, ["a"]);
export const first: readonly [string, number] | undefined = records[0];
export const same = (result: Same<never>): InlineResult<never> => result;
export type Any = Job;
// @ts-expect-error a record is a line
await runInline(job, [1]);
`;
    expect(errorsOf([write("uses.ts", uses)], strictest)).toEqual([]);
    const testing = readFileSync(declarations[1]!, "utf8");
    expect(testing).toContain(`from './index.js'`);
    expect(testing).not.toContain("unique symbol");
  });

  it("hold the doc comments: every exported name has one", () => {
    const program = ts.createProgram(declarations, strictest);
    const checker = program.getTypeChecker();
    const exported = declarations.flatMap((path) =>
      checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(path)!)!),
    );
    const bare = exported
      .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
      .filter((symbol) => symbol.getDocumentationComment(checker).length === 0)
      .map(({ name }) => name);
    expect(exported.length).toBeGreaterThan(90);
    expect(bare).toEqual([]);
  });

  it("are all there is: no program of the sources leaves others in dist", () => {
    const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      exports: Record<string, { types: string } | string>;
    };
    const named = Object.values(exports).flatMap((entry) => (typeof entry === "string" ? [] : [entry.types]));
    expect(named.map((path) => join(root, path))).toEqual(declarations);
  });
});
