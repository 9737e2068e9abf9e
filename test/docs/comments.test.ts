// The check that comments are plain English within 120 columns (scripts/comments-check.mjs), on a small repository with
// one mistake in each file. What it says of this repository is part of `npm run check`.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";

const script = fileURLToPath(new URL("../../scripts/comments-check.mjs", import.meta.url));

const long = `${"word ".repeat(30)}end`;

/** Each a file with one mistake: its text, and what the check says of it. */
const mistakes: readonly (readonly [name: string, text: string, says: string])[] = [
  ["a line of // that is too long", `const a = 1;\n// ${long}\n`, ":2: 156 columns"],
  ["a line of a doc comment that is too long", `/**\n * Fine.\n * ${long}\n */\n`, ":3: 156 columns"],
  ["a comment behind code that is too long", `const a = 1; // ${long}\n`, ":1: 169 columns"],
  ["a doc comment that begins with Of", "/** Of a record. */\n", ':1: a comment can\'t begin with "Of"'],
  ["the same on a second line", "/**\n * Of a record.\n */\n", ':1: a comment can\'t begin with "Of"'],
  ["so many", "// Keeps so many of them.\n", '"so many"'],
  ["a phrase that is broken over two lines", "// It keeps so\n// many of them.\n", '"so many"'],
  ["anew", "/** Reads it anew. */\n", '"anew"'],
  ["nobody", "// Nobody reads it.\n", '"Nobody"'],
  ["for who", "// A page for who reads it.\n", '"for who"'],
  ["a sentence about who", "// A page. Who reads it knows.\n", '". Who reads it knows'],
  ["a comment after a template", "const a = `b` + `// b`; // Nobody.\n", '"Nobody"'],
  ["a long file that does not say what it is", "const a = 1;\n".repeat(101), ":1: no opening comment"],
];

const fine: readonly (readonly [name: string, text: string])[] = [
  ["120 columns", `// ${"x ".repeat(58)}x\n`],
  ["an address, which has no place to break at", `// https://example.org/${"x".repeat(120)}\n`],
  ["the row of a table", `// | ${"cell | ".repeat(30)}\n`],
  ["columns with wide gaps", `//   offset     length     ${long}\n`],
  ["an order to the linter", `// biome-ignore lint/a/b: ${long}\nconst a = 1;\n`],
  [
    "strings that look like comments",
    `const a = "// nobody", b = \`/* nobody */\${a} // nobody\`, c = /\\/\\/ nobody/;\n`,
  ],
  ["words that are quoted", '// Says "nobody" and `so many`.\n'],
  ["so many that", "// There are so many that it stops.\n"],
  ["a question", "// Who calls this?\n"],
  ["a long file that says what it is", `// A file.\n${"const a = 1;\n".repeat(101)}`],
];

/** What the check says of each file, by its name. One process reads them all. */
let said: ReadonlyMap<string, string>;
let status: number | null;

const nameOf = (line: string) => /^src\/base\/([^:]+)/.exec(line)?.[1] ?? "";

beforeAll(() => {
  const root = mkdtempSync(join(tmpdir(), "millrace-comments-"));
  try {
    for (const folder of ["src/base", "test", "scripts", "bench"]) mkdirSync(join(root, folder), { recursive: true });
    const write = (name: string, text: string) => writeFileSync(join(root, "src/base", name), text);
    for (const [index, [, text]] of mistakes.entries()) write(`mistake-${index}.ts`, text);
    for (const [index, [, text]] of fine.entries()) write(`fine-${index}.ts`, text);
    write("long.test.ts", "const a = 1;\n".repeat(101));
    const run = spawnSync(process.execPath, [script, "--root", root, "src/base"], { encoding: "utf8" });
    status = run.status;
    const lines = run.stdout.split("\n").filter((line) => line.startsWith("src/base/"));
    const all = new Map<string, string>();
    for (const line of lines) all.set(nameOf(line), `${all.get(nameOf(line)) ?? ""}${line}\n`);
    said = all;
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});

test("the check fails when it finds something", () => {
  expect(status).toBe(1);
});

describe("the check of comments finds", () => {
  test.each(mistakes.map(([name, , says], index) => [name, index, says] as const))("%s", (_, index, says) => {
    expect(said.get(`mistake-${index}.ts`)).toContain(says);
  });
});

describe("the check of comments lets pass", () => {
  test.each(fine.map(([name], index) => [name, index] as const))("%s", (_, index) => {
    expect(said.get(`fine-${index}.ts`)).toBeUndefined();
  });

  test("a long test file without an opening comment", () => {
    expect(said.get("long.test.ts")).toBeUndefined();
  });
});
