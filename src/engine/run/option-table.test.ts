// The table of run options against what it can't make itself: the public type with its hover texts.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";
import { GiB, MiB } from "../../base/limits.ts";
import { parseDuration } from "../../base/units.ts";
import type { RunOptions } from "../../job/run-options.ts";
import type { JobTypes } from "../../job/types.ts";
import type { SubmitOptions } from "../spec.ts";
import { runOption, runOptionNames } from "./option-table.ts";
import { misplacedOption, openingOf, type SubmitValues, submitValues } from "./option-values.ts";
import { type AnyRunOptions, checkedRunOptions } from "./options.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** The options of any job: what depends on the job is left out. */
type Plain<Options> = { [N in Exclude<keyof Options, "inputs" | "params">]: Options[N] };
const sameTypes: Same<Plain<RunOptions<JobTypes>>, Plain<AnyRunOptions>> = true;
const submitted: SubmitValues extends Partial<SubmitOptions> ? true : false = true;
const noneElse: Same<Exclude<keyof SubmitValues, keyof SubmitOptions>, never> = true;

const ofRun = runOptionNames.filter((name) => runOption(name).isOfCommand !== true);

/** The members of `RunOptions` with the comments before them. */
function hoverTexts(): Map<string, string> {
  const path = fileURLToPath(new URL("../../job/run-options.ts", import.meta.url));
  const file = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ESNext, true);
  const texts = new Map<string, string>();
  const visit = (node: ts.Node): void => {
    if (ts.isPropertySignature(node)) {
      const comments = ts.getJSDocCommentsAndTags(node).map((comment) => comment.getText());
      texts.set(node.name.getText(), comments.join(" ").replaceAll(/\s+\*?\s*/g, " "));
    } else if (ts.isIntersectionTypeNode(node) || ts.isTypeLiteralNode(node)) ts.forEachChild(node, visit);
  };
  for (const statement of file.statements)
    if (ts.isTypeAliasDeclaration(statement) && statement.name.text === "RunOptions") visit(statement.type);
  return texts;
}

test("the table has the options of RunOptions, with the same types, and no others", () => {
  expect([sameTypes, submitted, noneElse]).toEqual([true, true, true]);
  // `params` comes from another type: it is needed where the job declares parameters.
  expect([...hoverTexts().keys(), "params"].toSorted()).toEqual(ofRun.toSorted());
});

test("each member of RunOptions has a hover text of its own that says what it is by default, and where it can't be used", () => {
  const texts = hoverTexts();
  for (const [name, text] of texts) {
    const option = runOption(name as (typeof ofRun)[number]);
    if (name !== "inputs") expect(text, name).toMatch(/\bDefault\b/);
    if (option.only === "here") expect(text, name).toContain("Not with `master`");
    if (option.only === "cluster") expect(text, name).toContain("Only with `master`");
    if (option.default === undefined) continue;
    const [, said = ""] = /\bDefault (?:"(\w+)"|(\d+))/.exec(text)?.filter((group) => group !== undefined) ?? [];
    expect(
      option.kind === "duration" || option.kind === "interval" ? parseDuration(said, name) : Number(said),
      text,
    ).toBe(option.default);
  }
  expect(new Set(texts.values()).size).toBe(texts.size);
});

const right = {
  inputs: ["a"],
  memory: "2GB",
  splitSize: "16MB",
  taskTimeout: "30s",
  taskLimit: "2m",
  checkpoint: "off",
  reducers: 3,
  attempts: 2,
  skipBad: 7,
  maxSlots: 5,
  slots: 4,
  files: { words: "/w" },
  env: { A: "b" },
  overwrite: true,
};

test("what run() is told reaches the engine under its names, in bytes and milliseconds", () => {
  const values = checkedRunOptions(right);
  expect(submitValues(values)).toEqual({
    splitBytes: 16 * MiB,
    taskTimeoutMs: 30_000,
    taskLimitMs: 120_000,
    checkpointMs: 0,
    reducers: 3,
    attempts: 2,
    skipBad: 7,
    maxSlots: 5,
    files: { words: "/w" },
  });
  expect(openingOf(values)).toMatchObject({
    slots: 4,
    memoryBytes: 2 * GiB,
    environment: { A: "b" },
    overwrite: true,
  });
});

test("each option of run() refuses what its kind can't mean", () => {
  const hostile: Readonly<Record<string, readonly unknown[]>> = {
    count: [-1, 1.5, Number.NaN, "3", null, 1e300],
    size: [1, "", "1XB", "-1MB", null],
    duration: [1, "", "1y", "-1s", null],
    interval: [1, "", "1y", "-1s", "on", null],
    flag: [1, "true", null],
    output: ["", " ", "-", 1, "a\0b"],
    folder: ["", " ", "-", 1, "a\0b"],
    directory: ["", " ", "-", 1, "a\0b"],
    file: ["", " ", "-", 1, "a\0b"],
    module: ["", " ", "-", 1, "a\0b"],
    program: ["", "a 'b", 1, ["xz"]],
    address: ["", "a b", 1, "a\0b"],
    inputs: [1, "", "-", [1], { a: 1 }, { a: [1] }, [""]],
    params: [],
    paths: [1, ["a"], { a: "" }, { a: 1 }],
    variables: [1, ["a"], { "A B": "c" }, { A: 1 }],
    signal: [1, {}],
    callback: [1, "f", {}],
  };
  for (const name of ofRun) {
    for (const value of hostile[runOption(name).kind]!) {
      const given = { inputs: ["a"], [name]: value };
      expect(() => checkedRunOptions(given), `${name}: ${String(value)}`).toThrow(
        expect.objectContaining({ code: "wrong-usage" }),
      );
    }
  }
  for (const name of runOptionNames.filter((each) => !ofRun.includes(each)))
    expect(() => checkedRunOptions({ inputs: ["a"], [name]: true })).toThrow(`run has no option "${name}"`);
});

test("an option of the other kind of run is found, and one that is switched off is none", () => {
  expect(misplacedOption({ tokenFile: "/t" })).toBe("tokenFile");
  expect(misplacedOption({ ca: "/c" })).toBe("ca");
  expect(misplacedOption({ slots: 2, maxSlots: 2 })).toBeUndefined();
  const master = "http://m:1";
  for (const values of [{ slots: 2 }, { memory: 1 }, { workDir: "/w" }, { resume: true }])
    expect(misplacedOption({ master, ...values })).toBe(Object.keys(values)[0]);
  expect(misplacedOption({ master, resume: false, tokenFile: "/t", ca: "/c", maxSlots: 2 })).toBeUndefined();
});
