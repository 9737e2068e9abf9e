// Every option and argument of every command is given what nobody means: the command says which one and ends with 2, and nothing
// is read or made. A variable of the shell that is not set leaves an empty word, and an empty word must not be the current folder.
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { millrace, repository, scratchFolder } from "../support/cli.ts";

const folder = scratchFolder();
const left = () => readdirSync(folder.path).sort();
let before: string[];

beforeAll(() => {
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  writeFileSync(join(folder.path, "in.txt"), "to be\n");
  writeFileSync(
    join(folder.path, "job.ts"),
    `import { defineJob, text } from "millrace";
export default defineJob({ name: "job", input: text(), reducers: 0, output: text(), map: (line, emit) => emit(line + (process.env["SECRET"] ?? "")) });
`,
  );
  before = left();
});
afterAll(() => folder.remove());

const given = {
  run: ["job.ts", "in.txt"],
  master: ["--state", "state"],
  worker: ["--work-dir", "work", "--master", "http://127.0.0.1:1"],
};
const others: Readonly<Record<string, readonly string[]>> = {
  plan: given.run,
  test: given.run,
  sim: given.run,
  replay: ["job.ts", "in.txt:0"],
  init: [],
  status: ["--master", "http://127.0.0.1:1"],
  jobs: ["--master", "http://127.0.0.1:1"],
  workers: ["--master", "http://127.0.0.1:1"],
  logs: ["abc", "--master", "http://127.0.0.1:1"],
  history: ["abc", "--master", "http://127.0.0.1:1"],
  cancel: ["abc", "--master", "http://127.0.0.1:1"],
  retry: ["abc", "--master", "http://127.0.0.1:1"],
  drain: ["abc", "--master", "http://127.0.0.1:1"],
};
const usual: Readonly<Record<string, readonly string[]>> = { ...given, ...others };

interface Described {
  readonly options: { readonly name: string; readonly value: string }[];
}

/** What `--help` says: the options that take a value. */
async function described(command: string): Promise<Described> {
  const { stdout } = await millrace([command, "--help"]);
  const options = [...stdout.toString().matchAll(/^ +(?:-\w, )?(--[\w-]+) <([^>]+)>/gm)];
  return { options: options.map(([, name, value]) => ({ name: name!, value: value! })) };
}

/** What is wrong for an option by what it takes. */
function hostileValues(value: string): readonly string[] {
  const blank = ["", " ", "\t"];
  const isNamed = /^name(?:\[?=|$)/.test(value);
  if (value === "name=value") return ["", "=", "=x", " =x", "name"];
  if (value === "name[=value]") return ["", "=", "=x", " =x", "A B=x", "NOT_SET_ANYWHERE_AT_ALL"];
  if (isNamed && value.includes("path")) return ["", "=", "=x", "name", "name=", "name= "];
  if (/dir|file/.test(value)) return [...blank, "-x", "--json"].filter((word) => word !== "-");
  if (value === "n") return [...blank, "-1", "1.5", "1e3", "0x10", "NaN", "99999999999999999999", "ten"];
  if (value === "size") return [...blank, "-1MB", "0", "NaN", "1XB", "MB", "9999999999TB"];
  if (value === "time") return [...blank, "-1s", "0s", "1", "NaN", "1y", "s"];
  if (value === "level") return [...blank, "loud"];
  if (value === "url") return [...blank, "nothing", "ftp://x", "http://", "http://a:b@c", "http://a b"];
  if (value === "host:port") return [...blank, "x", ":1", "127.0.0.1", "127.0.0.1:99999", "a b:1"];
  return [...blank, "a b"]; // host, name
}

describe.each(Object.keys(usual))("millrace %s", (command) => {
  test("refuses what no option of it can mean, with 2 and a message that names it", { timeout: 300_000 }, async () => {
    const { options } = await described(command);
    const wrong: string[] = [];
    for (const { name, value } of options) {
      for (const hostile of hostileValues(value)) {
        const words = usual[command]!;
        const at = words.indexOf(name);
        const others = at < 0 ? words : words.filter((_, index) => index !== at && index !== at + 1);
        const result = await millrace([command, ...others, `${name}=${hostile}`], { cwd: folder.path });
        const isSaid = result.stderr.includes(name) || /address|position/.test(result.stderr);
        if (result.code !== 2 || !isSaid || /\bat .*dist\//.test(result.stderr) || result.stdout.length > 0)
          wrong.push(`${name}=${JSON.stringify(hostile)}: ${result.code} ${result.stderr.slice(0, 200)}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(left()).toEqual(before);
  });

  test("refuses empty and blank arguments, with 2", { timeout: 120_000 }, async () => {
    const words = usual[command]!;
    const positions = words.findIndex((word) => word.startsWith("--"));
    const count = positions < 0 ? words.length : positions;
    const wrong: string[] = [];
    for (let at = 0; at < Math.max(count, command === "init" || command === "status" ? 1 : 0); at++) {
      for (const hostile of ["", " "]) {
        const result = await millrace(
          [command, ...words.slice(0, at), hostile, ...words.slice(at + (count > 0 ? 1 : 0))],
          {
            cwd: folder.path,
          },
        );
        if (result.code !== 2 || result.stdout.length > 0 || /\bat .*dist\//.test(result.stderr))
          wrong.push(`${at} ${JSON.stringify(hostile)}: ${result.code} ${result.stderr.slice(0, 200)}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(left()).toEqual(before);
  });
});

test("-o - is standard output, in every way to write it", async () => {
  for (const words of [["-o", "-"], ["--output", "-"], ["--output=-"], ["-o-"]]) {
    const { code, stdout, stderr } = await millrace(["run", ...given.run, ...words, "--quiet"], { cwd: folder.path });
    expect({ code, stdout: stdout.toString(), stderr }).toEqual({ code: 0, stdout: "to be\n", stderr: "" });
  }
  const planned = await millrace(["plan", ...given.run, "-o", "-"], { cwd: folder.path });
  expect(planned.stdout.toString()).toContain("standard output");
  const resumed = await millrace(["run", ...given.run, "-o", "-", "--resume"], { cwd: folder.path });
  expect(resumed.code).toBe(2);
  const remote = await millrace(["run", ...given.run, "-o", "-", "--master", "http://127.0.0.1:1"], {
    cwd: folder.path,
  });
  expect([remote.code, remote.stderr]).toEqual([2, expect.stringContaining("give one with -o DIR")]);
  expect(left()).toEqual(before);
});

test("an option whose value is missing does not take the next one for it", async () => {
  for (const name of ["-o", "--work-dir"]) {
    const { code, stderr } = await millrace(["run", ...given.run, name, "--quiet"], { cwd: folder.path });
    expect([code, stderr]).toEqual([2, expect.stringContaining("./--quiet")]);
  }
  expect(left()).toEqual(before);
});

describe("the environment of the job's code", () => {
  const run = (words: readonly string[], env: Record<string, string> = {}) =>
    millrace(["run", ...given.run, "--quiet", ...words], { cwd: folder.path, env });

  test("--env NAME passes on what it is here, --env NAME=VALUE says what it is, also empty", async () => {
    const set = { SECRET: "-from-here=1" };
    expect((await run(["--env", "SECRET"], set)).stdout.toString()).toBe("to be-from-here=1\n");
    expect((await run(["--env", "SECRET=-x"], set)).stdout.toString()).toBe("to be-x\n");
    expect((await run(["--env", "SECRET="], set)).stdout.toString()).toBe("to be\n");
    for (const command of ["test", "sim"]) {
      const { code, stdout } = await millrace([command, ...given.run, "--env", "SECRET"], {
        cwd: folder.path,
        env: set,
      });
      expect(code, stdout.toString()).toBe(0);
    }
    const replayed = await millrace(["replay", "job.ts", "in.txt:0", "--env", "SECRET"], {
      cwd: folder.path,
      env: set,
    });
    expect(replayed.stdout.toString()).toContain("to be-from-here=1");
  }, 120_000);

  test.each([
    ["run", ...given.run],
    ["plan", ...given.run],
    ["replay", "job.ts", "in.txt:0"],
    ["sim", ...given.run, "--seeds", "1"],
    ["test", ...given.run],
  ])(
    "millrace %s says once which names the job reads that are set here and not passed on",
    async (...words) => {
      const env = { SECRET: "x" };
      const { code, stderr, stdout } = await millrace(words, { cwd: folder.path, env });
      expect(code, stderr + stdout).toBe(0);
      expect(stderr.match(/reads SECRET from its environment/g)).toHaveLength(1);
      expect(stderr).toContain("--env SECRET");
      for (const more of [
        ["--env", "SECRET"],
        ["--env", "SECRET=y"],
      ]) {
        const passed = await millrace([...words, ...more], { cwd: folder.path, env });
        expect(passed.stderr).not.toContain("from its environment");
      }
      const unset = await millrace(words, { cwd: folder.path });
      expect(unset.stderr).not.toContain("from its environment");
    },
    240_000,
  );

  test("hints repeat names and no values", async () => {
    writeFileSync(
      join(folder.path, "fails.ts"),
      readFileSync(join(folder.path, "job.ts"), "utf8").replace("emit(line", "emit(boom(line) + line") +
        "function boom(line: string): string { throw new Error(line); }\n",
    );
    const words = ["run", "fails.ts", "in.txt", "-o", "out", "--env", "SECRET=hush-hush", "--env", "OTHER"];
    const { code, stderr } = await millrace(words, { cwd: folder.path, env: { OTHER: "not-told" } });
    expect(code).toBe(1);
    expect(stderr).not.toMatch(/hush-hush|not-told/);
    expect(stderr).toContain("--env SECRET --env OTHER");
    expect(stderr).toContain("set SECRET in your shell first, or give --env SECRET=VALUE again");
    const again = await millrace(["replay", "fails.ts", "in.txt:0", "--env", "SECRET"], { cwd: folder.path });
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("give --env SECRET=VALUE")]);
  });
});
