// One exported name on docs/api.md: its signature, what its doc comment says, and its members.
import ts from "typescript";
import { docOf, inline, inOneLine, tidy } from "./comment.mjs";

/** `{ name, anchor, text }`: a heading, one signature and text for each overload, and a list of members. */
export function sectionOf(name, symbol, checker, exported) {
  const seen = symbol.declarations.filter((node) => !isImplementation(node, symbol.declarations));
  const word = kindOf(seen[0]);
  const heading = word === "" ? name : `${word} ${name}`;
  const parts = seen.flatMap((node) => {
    const literals = literalsOf(node, checker, exported);
    const { text, throws, examples } = docOf(node);
    const members = [...ownMembers(node, checker, exported), ...literals.flatMap((literal) => [...literal.members])];
    const lines = linesOf(members, "");
    return [
      fence(signature(name, node, literals, checker)),
      ...text,
      ...throws.map((thrown) => `Throws ${thrown}`),
      ...examples.map(fence),
      ...(lines.length === 0 ? [] : [lines.join("\n")]),
    ];
  });
  const anchor = heading.toLowerCase().replaceAll(" ", "-");
  return { name, anchor, text: `### ${heading}\n\n${parts.join("\n\n")}\n` };
}

/** Callers of an overloaded function do not see the declaration that has the body. */
function isImplementation(node, declarations) {
  return (
    ts.isFunctionDeclaration(node) && node.body !== undefined && declarations.some(({ body }) => body === undefined)
  );
}

function kindOf(node) {
  if (ts.isInterfaceDeclaration(node)) return "interface";
  if (ts.isTypeAliasDeclaration(node)) return "type";
  return ts.isClassDeclaration(node) ? "class" : "";
}

function fence(code) {
  return `\`\`\`typescript\n${code}\n\`\`\``;
}

/** The declaration without its members, body and value. */
function signature(name, node, literals, checker) {
  if (ts.isVariableDeclaration(node)) {
    const inferred = () => checker.typeToString(checker.getTypeAtLocation(node), node, ts.TypeFormatFlags.NoTruncation);
    return `const ${name}: ${node.type === undefined ? inferred() : codeOf(node.type, literals)}`;
  }
  if (ts.isFunctionDeclaration(node)) return withoutWords(codeOf(node, literals, node.body?.pos));
  if (ts.isTypeAliasDeclaration(node)) return withoutWords(codeOf(node, literals));
  return withoutWords(tidy(codeOf(node, literals, node.members.pos - 1)));
}

function withoutWords(text) {
  return text.replace(/^(?:(?:export|declare|async) )+/, "").replace(/[;\s]+$/, "");
}

/** The source of a node up to `end`, without comments, and without these literals, whose members are listed. */
function codeOf(node, literals = [], end = node.end) {
  const source = node.getSourceFile();
  let at = node.getStart(source);
  let text = "";
  for (const literal of literals) {
    if (literal.getSourceFile() !== source || literal.pos < at || literal.end > end) continue;
    text += `${source.text.slice(at, literal.getStart(source))}{ … }`;
    at = literal.end;
  }
  return (text + source.text.slice(at, end)).replace(/\s*\/\*[\s\S]*?\*\//g, "");
}

/** Members of an interface or class, and before them those of its bases that are not exported. */
function ownMembers(node, checker, exported) {
  if (!ts.isInterfaceDeclaration(node) && !ts.isClassDeclaration(node)) return [];
  const bases = (node.heritageClauses ?? []).flatMap(({ types }) =>
    types.flatMap(({ expression }) => hidden(expression, checker, exported)),
  );
  return [...bases.flatMap((base) => ownMembers(base, checker, exported)), ...node.members];
}

/** The declarations of a name of this repository that is not exported. */
function hidden(name, checker, exported) {
  const found = checker.getSymbolAtLocation(name);
  const symbol = found !== undefined && found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
  if (symbol === undefined || exported.get(symbol.name) === symbol) return [];
  return (symbol.declarations ?? []).filter((node) => !node.getSourceFile().isDeclarationFile);
}

/** Object types whose members have doc comments: in a type, or in one that it names and that is not exported. */
function literalsOf(node, checker, exported) {
  const found = [];
  const seen = new Set();
  const visit = (type) => {
    if (type === undefined || seen.has(type)) return;
    seen.add(type);
    if (hasDocs(type)) found.push(type);
    else if (ts.isIntersectionTypeNode(type) || ts.isUnionTypeNode(type)) type.types.forEach(visit);
    else if (ts.isParenthesizedTypeNode(type)) visit(type.type);
    else if (ts.isConditionalTypeNode(type)) [type.trueType, type.falseType].forEach(visit);
    else if (ts.isTypeReferenceNode(type)) {
      const named = hidden(type.typeName, checker, exported);
      for (const alias of named.filter(ts.isTypeAliasDeclaration)) visit(alias.type);
    }
  };
  if (ts.isTypeAliasDeclaration(node) || ts.isVariableDeclaration(node)) visit(node.type);
  if (ts.isFunctionDeclaration(node)) for (const { type } of node.parameters) visit(type);
  return found;
}

function hasDocs(type) {
  return ts.isTypeLiteralNode(type) && type.members.some((member) => docOf(member).text.length > 0);
}

/** A line for each member, and indented below it one for each member of its own type. */
function linesOf(members, indent) {
  return members
    .filter((member) => !ts.isConstructorDeclaration(member) && !isOfCompiler(member))
    .flatMap((member) => {
      const literal = documentedIn(member.type);
      const { text, throws, examples } = docOf(member);
      const said = [
        ...text,
        ...throws.map((thrown) => `Throws ${thrown}`),
        ...examples.map((example) => `Example: ${inline(inOneLine(example))}`),
      ];
      const code = tidy(codeOf(member, literal === undefined ? [] : [literal]))
        .replace(/^(?:override )?(?:readonly )?/, "")
        .replace(/[;,]$/, "");
      const inner = literal === undefined ? [] : linesOf(literal.members, `${indent}  `);
      return [`${indent}- ${[inline(code), ...said].join(" ")}`, ...inner];
    });
}

/** A member whose name is a symbol that only the compiler knows. */
function isOfCompiler({ name }) {
  return name !== undefined && ts.isComputedPropertyName(name);
}

/** The object type of a property whose members have comments, also where it is a list or a table of such objects. */
function documentedIn(type) {
  if (type === undefined || hasDocs(type)) return type;
  if (ts.isTypeOperatorNode(type) || ts.isMappedTypeNode(type)) return documentedIn(type.type);
  if (ts.isUnionTypeNode(type)) return type.types.map(documentedIn).find((one) => one !== undefined);
  return ts.isArrayTypeNode(type) ? documentedIn(type.elementType) : undefined;
}
