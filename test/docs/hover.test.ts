// What an editor shows over the public API: everything that `millrace` and `millrace/testing` export, and every member
// of it, has a doc comment; option members that may be left out say what happens then; and the error codes that
// comments name exist.

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { beforeAll, describe, expect, it } from "vitest";
import { isErrorCode } from "../../src/base/error-codes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

interface Shown {
  /** File and name, such as "src/job/run-options.ts RunOptions.slots". */
  readonly where: string;
  readonly text: string;
  readonly optional: boolean;
  /** Codes of its `@throws` tags. */
  readonly throws: readonly string[];
}

/** Every exported name, and every member of it and of the types of this repository that its declaration names. */
function publicApi(): Shown[] {
  const config = ts.readConfigFile(`${root}/tsconfig.json`, ts.sys.readFile).config;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const entries = ["src/index.ts", "src/testing.ts"].map((path) => `${root}/${path}`);
  const program = ts.createProgram(entries, { ...options, noEmit: true });
  const checker = program.getTypeChecker();
  const shown: Shown[] = [];
  const seen = new Set<ts.Node>();

  const add = (name: string, node: ts.Node, symbol: ts.Symbol, optional = false) => {
    shown.push({
      where: `${relative(root, node.getSourceFile().fileName)} ${name}`,
      text: ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim(),
      optional,
      throws: symbol
        .getJsDocTags(checker)
        .filter((tag) => tag.name === "throws")
        .map((tag) => ts.displayPartsToString(tag.text)),
    });
  };

  /** Members that stand below a declaration, and the declarations of the types that it refers to. */
  const walk = (name: string, node: ts.Node): void => {
    const symbolOf = (part: ts.Node) => checker.getSymbolAtLocation(part);
    const visit = (at: string, part: ts.Node): void => {
      if (ts.isBlock(part)) return;
      if (ts.isTypeElement(part) || ts.isClassElement(part)) {
        // Members without a name (constructors, signatures) or with a symbol for one are not seen in an editor.
        if (part.name !== undefined && !ts.isIdentifier(part.name) && !ts.isStringLiteral(part.name)) return;
        const symbol = part.name && symbolOf(part.name);
        if (symbol !== undefined) {
          const inner = `${at}.${part.name!.getText()}`;
          add(inner, part, symbol, ts.isPropertySignature(part) && part.questionToken !== undefined);
          ts.forEachChild(part, (child) => visit(inner, child));
          return;
        }
      }
      // A literal that is a type argument gives types to members that are declared elsewhere, and of an indexed type
      // only one is seen.
      if (ts.isIndexedAccessTypeNode(part)) return;
      if (ts.isTypeLiteralNode(part) && ts.isTypeReferenceNode(part.parent)) return;
      // What a type is compared with has no members that anyone sees.
      if (ts.isConditionalTypeNode(part)) {
        visit(at, part.trueType);
        visit(at, part.falseType);
        return;
      }
      const referred = ts.isTypeReferenceNode(part)
        ? part.typeName
        : ts.isExpressionWithTypeArguments(part)
          ? part.expression
          : undefined;
      if (referred !== undefined) follow(symbolOf(referred));
      ts.forEachChild(part, (child) => visit(at, child));
    };
    // Of a function the parameters and the result, of a constant its type: what it is made of is not seen.
    const inside = ts.isVariableDeclaration(node) ? node.type : node;
    if (inside === node) ts.forEachChild(node, (child) => visit(name, child));
    else if (inside !== undefined) visit(name, inside);
  };

  const follow = (found: ts.Symbol | undefined): void => {
    const symbol = found && found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
    for (const node of symbol?.declarations ?? []) {
      const file = node.getSourceFile().fileName;
      if (seen.has(node) || !file.startsWith(`${root}/src/`) || ts.isTypeParameterDeclaration(node)) continue;
      seen.add(node);
      if (ts.isFunctionDeclaration(node)) {
        const isOverloaded = (symbol!.declarations?.length ?? 0) > 1;
        if (isOverloaded && node.body !== undefined) continue; // no caller sees this one
        const signature = checker.getSignatureFromDeclaration(node);
        const text = ts.displayPartsToString(signature?.getDocumentationComment(checker) ?? []);
        if (isOverloaded && text === "")
          shown.push({
            where: `${relative(root, file)} ${symbol!.name} (overload)`,
            text,
            optional: false,
            throws: [],
          });
      }
      walk(symbol!.name, node);
    }
  };

  for (const entry of entries) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(entry)!)!;
    for (const exported of checker.getExportsOfModule(module)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      add(exported.name, symbol.declarations![0]!, symbol);
      follow(symbol);
    }
  }
  return shown;
}

describe("the public API, as an editor shows it", () => {
  let shown: readonly Shown[] = [];
  beforeAll(() => {
    shown = publicApi();
  }, 120_000);
  const places = (found: readonly Shown[]) => [...new Set(found.map(({ where }) => where))].sort();

  it("is found by this test", () => {
    const names = shown.map(({ where }) => where);
    expect(names).toEqual(
      expect.arrayContaining([
        "src/job/run-options.ts RunOptions.splitSize",
        "src/job/types.ts JobOptions.map",
        "src/job/types.ts TaskContext.progress",
        "src/job/codecs/utf8.ts utf8",
        "src/testing.ts runInline",
      ]),
    );
    expect(names.length).toBeGreaterThan(200);
  });

  it("has hover text on every exported name and every member", () => {
    expect(places(shown.filter(({ text }) => text === ""))).toEqual([]);
  });

  it("says of every optional member what it is without it", () => {
    const silent = shown.filter(({ optional, text }) => optional && !/\b(default|left\s+out|without)\b/i.test(text));
    expect(places(silent)).toEqual([]);
  });

  it("names only error codes that there are", () => {
    const wrong = shown.flatMap(({ where, throws }) =>
      throws.flatMap((text) => {
        const codes = [...text.matchAll(/`([a-z]+-[a-z-]+|unreachable|cancelled)`/g)].map(([, code]) => code!);
        return codes.length > 0 && codes.every(isErrorCode) ? [] : [`${where}: ${text}`];
      }),
    );
    expect(wrong).toEqual([]);
    expect(shown.some(({ throws }) => throws.length > 0)).toBe(true);
  });
});
