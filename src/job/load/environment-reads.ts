// Finds the environment variables that a job's own sources read by name. A slot has none of the caller's variables, so
// such a name is silently undefined there. The bundler does the parsing: it replaces `process.env` as an expression by
// a name that no source has, whatever comments and strings say, and the text around that name is examined.
import type { Loader } from "esbuild";

type Esbuild = Pick<typeof import("esbuild"), "transform">;

const mark = "__millraceEnvironment";

const loaders: Readonly<Record<string, Loader>> = {
  ts: "ts",
  mts: "ts",
  cts: "ts",
  tsx: "tsx",
  js: "jsx",
  mjs: "jsx",
  cjs: "jsx",
  jsx: "jsx",
};

/** The names that one module reads; none where it can't be parsed. */
export async function environmentReads(esbuild: Esbuild, path: string, source: string): Promise<ReadonlySet<string>> {
  const loader = loaders[/\.(\w+)$/.exec(path)?.[1] ?? ""];
  if (loader === undefined || !/\benv\b/.test(source)) return new Set();
  try {
    // This removes comments and types, and gives every statement one form.
    const plain = await esbuild.transform(source, { loader, target: "esnext", logLevel: "silent" });
    const { text, expressions } = withoutProcessImports(plain.code);
    const define = Object.fromEntries(expressions.map((expression) => [expression, mark]));
    const marked = await esbuild.transform(text, { define, minifySyntax: true, target: "esnext", logLevel: "silent" });
    return namesIn(marked.code);
  } catch {
    return new Set(); // the bundler reports the error
  }
}

/**
 * `import process from "node:process"` hides the global. Without that import its name is free, and can be marked as the
 * global is.
 */
function withoutProcessImports(code: string): { readonly text: string; readonly expressions: readonly string[] } {
  const expressions = ["process.env", "globalThis.process.env", "global.process.env"];
  const text = code.replaceAll(/^import ([^;"]*?) from "(?:node:)?process";$/gm, (_, clause: string) => {
    const [, named = ""] = /\{([^}]*)\}/.exec(clause) ?? [];
    const others = clause.replace(/\{[^}]*\}/, "");
    for (const whole of others.split(",")) {
      const name = /([\w$]+)\s*$/.exec(whole)?.[1];
      if (name !== undefined) expressions.push(`${name}.env`, `${name}.default.env`);
    }
    for (const one of named.split(",")) {
      const [imported = "", local = imported] = one.trim().split(/\s+as\s+/);
      if (imported === "env") expressions.push(local);
      if (imported === "default") expressions.push(`${local}.env`);
    }
    return "";
  });
  return { text, expressions };
}

function namesIn(code: string): ReadonlySet<string> {
  const names = new Set<string>();
  const holders = [mark];
  for (const [, name = ""] of code.matchAll(/(?:[\s,]|^)([\w$]+) = __millraceEnvironment\b(?![.[?])/g))
    holders.push(name);
  for (const [, pattern = ""] of code.matchAll(/\{([^{}]*)\} = process\b(?![.[?])/g)) {
    for (const part of pattern.split(",")) {
      const [, name] = /^\s*env(?:\s*:\s*([\w$]+))?\s*$/.exec(part) ?? [];
      if (/^\s*env\b/.test(part)) holders.push(name ?? "env");
    }
  }
  for (const holder of new Set(holders)) {
    const own = `(?<![\\w$.])${holder.replaceAll("$", "\\$")}`;
    const notWritten = "(?! = )";
    collect(names, code, new RegExp(`${own}\\??\\.([A-Za-z_$][\\w$]*)\\b${notWritten}`, "g"));
    collect(names, code, new RegExp(`${own}(?:\\?\\.)?\\["([^"\\\\]+)"\\]${notWritten}`, "g"));
    collect(names, code, new RegExp(`"([^"\\\\]+)" in ${own}(?![\\w$.[?])`, "g"));
    collect(names, code, new RegExp(`hasOwn\\(${own}, "([^"\\\\]+)"`, "g"));
    for (const [, pattern = ""] of code.matchAll(new RegExp(`\\{([^{}]*)\\} = ${own}(?![\\w$.[?])`, "g")))
      for (const part of pattern.split(",")) collect(names, part, /^\s*"?([A-Za-z_$][\w$]*)"?\s*(?::|=|$)/g);
  }
  return names;
}

function collect(names: Set<string>, code: string, pattern: RegExp): void {
  for (const [, name = ""] of code.matchAll(pattern)) names.add(name);
}
