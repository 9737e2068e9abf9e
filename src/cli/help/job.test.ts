// The part of the help that is a job's own: by its description, as it comes from a slot.
import type { Command } from "commander";
import { expect, test } from "vitest";
import { z } from "zod";
import { text } from "../../format/lines/text.ts";
import { csv } from "../../format/table/csv.ts";
import { utf8 } from "../../job/codecs/utf8.ts";
import { defineJob, jobDefinition } from "../../job/define-job.ts";
import { describeJob, type JobDescription } from "../../job/load/describe.ts";
import { program } from "../main.ts";
import { jobHelpLines } from "./job.ts";

const described = (job: object) => JSON.parse(JSON.stringify(describeJob(jobDefinition(job)))) as JobDescription;

function help(
  name: string,
  description: JobDescription,
  { width = 120, refusal, secrets = [] }: { width?: number; refusal?: string; secrets?: readonly string[] } = {},
) {
  const command: Command = program().commands.find((each) => each.name() === name)!;
  command.configureOutput({ getOutHelpWidth: () => width });
  return jobHelpLines({ command, job: "join.ts", description, refusal, secrets });
}

const join = described(
  defineJob({
    name: "join",
    input: { users: text(), orders: text() },
    params: {
      since: { type: "string", about: "first day that\n counts" },
      min: { type: "number", default: 3 },
      strict: { type: "boolean", default: false, about: "\u001b[31mred" },
    },
    files: { rates: "./rates.json" },
    key: utf8,
    value: utf8,
    map: { users() {}, orders() {} },
    reduce() {},
    output: { main: csv({ header: true, columns: { a: utf8 } }), unknown: text() },
    compress: "gzip",
  } as never),
);

test("it has parameters, inputs, side files and outputs, each as it is given", () => {
  expect(help("run", join).map((line) => line.replace(/(\S) {2,}/, "$1  "))).toEqual([
    "",
    "The job join (join.ts):",
    "",
    "Its inputs:",
    "  -i, --input users=<path>  files, a folder or a glob; may be repeated",
    "  -i, --input orders=<path>  files, a folder or a glob; may be repeated",
    "",
    "Its parameters:",
    "  -p, --param since=<string>  first day that counts (required)",
    "  -p, --param min=<number>  (default: 3)",
    "  -p, --param strict=<true|false>  \\x1b[31mred (default: false)",
    "",
    "Its side files:",
    "  --file rates=<path>  (default: ./rates.json, from the job's folder)",
    "",
    "Its outputs:",
    "  main  a folder of .csv files, compressed by gzip",
    "  unknown  a folder of .txt files, compressed by gzip",
  ]);
});

test("replay may take the name of an input alone, and plan, test and sim what run takes", () => {
  const replay = help("replay", join);
  expect(replay).toContainEqual(expect.stringMatching(/^ {2}-i, --input users\[=<path>\]$/));
  expect(replay).toContainEqual(expect.stringMatching(/^ {2}-p, --param since=<string> /));
  for (const name of ["plan", "test", "sim"]) expect(help(name, join)).toEqual(help("run", join));
});

test("no line is wider than a terminal of 80 columns", () => {
  for (const line of help("run", join, { width: 80 })) expect(line.length).toBeLessThanOrEqual(80);
});

test("a job with one input and nothing else has one line", () => {
  const plain = described(defineJob({ name: "plain", input: text(), reducers: 0, output: text(), map() {} }));
  expect(help("run", plain).slice(1)).toEqual([
    "The job plain (join.ts):",
    "",
    "Its input:",
    "  [input...]  files, folders or globs as arguments",
  ]);
});

test("a schema of parameters says what it refuses", () => {
  const schema = described(
    defineJob({
      name: "schema",
      input: text(),
      params: z.object({ n: z.number() }),
      reducers: 0,
      output: text(),
      map() {},
    }),
  );
  const lines = help("run", schema, { refusal: "the job's schema refuses the parameters: n: expected number" });
  expect(lines.join("\n")).toMatch(
    /--param <name=value> .*the job's schema, which says, where none\s+is given: .*n: expected number/s,
  );
  expect(help("run", schema).join("\n")).toContain("takes it that none is given");
});

test("a long name has a line of its own, and leaves room for what is said of the others", () => {
  const name = "x".repeat(60);
  const about = "what is said of it, in more words than there is room for in one line of a terminal";
  const params = { [name]: { type: "string", about }, n: { type: "number", about, default: 1 } };
  const long = described(
    defineJob({ name: "long", input: text(), params, reducers: 0, output: text(), map() {} } as never),
  );
  const lines = help("run", long, { width: 80 });
  const at = lines.indexOf(`  -p, --param ${name}=<string>`);
  expect(at).toBeGreaterThan(0);
  expect(lines[at + 1]).toMatch(/^ {10,}what is said/);
  for (const line of lines.toSpliced(at, 1)) expect(line.length).toBeLessThanOrEqual(80);
});

test("a default that holds a value of --env is not shown", () => {
  const params = {
    url: { type: "string", default: "https://user:pa55@host" },
    n: { type: "number", default: 4711 },
    s: { type: "string", default: "x" },
  };
  const job = described(
    defineJob({ name: "secret", input: text(), params, reducers: 0, output: text(), map() {} } as never),
  );
  const shown = help("run", job, { secrets: ["pa55", "4711", ""] }).join("\n");
  expect(shown).not.toMatch(/pa55|4711/);
  expect(shown.match(/\(default: holds a value of --env\)/g)).toHaveLength(2);
  expect(shown).toContain('(default: "x")');
});
