// Values of options that no option gives: which of them counts, where it is said, and what is refused.
import { chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { limits } from "../../base/limits.ts";
import { flagOf, type Kind, runOption, runOptionNames } from "../../engine/run/option-table.ts";
import type { RunFlags } from "../../engine/run/option-values.ts";
import { fittingFlags } from "../commands/submit.ts";
import { program } from "../main.ts";
import { applySettings, settingsOf, settingsOfRun, settle } from "./apply.ts";
import { findSettings } from "./find.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "millrace-settings-")));
const home = process.cwd();
let folder: string;
let made = 0;
beforeEach(() => {
  folder = join(root, String(++made));
  mkdirSync(folder);
  process.chdir(folder);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.chdir(home);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(name: string, content: unknown): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

/** A command as it is before its action: settings are applied, its words parsed. */
async function parsed(words: readonly string[], env: Record<string, string> = {}): Promise<Command> {
  const command = program().commands.find((each) => each.name() === words[0])!;
  await applySettings(command, words, env);
  command.parseOptions(words.slice(1) as string[]);
  settle(command);
  return command;
}

const local = { master: "http://file:1" };
const fromEnv = { MILLRACE_MASTER: "http://env:2" };

test("an option counts before the environment, that before the file, and that before the default", async () => {
  write("millrace.json", { master: local.master, skipBad: 7 });
  const masterOf = async (words: readonly string[], env = {}) => (await parsed(words, env)).opts()["master"] as unknown;
  for (const name of ["run", "status"]) {
    expect(await masterOf([name, "-m", "http://flag:3"], fromEnv)).toBe("http://flag:3");
    expect(await masterOf([name], fromEnv)).toBe("http://env:2");
    expect(await masterOf([name])).toBe("http://file:1");
    expect(await masterOf([name], { MILLRACE_MASTER: "" })).toBe("http://file:1");
    expect(await masterOf([name, "--no-config"])).toBeUndefined();
    expect(await masterOf([name, "--no-config"], fromEnv)).toBe("http://env:2");
  }
  const output = ["-o", "out"];
  expect((await parsed(["run", ...output])).opts()["skipBad"]).toBe(7);
  expect((await parsed(["run", ...output, "--skip-bad", "3"])).opts()["skipBad"]).toBe(3);
  expect((await parsed(["run", ...output, "--no-config"])).opts()["skipBad"]).toBe(0);
});

test("none is no cluster, for run alone", async () => {
  write("millrace.json", { master: local.master, slots: 3 });
  const run = await parsed(["run", "--master", "none"], fromEnv);
  expect(run.opts()).toMatchObject({ slots: 3 });
  expect(run.opts()["master"]).toBeUndefined();
  expect((await parsed(["run"], { MILLRACE_MASTER: "none" })).opts()["master"]).toBeUndefined();
  expect((await parsed(["status"], { MILLRACE_MASTER: "none" })).opts()["master"]).toBeUndefined();
});

test("a worker takes its cluster from the environment, and nothing from a file", async () => {
  write("millrace.json", { master: local.master, slots: 3 });
  expect((await parsed(["worker"], fromEnv)).opts()["master"]).toBe("http://env:2");
  expect((await parsed(["worker"])).opts()).not.toHaveProperty("master");
});

test("what a file has for the other kind of run is left out, and not refused", async () => {
  write("millrace.json", { slots: 3, memory: "2GB", workDir: "w", ca: "ca.pem", tokenFile: "t", maxSlots: 9 });
  const here = (await parsed(["run"])).opts();
  expect(here).toMatchObject({ slots: 3, memory: 2 ** 31, workDir: join(folder, "w"), maxSlots: 9 });
  expect([here["ca"], here["tokenFile"]]).toEqual([undefined, undefined]);
  const there = (await parsed(["run", "-m", "http://m:1"])).opts();
  expect(there).toMatchObject({ ca: join(folder, "ca.pem"), tokenFile: join(folder, "t"), maxSlots: 9 });
  expect([there["slots"], there["memory"], there["workDir"]]).toEqual([undefined, undefined, undefined]);
  // The variable, which is read where the token is needed, comes before the file.
  const byVariable = await parsed(["run", "-m", "http://m:1"], { MILLRACE_TOKEN_FILE: "/t" });
  expect(byVariable.opts()["tokenFile"]).toBeUndefined();
});

test("bad records that a file allows are left out where a run has no folder for them, and what is typed stays", async () => {
  write("millrace.json", { skipBad: 5 });
  const skipBadOf = async (...words: string[]) => {
    const command = await parsed(words);
    return [command.opts()["skipBad"] as unknown, settingsOf(command).map(({ name }) => name)];
  };
  for (const name of ["run", "plan"]) {
    for (const none of [[], ["-o", "-"]]) {
      expect(await skipBadOf(name, ...none)).toEqual([0, []]);
      expect(await skipBadOf(name, ...none, "--skip-bad", "3")).toEqual([3, []]);
      expect(await skipBadOf(name, ...none, "--dead-letters", "bad")).toEqual([5, ["skipBad"]]);
    }
    expect(await skipBadOf(name, "-o", "out")).toEqual([5, ["skipBad"]]);
  }
  // These publish nothing.
  for (const name of ["test", "sim"]) expect((await skipBadOf(name))[0]).toBe(5);
});

test("partitions that a file asks for are left out where the job has no use for them, and what is typed stays", async () => {
  write("millrace.json", { reducers: 3 });
  const reducersOf = async (reducers: number, ...words: string[]) => {
    const given = (await parsed(words)).opts<RunFlags>();
    return fittingFlags({ reducers }, given).reducers;
  };
  for (const name of ["run", "plan", "test", "sim"]) {
    expect(await reducersOf(0, name)).toBeUndefined();
    expect(await reducersOf(1, name)).toBe(3);
    expect(await reducersOf(0, name, "--reducers", "3")).toBe(3);
    expect(await reducersOf(0, name, "--no-config")).toBeUndefined();
  }
  write("millrace.json", { reducers: 0 });
  expect(await reducersOf(1, "run")).toBeUndefined();
  expect(await reducersOf(0, "run")).toBe(0);
  expect(await reducersOf(1, "run", "--reducers", "0")).toBe(0);
});

test("the nearest file counts, and its paths are relative to it", async () => {
  write("millrace.json", { workDir: "fast" });
  write("a/package.json", { name: "a", dependencies: { millrace: "1" } });
  write("a/b/package.json", { name: "b", millrace: { workDir: "../near", attempts: 2 } });
  mkdirSync(join(folder, "a/b/c"));
  process.chdir("a");
  expect((await parsed(["run"])).opts()["workDir"]).toBe(join(folder, "fast"));
  process.chdir("b/c");
  const run = await parsed(["run"]);
  expect(run.opts()).toMatchObject({ workDir: join(folder, "a/near"), attempts: 2 });
  expect(settingsOf(run).map(({ from }) => from)).toEqual(Array(2).fill("the key millrace of ../package.json"));
});

test("commands say where a value comes from", async () => {
  write("millrace.json", { slots: 3, taskTimeout: "90s", ca: "ca.pem", noProgress: true });
  const helpOf = async (words: readonly string[], env = {}) => {
    const command = await parsed(words, env);
    let text = "";
    command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 500 });
    command.outputHelp();
    return text;
  };
  const run = await helpOf(["run"]);
  expect(run).toMatch(/--slots <n> .*\(now: 3, from millrace\.json\)/);
  expect(run).toMatch(/--task-timeout <time> .*\(now: 90s, from millrace\.json\)/);
  expect(run).not.toMatch(/--ca <file> .*now:/);
  expect(await helpOf(["run", "--slots", "2"])).not.toMatch(/--slots <n> .*now:/);
  expect(await helpOf(["run"], fromEnv)).toMatch(/--master <url> .*\(now: http:\/\/env:2, from MILLRACE_MASTER\)/);
  expect(await helpOf(["status"], fromEnv)).toMatch(/--master <url> .*\(now: http:\/\/env:2, from MILLRACE_MASTER\)/);
  expect(await helpOf(["status", "--no-config"])).toMatch(/--master <url> .*\(required\)/);
  const shown = settingsOfRun(await parsed(["plan"], fromEnv));
  expect(shown.map(({ name, from }) => `${name} ${from}`)).toEqual([
    "master MILLRACE_MASTER",
    "slots millrace.json",
    "taskTimeout millrace.json",
    "ca millrace.json",
    "noProgress millrace.json",
  ]);
  expect(settingsOfRun(await parsed(["plan", "--slots", "1", "--no-config"]))).toEqual([]);
});

describe("a file of settings", () => {
  const samples: { readonly [K in Kind["kind"]]?: unknown } = {
    count: 2,
    size: "1GB",
    duration: "5m",
    interval: "off",
    flag: true,
    directory: "d",
    file: "f",
    address: "http://m:1",
  };

  test.each(runOptionNames.filter((name) => runOption(name).flag !== undefined))(
    "takes %s or says where it belongs",
    async (name) => {
      write("millrace.json", { [name]: samples[runOption(name).kind] ?? "x" });
      const run = parsed(["run", "-m", "none"]);
      if (runOption(name).inFile === true) await run;
      else
        await expect(run).rejects.toMatchObject({
          code: "wrong-usage",
          message: expect.stringMatching(
            new RegExp(`^millrace\\.json: ${name} is not for all runs.*${flagOf(name)} on the`),
          ),
        });
    },
  );

  test("has nothing that chooses a program, an environment, an output, or how one run begins", () => {
    const never = [
      "output",
      "deadLetters",
      "overwrite",
      "resume",
      "resumeOrBegin",
      "inputs",
      "params",
      "files",
      "env",
    ] as const;
    for (const name of [...never, "decompress", "json", "quiet", "color", "detach", "noConfig"] as const)
      expect(runOption(name).inFile, name).toBeUndefined();
  });

  test.each<[string, string, RegExp]>([
    [
      "a name that is nearly right",
      `{"slot":2}`,
      /there is no setting "slot" \(did you mean "slots"\?\); the settings are .*slots/,
    ],
    ["the name of a flag", `{"split-size":"1MB"}`, /did you mean "splitSize"/],
    ["an option of run() alone", `{"signal":1}`, /no setting "signal"/],
    ["a name of every object's", `{"__proto__":1}`, /no setting "__proto__"/],
    ["a number as text", `{"slots":"2"}`, /slots is a whole number from 1 to \d+, not "2"/],
    ["a size without a unit's text", `{"memory":1000}`, /memory is a size as text, like "2GB"/],
    ["a time of no unit", `{"taskTimeout":"10"}`, /taskTimeout/],
    ["a word for true", `{"noProgress":"yes"}`, /noProgress is true or false/],
    ["an address of something else", `{"master":"ftp://x"}`, /not an address/],
    ["a list of addresses with something else in it", `{"master":"http://a:1,b"}`, /not an address/],
    ["an address with a password", `{"master":"http://a:b@c"}`, /no password/],
    ["an empty path", `{"workDir":" "}`, /workDir/],
    ["a null", `{"slots":null}`, /slots is null: leave it out/],
    ["no object", `[1]`, /must be an object of settings by name, not \[ 1 \]/],
    ["no JSON", `{"slots":2,}`, /is not JSON: /],
    ["nothing", ``, /is not JSON: /],
  ])("is refused by its name for %s", async (_, text, message) => {
    write("millrace.json", text);
    const given = parsed(["run"]);
    await expect(given).rejects.toMatchObject({ code: "wrong-usage", message: expect.stringMatching(message) });
    await expect(parsed(["run"])).rejects.toThrow(/^millrace\.json/);
    if (text.startsWith("{") && !text.endsWith(",}")) {
      rmSync("millrace.json");
      write("package.json", `{"millrace":${text}}`);
      await expect(parsed(["run"])).rejects.toThrow(/^the key millrace of package\.json: /);
    }
    await parsed(["run", "--no-config"]);
    await parsed(["head"]);
  });

  test("says nothing by a flag that is not set", async () => {
    write("millrace.json", { noProgress: false, slots: 2 });
    const run = await parsed(["run"]);
    expect(run.opts()["noProgress"]).toBeFalsy();
    expect(settingsOf(run).map(({ name }) => name)).toEqual(["slots"]);
  });

  test("may begin with a byte order mark", async () => {
    write("millrace.json", `\uFEFF{"slots":2}`);
    expect((await parsed(["run"])).opts()["slots"]).toBe(2);
  });

  test("is one: two beside each other are refused", async () => {
    write("millrace.json", {});
    write("package.json", { millrace: {} });
    await expect(parsed(["run"])).rejects.toThrow(/^millrace\.json and the key millrace of package\.json both/);
  });

  test("is a file of a bounded size, of this user or the system's", () => {
    const path = write("millrace.json", {});
    if (process.getuid?.() === 0) chownSync(path, 4711, 4711);
    else vi.spyOn(process as { getuid(): number }, "getuid").mockReturnValue(4711);
    expect(() => findSettings(folder)).toThrow(/belongs to another user: make it yours \(chown\), or --no-config/);
    vi.restoreAllMocks();
    write("large/millrace.json", " ".repeat(limits.settingsBytesMax + 1));
    expect(() => findSettings(join(folder, "large"))).toThrow(/at most \d+ are read/);
    mkdirSync(join(folder, "folder/millrace.json"), { recursive: true });
    expect(() => findSettings(join(folder, "folder"))).toThrow(/is no file of settings/);
  });

  test("a package.json without the key has none, whatever else is in it", () => {
    mkdirSync(join(folder, "x"));
    for (const text of [
      "",
      "{",
      `{"name":"millrace","version":"1"}`,
      `{"dependencies":{"millrace":"1"},}`,
      "[]",
      "null",
    ]) {
      write("package.json", text);
      expect(findSettings(join(folder, "x")), text).toBeUndefined();
    }
    write("package.json", `{"millrace": {"slots": 1,}}`);
    expect(() => findSettings(folder)).toThrow(/package\.json is not JSON/);
  });
});

test("a wrong address in the environment is refused by the variable's name, where one is needed", async () => {
  await expect(parsed(["run"], { MILLRACE_MASTER: "m1" })).rejects.toThrow(/MILLRACE_MASTER.*"m1" is not an address/);
  await parsed(["test"], { MILLRACE_MASTER: "m1" });
  await parsed(["init"], { MILLRACE_MASTER: "m1" });
});
