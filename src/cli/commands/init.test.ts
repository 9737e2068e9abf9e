import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { nameAfter } from "../init/name.ts";
import { initCommand } from "./init.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-init-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("writes a job, its test and what a project needs, and says how to run them", async () => {
  const lines = await initCommand("page-views", {}, folder);
  const files = ["package.json", "page-views.test.ts", "page-views.ts", "tsconfig.json"];
  expect(readdirSync(folder).sort()).toEqual(files);
  for (const file of files) expect(lines[0]).toContain(file);
  expect(lines).toContain("  millrace test page-views.test.ts");
  expect(lines).toContain("  millrace run page-views.ts FILE -o result");
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  expect(manifest).toMatchObject({ name: "page-views", private: true, type: "module" });
  expect(manifest.dependencies.millrace).toMatch(/^file:\/|^\^\d/);
});

it.each([
  ["half.ndjson", '{"a":1}\n{"a":2\n{"a":3}\n', { format: "ndjson" }, " --skip-bad 100"],
  ["none.ndjson", "x\n".repeat(11), { format: "ndjson" }, " --skip-bad 1000"],
  ["whole.ndjson", '{"a":1}\n{"a":3}\n', { format: "ndjson" }, ""],
  ["guessed.ndjson", '{"a":1}\n{"a":3}\n', {}, ""],
] as const)(
  "prints a command for %s that runs, with --skip-bad where the format it was told refuses records",
  async (file, content, wanted, skips) => {
    const path = join(folder, file);
    writeFileSync(path, content);
    const lines = await initCommand("h3", { ...wanted, from: [path] }, folder);
    expect(lines).toContain(`  millrace run h3.ts ${path} -o result${skips}`);
    expect(lines.some((line) => line.endsWith("the job needs --skip-bad"))).toBe(skips !== "");
  },
);

it.each(["page-views.ts", "page-views.test.ts"])("writes nothing where %s is there already", async (name) => {
  writeFileSync(join(folder, name), "mine");
  await expect(initCommand("page-views", {}, folder)).rejects.toThrow(/exists already/);
  expect(readdirSync(folder)).toEqual([name]);
  expect(readFileSync(join(folder, name), "utf8")).toBe("mine");
});

it("leaves package.json and tsconfig.json to the folder, or the one above, that has them", async () => {
  writeFileSync(join(folder, "package.json"), "{}");
  const below = join(folder, "jobs");
  mkdirSync(below);
  expect((await initCommand("a", {}, below)).join("\n")).not.toContain("package.json");
  expect(readdirSync(below).sort()).toEqual(["a.test.ts", "a.ts", "tsconfig.json"]);
  await initCommand("b", {}, folder);
  expect(readFileSync(join(folder, "package.json"), "utf8")).toBe("{}");
  expect(existsSync(join(folder, "tsconfig.json"))).toBe(true);
});

it.each(["", "A", "a_b", "../a", "a b", "-a"])("refuses %j as a name", async (name) => {
  await expect(initCommand(name, {}, folder)).rejects.toThrow(/lower-case words/);
  expect(readdirSync(folder)).toEqual([]);
});

it.each([
  ["Sales_2024.csv.gz", "sales-2024"],
  ["s3://bucket/logs/access.log", "access"],
  ["2024-05-01.ndjson", "my-job"],
  ["01 - Orders (EU).csv", "orders-eu"],
  ["data/", "data"],
  [".bashrc", "bashrc"],
  ["-", "my-job"],
  ["../..", "my-job"],
  ["日本.csv", "my-job"],
  [`${"long-".repeat(20)}.csv`, "long-long-long-long-long-long-long-long"],
])("names the job after %s: %s", (source, name) => {
  expect(nameAfter(source)).toBe(name);
});

it("says where a name stands, and how a file is given, where one is in the other's place", async () => {
  writeFileSync(join(folder, "a.ndjson"), '{"a":1}\n');
  await expect(initCommand(undefined, { from: ["a.ndjson", "visits"] }, folder)).rejects.toThrow(
    "there is no file visits; the name of a job stands before --from:  millrace init visits --from a.ndjson",
  );
  await expect(initCommand("a.ndjson", {}, folder)).rejects.toThrow(
    "a.ndjson is a file, and no name of a job: for a job that reads it  millrace init --from a.ndjson",
  );
  expect(readdirSync(folder)).toEqual(["a.ndjson"]);
});
