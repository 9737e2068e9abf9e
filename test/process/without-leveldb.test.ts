// The built package where classic-level, which is optional, is not installed: runs on this machine work, and whatever
// can't be had without it says what to install.
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installLevel } from "../../src/base/system/optional-package.ts";
import { jobFile, partsOf, runToEnd, Scratch, start, until } from "../faults/support.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
let scratch: Scratch;
/** Words before the words of a command. */
let under: readonly string[];
beforeEach(() => {
  scratch = new Scratch();
  scratch.write("in/a.txt", "one two\nTRIGGER two\n");
  const installed = join(scratch.path, "installed");
  mkdirSync(join(installed, "node_modules", "@bokuweb"), { recursive: true });
  for (const name of ["bin", "dist", "package.json"])
    cpSync(join(root, name), join(installed, name), { recursive: true });
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { dependencies: object };
  for (const name of Object.keys(dependencies))
    symlinkSync(join(root, "node_modules", name), join(installed, "node_modules", name));
  // The command of the test's support, by another file.
  under = [
    "sh",
    "-c",
    'program="$1"; shift 3; exec "$0" "$program" "$@"',
    process.execPath,
    join(installed, "bin/millrace.js"),
  ];
});
afterEach(() => scratch.remove());

function words(fault: string, more: readonly string[] = []): string[] {
  const params = ["--param", `fault=${fault}`, "--param", `mark=${scratch.mark}`, "--param", "times=1"];
  const path = ["--param", `path=${join(scratch.path, "go")}`];
  return [
    "run",
    jobFile("hostile"),
    "in",
    "-o",
    "out",
    "--slots",
    "1",
    "--memory",
    "128MB",
    ...params,
    ...path,
    ...more,
  ];
}

const times = (text: string, part: string) => text.split(part).length - 1;
const counts = "TRIGGER\t1\none\t1\ntwo\t2\n";

test("the version in the command to install it is that of the package", () => {
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  expect(installLevel).toBe(`npm install classic-level@${optionalDependencies["classic-level"].split(".")[0]}`);
});

test("a run that is over at once says nothing about it", async () => {
  const env = { MILLRACE_STATE_MS: "600000" };
  const { code, stderr } = await runToEnd(scratch, words("none", ["--quiet"]), { under, env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(partsOf(scratch.output)).toBe(counts);
});

test("a longer one says once that it can't be resumed, and what to install; --resume and a failure say so too", async () => {
  const run = start(scratch, words("busy"), { under });
  await until(() => run.stderr().includes("can't be resumed"));
  writeFileSync(join(scratch.path, "go"), "");
  const { code, stderr } = await run.ended;
  expect(code, stderr).toBe(0);
  expect(times(stderr, installLevel)).toBe(1);
  expect(times(stderr, "warning")).toBe(1);
  expect(partsOf(scratch.output)).toBe(counts);

  rmSync(scratch.output, { recursive: true });
  const resumed = await runToEnd(scratch, words("busy", ["--resume"]), { under });
  expect(resumed).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/--resume needs .*classic-level.*missing-package/),
  });
  expect(resumed.stderr).toContain(installLevel);
});

test("a failed run keeps nothing, and does not advise --resume", async () => {
  const { code, stderr } = await runToEnd(
    scratch,
    words("no-such-fault").map((word) => word.replace("times=1", "times=9")),
    { under },
  );
  expect(code, stderr).toBe(1);
  expect(stderr).toContain("there is no fault no-such-fault");
  expect(stderr).not.toContain(" --resume\n");
  expect(readdirSync(scratch.path).filter((name) => name.startsWith(".out"))).toEqual([]);
});

test("a master and a worker refuse to start, and say what to install", async () => {
  const env = { XDG_CONFIG_HOME: join(scratch.path, "config") };
  const master = await runToEnd(scratch, ["master", "--state", "state", "--listen", "127.0.0.1:0"], { under, env });
  expect(master).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("a master needs the package classic-level"),
  });
  expect(master.stderr).toContain(installLevel);
  chmodSync(scratch.write("token", "x".repeat(43)), 0o600);
  const joining = ["worker", "--master", "http://127.0.0.1:1", "--token-file", "token", "--work-dir", "work"];
  const worker = await runToEnd(scratch, joining, { under, env });
  expect(worker).toMatchObject({
    code: 4,
    stderr: expect.stringContaining("a worker needs the package classic-level"),
  });
  expect(worker.stderr).toContain(installLevel);
  expect(existsSync(join(scratch.path, "state", "store", "CURRENT"))).toBe(false);
});
