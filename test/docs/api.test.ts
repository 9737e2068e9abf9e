// docs/api.md, as scripts/api/ makes it from a small program. That the page of this repository is current is part of
// `npm run check`.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiPage, type Theme } from "../../scripts/api/page.mjs";

const source = `
/** Takes the mean of them. */
export function average(values: number[]): number;
/**
 * Takes the mean of texts,
 * each as a number.
 * @throws \`wrong-value\` for what is no number.
 * @example average(["1", "2"])
 */
export function average(values: string[], options?: {
  /** How many count. Default: all. */
  readonly most?: number;
}): number;
export function average(values: any): number {
  /* inside */
  return values.length;
}

interface Base {
  /** What it is called. */
  readonly name: string;
}
/** Options of all. */
export interface Options extends Base {
  /** How many there are. Default 4. */
  readonly most?: number;
  /** The sums. */
  readonly sums: readonly {
    /** Of bytes. */
    readonly bytes: number;
  }[];
  readonly [secret]: never;
}
declare const secret: unique symbol;

type Given<T> = {} extends T
  ? {
      /** The values. Default: none. */
      readonly values?: T;
    }
  : never;
/** What is given. */
export type Run<T> = Given<T> & {
  /**
   * Ends it: \`a < b\`.
   * @example stop: (all) => all > 1
   */
  stop(all: number): void;
};
/** A constant. */
export const half: number = 1 / 2;
/** Goes wrong. */
export class Wrong {
  /** Which one. */
  readonly code: string = "";
  constructor() {}
}
`;

const themes: readonly Theme[] = [
  ["Work", "What works.", ["average", "Options", "Run"]],
  ["Rest", "What rests.", ["half", "Wrong"]],
];

const folder = mkdtempSync(join(tmpdir(), "millrace-api-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the page of the API", () => {
  let made: (themes: readonly Theme[]) => ReturnType<typeof apiPage>;
  let page = "";
  beforeAll(() => {
    const entry = join(folder, "index.ts");
    writeFileSync(entry, source);
    const program = ts.createProgram([entry], { noLib: true, noEmit: true, types: [] });
    made = (all) => apiPage(program, [entry], all);
    page = made(themes).page;
  });

  const section = (heading: string) => page.split(`### ${heading}\n\n`)[1]!.split(/^##/m)[0]!;

  it("has no problem where each name stands under one theme", () => {
    expect(made(themes).problems).toEqual([]);
  });

  it("has the themes in their order, with links to their names", () => {
    expect([...page.matchAll(/^## (.+)$/gm)].map(([, title]) => title)).toEqual(["Work", "Rest"]);
    expect(page).toContain("[average](#average) · [Options](#interface-options) · [Run](#type-run)");
  });

  it("has each overload with its text, its errors and its example, but not what implements them", () => {
    expect(section("average")).toBe(
      [
        "```typescript\nfunction average(values: number[]): number\n```",
        "Takes the mean of them.",
        "```typescript\nfunction average(values: string[], options?: { … }): number\n```",
        "Takes the mean of texts, each as a number.",
        "Throws `wrong-value` for what is no number.",
        '```typescript\naverage(["1", "2"])\n```',
        "- `most?: number` How many count. Default: all.\n\n",
      ].join("\n\n"),
    );
  });

  it("lists members with their defaults, those of a base that is not exported, and those inside of them", () => {
    expect(section("interface Options")).toBe(
      [
        "```typescript\ninterface Options extends Base\n```\n\nOptions of all.\n",
        "- `name: string` What it is called.",
        "- `most?: number` How many there are. Default 4.",
        "- `sums: readonly { … }[]` The sums.",
        "  - `bytes: number` Of bytes.\n\n",
      ].join("\n"),
    );
  });

  it("lists the members of object types in a type, and of a type in it that is not exported", () => {
    expect(section("type Run")).toBe(
      [
        "```typescript\ntype Run<T> = Given<T> & { … }\n```\n\nWhat is given.\n",
        "- `values?: T` The values. Default: none.",
        "- `stop(all: number): void` Ends it: `a < b`. Example: `stop: (all) => all > 1`\n\n",
      ].join("\n"),
    );
  });

  it("has constants by their type and classes without their constructor", () => {
    expect(section("half")).toBe("```typescript\nconst half: number\n```\n\nA constant.\n\n");
    expect(section("class Wrong")).toContain("class Wrong\n```\n\nGoes wrong.\n\n- `code: string");
    expect(page).not.toContain("constructor");
  });

  it("names what no theme names, and what is named and not exported", () => {
    const { problems } = made([["Work", "", ["average", "average", "Options", "Run", "half", "Gone"]]]);
    expect(problems).toEqual([
      expect.stringMatching(/^Wrong is exported, and no theme names it: add it .*themes\.mjs/),
      expect.stringMatching(/^average is .* named twice: remove it/),
      expect.stringMatching(/^Gone is not exported/),
    ]);
  });
});
