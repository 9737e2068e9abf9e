import * as esbuild from "esbuild";
import { expect, test } from "vitest";
import { environmentReads } from "./environment-reads.ts";

const readsOf = async (source: string, path = "job.ts") =>
  [...(await environmentReads(esbuild, path, source))].toSorted();

test.each<[string, string[]]>([
  ["export const a = process.env.NAME;", ["NAME"]],
  ['export const a = process.env["NAME"] ?? "x";', ["NAME"]],
  ["export const a = process.env['NAME'];", ["NAME"]],
  ["export const a = process.env?.NAME;", ["NAME"]],
  ['export const a = process.env["with-hyphen"];', ["with-hyphen"]],
  ["export const a = process\n  .env\n  .NAME!.length;", ["NAME"]],
  ["export const a = process /* . */ . env . NAME;", ["NAME"]],
  ["export const a = globalThis.process.env.NAME;", ["NAME"]],
  ["const { NAME, OTHER: other = '3', ...rest } = process.env; console.log(NAME, other, rest);", ["NAME", "OTHER"]],
  ["let a; ({ NAME: a } = process.env); console.log(a);", ["NAME"]],
  ["export const f = ({ NAME } = process.env) => NAME;", ["NAME"]],
  ['import { env } from "node:process"; export const a = env.NAME;', ["NAME"]],
  ['import { env as e, argv } from "process"; export const a = e["NAME"] + argv;', ["NAME"]],
  ['import { env } from "node:process"; const { NAME } = env; console.log(NAME);', ["NAME"]],
  ['import process from "node:process"; export const a = process.env.NAME;', ["NAME"]],
  ['import p from "node:process"; export const a = p.env.NAME;', ["NAME"]],
  ['import * as p from "node:process"; export const a = p.env.NAME;', ["NAME"]],
  ['import p, { env } from "node:process"; export const a = p.env.NAME + env.OTHER;', ["NAME", "OTHER"]],
  ["const env = process.env; export const a = env.NAME;", ["NAME"]],
  ["const { env } = process; export const a = env.NAME;", ["NAME"]],
  ["const { env: e } = process; export const a = e.NAME;", ["NAME"]],
  ['export const a = "NAME" in process.env;', ["NAME"]],
  ['export const a = Object.hasOwn(process.env, "NAME");', ["NAME"]],
  ["export const a = `${process" + ".env.NAME}`;", ["NAME"]],
  ["export const a = Number(process.env.A) + Number(process.env.B);", ["A", "B"]],
  ["const a: string = process.env.NAME as string; console.log(<string>a);", ["NAME"]],
])("%s reads it", async (source, names) => {
  expect(await readsOf(source)).toEqual(names);
});

test.each([
  "// process.env.NAME",
  "/* process.env.NAME */ export {};",
  'export const a = "process.env.NAME";',
  "export const a = `process.env.NAME`;",
  "export const a = /process.env.NAME/;",
  "export const f = (process: { env: { NAME: string } }) => process.env.NAME;",
  "export const f = (env: { NAME: string }) => env.NAME;",
  'import { env } from "./own.ts"; export const a = env.NAME;',
  "export const a = { env: { NAME: 1 } }.env.NAME;",
  "process.env.NAME = '1';",
  "export const a = process.env;",
  "export const f = (name: string) => process.env[name];",
  "export const a = process.environment.NAME;",
  "this is no TypeScript, process.env.NAME",
])("%s reads none by name", async (source) => {
  expect(await readsOf(source)).toEqual([]);
});

test("other kinds of files are passed over, and JSX is read", async () => {
  expect(await readsOf('{"env": "process.env.NAME"}', "data.json")).toEqual([]);
  expect(await readsOf("export const a = <p>{process.env.NAME}</p>;", "job.tsx")).toEqual(["NAME"]);
});
