// The check that every number of a fault, a requirement and an invariant is defined and tested
// (scripts/faults-page.mjs), on small repositories with mistakes in them. Numbers are put together here, so that the
// check of this repository finds none of them.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { checkNumbers } from "../../scripts/faults/check.mjs";

const script = fileURLToPath(new URL("../../scripts/faults-page.mjs", import.meta.url));
const fault = (number: number | string) => `fault ${number}`;
const s = (number: number) => `S${number}`;
const i = (number: number) => `I${number}`;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "millrace-faults-"));
  write(
    "scripts/faults/definitions.md",
    [
      "# Faults",
      "",
      "| fault | what happens | what Millrace does |",
      "|---|---|---|",
      "| 1 | a disk fails | it says so |",
      "| 2 | a disk fills | it waits |",
      "",
      "| requirement | what Millrace does | what it was learned from |",
      "|---|---|---|",
      "| S1 | it asks for a token | others |",
      "",
      "| invariant | name | what is true |",
      "|---|---|---|",
      "| I1 | once | every record once |",
      "",
    ].join("\n"),
  );
  write("scripts/faults/not-covered.json", "{}");
  write("src/a.test.ts", `test("${fault(1)}, 2: it says so", () => {});\nit("${s(1)}: asks", () => {});\n`);
  write("test/simulation/once.ts", `world.violate("${i(1)}", "twice");\n`);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function add(path: string, text: string): void {
  write(path, readFileSync(join(root, path), "utf8") + text);
}

/** Finds exactly these mistakes; resolves with the page. */
async function expectMistakes(...mistakes: string[]): Promise<string> {
  const { page, problems } = await checkNumbers(root);
  expect(problems.map((line) => line.replace(/ is not defined in .*/, " is not defined"))).toEqual(mistakes);
  return page;
}

test("what is defined, tested and current passes", async () => {
  const page = await expectMistakes();
  expect(page).toMatch(/\| 2 \| a disk fills \| it waits \| \[1\]\(#fault-2\) \|/);
  expect(page).toMatch(/### Fault 2\n\n- `src\/a\.test\.ts`\n {2}- fault 1, 2: it says so\n/);
  expect(page).toMatch(/### I1\n\n- `test\/simulation\/once\.ts`\n/);
});

describe("a number that no row defines is found", () => {
  test.each<[text: string, ...tags: string[]]>([
    [`// as in ${fault(93)}.`, fault(93)],
    [`// (${fault(1)}, 93)`, fault(93)],
    [`// ${"Faults"} 1, 2 and 93: more`, fault(93)],
    [`// ${"FAULTS"} 93`, fault(93)],
    [`// ${"faults"} 1 to 4`, fault(3), fault(4)],
    [`// ${"faults"} 2–3`, fault(3)],
    [`// ${"faults"} 1, 93-94, 2`, fault(93), fault(94)],
    [`// it is ${"faults"} 1,\n// 93 that fail`, fault(93)],
    [`/**\n * It is ${"fault"}\n * 93 that fails.\n */`, fault(93)],
    [`// ${fault("2.6")} is a section`, fault("2.6")],
    [`// (${s(93)})`, s(93)],
    [`// ${s(1)}, ${s(93)}: both`, s(93)],
    [`// ${i(1)}, ${i(19)} and ${i(93)}`, i(19), i(93)],
    [`world.violate("${i(93)}", "never")`, i(93)],
  ])("%j", async (text, ...tags) => {
    write("src/b.ts", `first();\n${text}\n`);
    const { problems } = await checkNumbers(root);
    expect(problems.map((line) => /^src\/b\.ts:(?:2|3): (.*) is not defined in/.exec(line)?.[1])).toEqual(tags);
  });

  test.each([
    "docs/page.md",
    "README.md",
    "test/scenarios/x.txt",
    "test/x.test.ts",
    ".github/x.md",
    "scripts/y.mjs",
    "proto/z.proto",
  ])("in %s", async (path) => {
    write(path, `# ${fault(93)} here\n`);
    await expectMistakes(`${path}:1: ${fault(93)} is not defined`);
  });

  test("what only looks like one is none", async () => {
    const words = [
      "5 faults, 93 attempts",
      "no faults  93 map tasks",
      "a default 93",
      "faults: 93",
      "S93x",
      "UIS93",
      "xI93",
    ];
    write("src/b.ts", `${words.map((line) => `// ${line}`).join("\n")}\nfetch("S3://bucket/");\n`);
    write("examples/data/book.txt", `It was ${fault(93)} of his.\n`);
    write("node_modules/x/readme.md", `${fault(93)}\n`);
    await expectMistakes();
  });
});

describe("a row without a test is found", () => {
  const row = "| fault | what happens | what Millrace does |\n|---|---|---|\n| 3 | a fan fails | it slows down |\n";
  const missing = `scripts/faults/definitions.md: ${fault(3)} has no test; begin the name of the test that shows it with "${fault(3)}: "`;
  beforeEach(() => add("scripts/faults/definitions.md", `\n${row}`));

  test("and is listed on the page as not covered", async () => {
    expect(await expectMistakes(missing)).toMatch(
      /\| 3 \| a fan fails \| it slows down \| \[not covered\]\(#not-covered\) \|[\s\S]*## Not covered[\s\S]*- \*\*fault 3\*\*: no reason is given/,
    );
  });

  test.each([
    ["a comment", `// ${fault(3)}: it slows down`],
    ["a text that is no name", `const words = ["see ${fault(3)}"]`],
    ["a text of no table", `expect(said).toBe("${fault(3)}: it slows down");`],
    ["a test that is always skipped", `test.skip("${fault(3)}: it slows down", () => {});`],
    [
      "a test in a suite that is always skipped",
      `describe.skip("fans", () => void test("${fault(3)}: slow", () => {}));`,
    ],
    ["a test that is to be written", `it.todo("${fault(3)}: it slows down");`],
  ])("%s does not count", async (_, text) => {
    write("src/fan.test.ts", `${text}\n`);
    await expectMistakes(missing);
  });

  test("a name in a source that is no test does not count", async () => {
    write("src/fan.ts", `test("${fault(3)}: it slows down", () => {});\n`);
    await expectMistakes(missing);
  });

  test.each([
    ["src/fan.test.ts", `it("${fault(3)}: it slows down", () => {});`],
    ["src/fan.test.ts", `it("slows down (${fault(3)})", () => {});`],
    ["src/fan.test.ts", `describe("${"faults"} 1 to 3: it goes on", () => {});`],
    ["src/fan.test.ts", `test.skipIf(isCold).each([1, 2])("${fault(3)}: %i fans", () => {});`],
    ["src/fan.test.ts", `test.each([["${fault(3)}: one fan", 1]])("%s", () => {});`],
    ["src/fan.test.ts", `test(\`${fault(3)}: \${count} fans\`, () => {});`],
    ["test/conformance/fan.ts", `const cases = [{ name: "no fan (${fault(3)})" }];`],
    ["test/scenarios/fan.txt", `# ${"Fault"} 3: it slows down,\n# and goes on.\n> fan`],
    ["scripts/simulate/mutants.mjs", `export const mutants = [{ name: "no brake", source: "${fault(3)}" }];`],
  ])("%s: %s counts", async (path, text) => {
    write(path, `${text}\n`);
    expect(await expectMistakes()).toMatch(new RegExp(`### Fault 3\n\n- \`${path}\``));
  });

  test("unless the list of those that may have none names it, with the reason", async () => {
    write("scripts/faults/not-covered.json", JSON.stringify({ [fault(3)]: "no fan here" }));
    expect(await expectMistakes()).toMatch(/- \*\*fault 3\*\*: no fan here\n/);
  });
});

describe("the list of rows that may have no test", () => {
  test("names no row that has one, so that it gets shorter with each test", async () => {
    write("scripts/faults/not-covered.json", JSON.stringify({ [fault(1)]: "hard to test" }));
    await expectMistakes(
      `scripts/faults/not-covered.json: ${fault(1)} has a test now; take it off, so that the list can't grow again`,
    );
  });

  test("names no row that is not defined", async () => {
    write("scripts/faults/not-covered.json", `{ "${"fault"} 1": "x", "${"fault"} 9": "y" }`);
    const { problems } = await checkNumbers(root);
    expect(
      problems.some((line) => line.startsWith(`scripts/faults/not-covered.json: ${fault(9)} is not defined`)),
    ).toBe(true);
  });
});

test("an invariant that no check of the simulation stands for is found, though a comment names one", async () => {
  write("test/simulation/once.ts", `// world.violate("${i(1)}", "twice");\n`);
  await expectMistakes(
    `scripts/faults/definitions.md: ${i(1)} has no test; begin the name of the test that shows it with "${i(1)}: "`,
  );
});

test("a number that is defined twice is found", async () => {
  add(
    "scripts/faults/definitions.md",
    "\n| invariant | name | what is true |\n|---|---|---|\n| I1 | twice | again |\n",
  );
  await expectMistakes(`scripts/faults/definitions.md: ${i(1)} is defined more than once`);
});

test("the script writes the page; its check fails, and writes nothing, where the page is old or a number is wrong", async () => {
  mkdirSync(join(root, "docs"));
  const run = (...words: string[]) => {
    const { status, stderr } = spawnSync(process.execPath, [script, "--root", root, ...words], { encoding: "utf8" });
    return { status, stderr };
  };
  const page = () => readFileSync(join(root, "docs/faults.md"), "utf8");
  expect(run()).toEqual({ status: 0, stderr: "" });
  expect(run("--check")).toEqual({ status: 0, stderr: "" });
  const before = page();
  expect(before).toBe((await checkNumbers(root)).page);

  write("src/b.test.ts", `test("${fault(2)}: it waits", () => {});\n`);
  expect(run("--check")).toEqual({
    status: 1,
    stderr: expect.stringMatching(/^docs\/faults\.md is not .* npm run docs\n$/),
  });
  expect(page()).toBe(before);
  expect(run()).toEqual({ status: 0, stderr: "" });
  expect(page()).not.toBe(before);

  write("src/b.ts", `// ${fault(93)}\n`);
  expect(run("--check")).toEqual({
    status: 1,
    stderr: expect.stringMatching(/^src\/b\.ts:1: fault 93 is not defined.*\n$/),
  });
});
