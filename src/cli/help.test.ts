// Help texts, messages and the comments that editors show name options, commands, pages and exports. All of them exist.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { errorCodes } from "../base/error-codes.ts";
import * as api from "../index.ts";
import * as testing from "../testing.ts";
import { program } from "./main.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const millrace = program();
const commands = new Map(millrace.commands.map((command) => [command.name(), command]));
const optionsOf = (command: Command) =>
  new Set([...command.options.flatMap(({ long, short }) => [long, short]), "--help", "-h"]);
const allOptions = new Set([
  ...[...commands.values()].flatMap((command) => [...optionsOf(command)]),
  "--version",
  "-V",
]);

/** Files of a user's that comments make up. */
const anyones = new Set(["job.ts", "count.ts", "jobs/count.ts"]);
const keywords = [
  "instanceof",
  "memchr",
  "FileHandle",
  "import",
  "meta",
  "url",
  "undefined",
  "null",
  "true",
  "false",
  "millrace",
];

/** Options of other programs that are named: Node's, the compiler's, and those of package managers. */
const foreign = new Set([
  "--quota-backend-bytes", // of etcd
  "--max-txn-ops", // of etcd
  "--pretty",
  "--max-old-space-size",
  "--interrupt-budget",
  "--disable-sigusr1",
  "--ignore-scripts",
  "--long",
  "--shm-size",
  "--enable-source-maps",
  "--test-reporter",
]);

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
const sources = files
  .filter((name) => name.endsWith(".ts") && !/\.test\.ts$|\/gen\/|\/assembly\//.test(name))
  .map((name) => ({ name: join("src", name), text: readFileSync(join(root, "src", name), "utf8") }));

/** Comments of one file, and each of its names and texts. */
function partsOf({ name, text }: { readonly name: string; readonly text: string }) {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.ESNext, true);
  const comments = new Set<string>();
  const words = new Set<string>();
  const texts: string[] = [];
  const visit = (node: ts.Node): void => {
    for (const { pos, end } of ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [])
      comments.add(text.slice(pos, end));
    if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) words.add(node.text);
    if (ts.isStringLiteralLike(node)) {
      texts.push(node.text);
      for (const [word] of node.text.matchAll(/[A-Za-z_$][\w$]*/g)) words.add(word);
    }
    if (ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node)) texts.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { name, docs: [...comments].filter((comment) => comment.startsWith("/**")), words, texts };
}
const parts = sources.map(partsOf);
const words = new Set(parts.flatMap((part) => [...part.words]));

/** "--option" in a text; not what ends a dash of a sentence or a URL. */
function optionsIn(text: string): string[] {
  return [...text.matchAll(/(?<![\w-])--[a-z][a-z-]*[a-z]\b(?!-)/g)].map(([option]) => option);
}

/** `millrace word` where a command is meant: the words of a sentence go on otherwise. */
function commandsIn(text: string): string[] {
  return [...text.matchAll(/(?:`|^ +|: {1,2}|\n {2,})millrace ([a-z][a-z-]+)/g)].map(([, word]) => word!);
}

describe.each([["millrace", millrace] as const, ...commands])("the help of %s", (name, command) => {
  const help = helpOf(command);

  test("names options that there are", () => {
    expect(help.length).toBeGreaterThan(200);
    for (const option of optionsIn(help)) expect(allOptions, `${name}: ${option}`).toContain(option);
  });

  test("has examples of commands that there are, with options of theirs", () => {
    const lines = help.replaceAll(/\\\n\s*/g, " ").split("\n");
    const examples = lines.filter((line) => /^ {2}.*\bmillrace [a-z]/.test(line));
    if (name !== "millrace" && help.includes("Example")) expect(examples).not.toEqual([]);
    for (const line of examples) {
      const [, word, rest] = /\bmillrace ([a-z-]+)(.*)/.exec(line)!;
      const named = commands.get(word!);
      expect(named, line).toBeDefined();
      for (const option of [...optionsIn(rest!), ...[...rest!.matchAll(/ (-\w)\b/g)].map(([, short]) => short!)])
        expect(optionsOf(named!), line).toContain(option);
    }
  });
});

test("messages name options and commands that there are", () => {
  const missing: string[] = [];
  for (const { name, texts } of parts) {
    for (const text of texts) {
      for (const option of optionsIn(text))
        if (!foreign.has(option) && !allOptions.has(option)) missing.push(`${name}: ${option} in ${text}`);
      for (const word of commandsIn(text))
        if (!commands.has(word)) missing.push(`${name}: millrace ${word} in ${text}`);
    }
  }
  expect(missing).toEqual([]);
});

test("comments that editors show name options, commands, pages and files that there are", () => {
  const missing: string[] = [];
  let named = 0;
  for (const { name, docs } of parts) {
    for (const text of docs) {
      for (const option of optionsIn(text)) {
        named++;
        if (!foreign.has(option) && !allOptions.has(option)) missing.push(`${name}: ${option} in ${text}`);
      }
      for (const word of commandsIn(text))
        if (!commands.has(word)) missing.push(`${name}: millrace ${word} in ${text}`);
      for (const [page] of text.matchAll(/\b(?:docs\/[\w/-]+|[A-Z]{5,})\.md\b/g))
        if (!existsSync(join(root, page))) missing.push(`${name}: ${page}`);
      for (const [, file] of text.matchAll(/(?<![\w./])((?:[a-z-]+\/)*[a-z][\w-]*\.ts)\b/g)) {
        if (anyones.has(file!)) continue;
        const isThere = files.some((path) => `/src/${path}`.endsWith(`/${file}`));
        if (!isThere) missing.push(`${name}: ${file}`);
      }
    }
  }
  expect(missing).toEqual([]);
  expect(named).toBeGreaterThan(10);
});

test("what comments quote as code are exports, names of the code, or codes of errors", () => {
  const known = new Set([...Object.keys(api), ...Object.keys(testing), ...words, ...keywords]);
  const missing: string[] = [];
  for (const { name, docs } of parts) {
    for (const text of docs) {
      for (const [, code] of text.matchAll(/`([^`\n]+)`/g)) {
        const called = /^([A-Za-z_$][\w$.]*)\(.*\)$/.exec(code!)?.[1];
        const path = called ?? (/^#?[A-Za-z_$][\w$.]*$/.test(code!) ? code! : "");
        const thrown = /\b[Tt]hrows [^.]*$/.test(text.slice(0, text.indexOf(`\`${code}\``)));
        if (thrown && /^[a-z]+(?:-[a-z]+)+$/.test(code!) && !Object.hasOwn(errorCodes, code!))
          missing.push(`${name}: throws ${code}`);
        for (const word of path.split(".").filter((part) => part !== ""))
          if (!known.has(word) && !(word in globalThis)) missing.push(`${name}: ${code}`);
      }
    }
  }
  expect(missing).toEqual([]);
});
