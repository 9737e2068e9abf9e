// THIRD-PARTY-NOTICES, made from what the bundler says that it has put into dist/ (`.built` of a build). `--check` only
// says whether the file is current.
//
// The licence of a package is its LICENSE file. Where it has none, its sources say at their beginning whose they are;
// those of them that are bundled count.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const file = join(root, "THIRD-PARTY-NOTICES");
const line = "=".repeat(80);
const ownLicense = "The Apache License, Version 2.0, is in the file LICENSE of this package.";
const apache = words(readFileSync(join(root, "LICENSE"), "utf8").split("APPENDIX:")[0]);

const head = `Millrace is under the Apache License, Version 2.0, which is in LICENSE.

The files in dist/ also hold the following packages, each under the licence that is given with it.
\`npm run docs\` makes this file from what the bundler has put into them. Packages that are installed beside
Millrace (the dependencies in package.json) bring their own licences.
`;

execFileSync(process.execPath, [join(root, "scripts/build.mjs"), "--if-stale"], { stdio: ["ignore", 2, 2] });
const { bundled } = JSON.parse(readFileSync(join(root, "dist/.built"), "utf8"));
const notices = Object.entries(bundled).map(([folder, sources]) => notice(folder, sources));
const page = [head, ...notices, compiled()].join(`\n${line}\n`);

if (!process.argv.includes("--check")) writeFileSync(file, page);
else if (!existsSync(file) || readFileSync(file, "utf8") !== page) {
  console.log("THIRD-PARTY-NOTICES is not what is bundled: run `npm run docs` and commit it");
  process.exit(1);
}

/** `folder` is that of a package, and `sources` are its files that are bundled, from the root of this repository. */
function notice(folder, sources) {
  const { title, license, author } = about(folder);
  const given = licences(folder);
  const said = given.some((text) => /copyright/i.test(text)) ? [] : distinct(sources.flatMap(claims));
  // The text of a licence that is named and not given.
  const named = /Apache-2\.0/.test(license) && !given.includes(ownLicense) ? [ownLicense] : [];
  const texts = [...said, ...given, ...named];
  if (!texts.some((text) => /copyright/i.test(text))) {
    if (author === undefined) throw new Error(`${folder} does not say whose it is`);
    texts.unshift(`Copyright ${author}`);
  }
  return `${title}\nLicense: ${license}\n\n${texts.join("\n\n")}\n`;
}

/** The compiler of the WebAssembly modules, whose standard library may be inside them. */
function compiled() {
  const { title, license } = about("node_modules/assemblyscript");
  const text = readFileSync(join(root, "node_modules/assemblyscript/NOTICE"), "utf8").trimEnd();
  return `${title}, which has compiled dist/kernel.wasm and dist/json.wasm; parts of its standard library are in them as far
as they are used.
License: ${license}

${ownLicense}

${text}
`;
}

function about(folder) {
  const { name, version, license, author, homepage, repository } = JSON.parse(
    readFileSync(join(root, folder, "package.json"), "utf8"),
  );
  if (typeof license !== "string") throw new Error(`${folder} names no licence`);
  const url = homepage ?? (typeof repository === "string" ? repository : repository?.url);
  return {
    title: url === undefined ? `${name} ${version}` : `${name} ${version}, ${url}`,
    license,
    author: author?.name ?? author,
  };
}

/** The texts of the files in which a package has its licence, and what it asks to be passed on. */
function licences(folder) {
  return readdirSync(join(root, folder))
    .filter((name) => /^(licen[cs]e|copying|notice)/i.test(name))
    .sort()
    .map((name) => readFileSync(join(root, folder, name), "utf8").trim())
    .flatMap((text) => {
      const [terms, appendix] = text.split("APPENDIX:");
      if (words(terms) !== apache) return [text];
      // Whose it is stands in the appendix, or nowhere.
      return [...(/^ *Copyright (?!\[).*$/m.exec(appendix ?? "")?.map((text) => text.trim()) ?? []), ownLicense];
    });
}

/** The comment at the beginning of a source, if it says whose the source is. */
function claims(path) {
  const text = readFileSync(join(root, path), "utf8").replace(/^(?:#!.*\n|["']use strict["'];?\s*)+/, "");
  const comment = /^\s*(?:\/\*[\s\S]*?\*\/|(?:\/\/.*\n)+)/.exec(text)?.[0] ?? "";
  if (!/copyright/i.test(comment)) return [];
  const bare = comment.replace(/^\s*\/\*[*!]?|\*\/$/g, "").replace(/^[ \t]*(?:\/\/|\*(?= |$)) ?/gm, "");
  return [bare.replace(/[ \t]+$/gm, "").trim()];
}

/** Without the texts that begin with another one: of files of one package the same is said, and more behind it. */
function distinct(texts) {
  const sorted = [...new Set(texts)].sort();
  return sorted.filter((text, index) => index === 0 || !text.startsWith(sorted[index - 1]));
}

function words(text) {
  return text.replace(/\s+/g, " ").trim();
}
