// Security on one machine (docs/faults.md), each test with the requirement that it stands for.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { quoted } from "../../src/cli/screen/hints.ts";
import { commandLineOf, failuresOf, jobFile, partsOf, runToEnd, Scratch, start, until } from "./support.ts";

const sources = fileURLToPath(new URL("../../src/", import.meta.url));

let scratch: Scratch;
beforeEach(() => {
  scratch = new Scratch();
});
afterEach(() => scratch.remove());

function hostile(fault: string, more: readonly string[] = []): string[] {
  const params = [`fault=${fault}`, `mark=${scratch.mark}`].flatMap((param) => ["--param", param]);
  return ["run", jobFile("hostile"), "in", "-o", "out", "--slots", "1", "--memory", "64MB", ...params, ...more];
}

describe("what the product's sources never do", () => {
  const product = filesBelow(sources).filter(
    (path) =>
      path.endsWith(".ts") &&
      !path.endsWith(".test.ts") &&
      !path.includes("/wire/gen/") &&
      !path.includes("/assembly/"),
  );
  const never: readonly (readonly [requirement: string, words: RegExp, sample: string, but?: readonly string[]])[] = [
    [
      "S5: start a shell",
      /shell:\s*true|\bexec(Sync)?\(["'`]|\{[^}]*\bexec(Sync)?\b[^}]*\} from "node:child_process"/,
      'import { exec } from "node:child_process";',
    ],
    // boot.ts compiles this package's own bundle, and sets a flag for it.
    [
      "S7: read serialized objects of V8",
      /node:v8|\.deserialize\(|structuredClone\(/,
      "v8.deserialize(bytes)",
      ["boot.ts"],
    ],
    ["S7: make code of text", /\beval\(|new Function\(|node:vm/, "new Function(text)", ["boot.ts"]],
    // The one listener, which a gate stands in front of, is a cluster's: a run on this machine does not load it
    // (test/cli/loads.test.ts).
    [
      "S13: listen on the network",
      /\.listen\(|createServer\(|node:dgram/,
      "server.listen(0)",
      ["rpc/server/listener.ts"],
    ],
  ];
  for (const [requirement, words, sample, but = []] of never) {
    test(requirement, () => {
      expect(sample).toMatch(words);
      expect(product.length).toBeGreaterThan(100);
      expect(
        product.filter((path) => words.test(readFileSync(path, "utf8"))).map((path) => relative(sources, path)),
      ).toEqual(but);
    });
  }
});

describe("S6: no control character of data, errors, names or output reaches the terminal", () => {
  const controls = /[^\P{Cc}\n]/u;

  test("what the code throws and prints, and the record it happened at", async () => {
    scratch.write("in/a.txt", "TRIGGER \x1b]0;title\x07\x1b[2J\n");
    const { code, stderr } = await runToEnd(scratch, hostile("throw-controls"));
    expect({ code, fired: scratch.fired > 0 }).toEqual({ code: 1, fired: true });
    expect(stderr).toMatch(/printed \\x1b/);
    expect(stderr).toMatch(/thrown \\x1b/);
    expect(stderr).not.toMatch(controls);
  });

  test("names of files, in errors and in the summary", async () => {
    const name = "a\x1b[2Jb.txt";
    scratch.write(`in/${name}`, "TRIGGER\n");
    const failed = await runToEnd(scratch, hostile("throw-controls"));
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/a\\x1b\[2Jb\.txt/);
    const missing = await runToEnd(scratch, ["run", jobFile("plain"), "missing\x1b[2J", "-o", "o\x1b[2J"]);
    expect(missing.code).not.toBe(0);
    const done = await runToEnd(scratch, ["run", jobFile("plain"), "in", "-o", "o\x1b[2J"]);
    expect(done.code).toBe(0);
    for (const { stderr } of [failed, missing, done]) expect(stderr).not.toMatch(controls);
  });

  test("in commands to copy, which still name the same file", () => {
    expect(quoted("a'b\\c\x1b[2J\x85\n")).toBe(String.raw`$'a\'b\\c\x1b[2J\u0085\x0a'`);
    const echoed = spawnSync("bash", ["-c", `printf %s ${quoted("a'b\\c\x1b[2J\n ")}x`], { encoding: "utf8" });
    if (echoed.error === undefined) expect(echoed.stdout).toBe("a'b\\c\x1b[2J\n x");
  });

  test("names of counters, keys and jobs", async () => {
    scratch.write("in/a.txt", "counter\x1b[2J\n");
    const { code, stderr } = await runToEnd(scratch, [
      "run",
      jobFile("sizes"),
      "in",
      "-o",
      "out",
      "--param",
      "keys=line",
    ]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/counter\\x1b/);
    expect(stderr).not.toMatch(controls);
  });

  test("in the events of --json too", async () => {
    scratch.write("in/a.txt", "TRIGGER \x1b]0;title\x07\n");
    const { stdout, stderr } = await runToEnd(scratch, hostile("throw-controls", ["--json"]));
    expect(failuresOf(stdout).join()).toMatch(/thrown/);
    expect(stdout + stderr).not.toMatch(controls);
  });
});

describe("S8: a published folder's manifest leads nowhere else", () => {
  for (const name of ["../secret.txt", "/etc/passwd", "sub/../../secret.txt", "%2e%2e/secret.txt"]) {
    test(name, async () => {
      scratch.write("secret.txt", "CANARY\n");
      scratch.write("in/a.txt", "harmless\n");
      const published = await runToEnd(scratch, [
        "run",
        jobFile("plain"),
        "in",
        "-o",
        "first",
        "--quiet",
        "--reducers",
        "1",
      ]);
      expect(published.code).toBe(0);
      const success = join(scratch.path, "first/_SUCCESS");
      const text = readFileSync(success, "utf8");
      // As one who can write to the folder would: with a checksum that is right.
      const changed = text.replace('"part-00000.tsv"', JSON.stringify(name));
      expect(changed).not.toBe(text);
      writeFileSync(success, withChecksum(changed));
      const { code, stdout, stderr } = await runToEnd(scratch, ["run", jobFile("plain"), "first", "--quiet"]);
      expect(code).not.toBe(0);
      expect(stderr).not.toBe("");
      expect(stdout + stderr).not.toMatch(/CANARY|root:/);
    });
  }
});

test("S15: code that is not what its name says is not loaded", async () => {
  scratch.write("in/a.txt", "TRIGGER\n");
  const { code, stderr } = await runToEnd(scratch, hostile("change-bundle"));
  expect({ code, stderr }).toMatchObject({ code: 4, stderr: expect.stringMatching(/bundle/) });
  expect(scratch.fired).toBe(1);
});

test("S16: while a job runs, no other user may look into its folders, files or memory", async () => {
  scratch.write("in/a.txt", "one\n");
  scratch.write("in/b.txt", "TRIGGER\n");
  const go = join(scratch.path, "go");
  const run = start(scratch, hostile("busy", ["--param", `path=${go}`, "--split-size", "1B", "--quiet"]));
  await until(() => scratch.fired === 1);
  const folders = [...scratch.workFolders(), ...scratch.memoryFolders()];
  const all = folders.flatMap(entriesBelow);
  writeFileSync(go, "");
  expect(await run.ended).toMatchObject({ code: 0 });
  expect(folders.length).toBeGreaterThan(0);
  expect(all.length).toBeGreaterThan(10);
  // Below a folder that only its owner may enter, modes are a second wall: those of LevelDB's files are its own.
  const open = all.filter(({ mode, path }) => (mode & 0o077) !== 0 && !path.includes("/state/"));
  expect(open.map(({ path, mode }) => `${path} ${(mode & 0o777).toString(8)}`)).toEqual([]);
});

describe("S25: secrets", () => {
  const canary = "CANARY-7f3a9c";

  test("of who starts a run are not in its processes, files, logs or output", async () => {
    scratch.write("in/a.txt", "TRIGGER\n");
    const { code } = await runToEnd(scratch, hostile("print-environment", ["--param", "times=1"]), {
      env: { AWS_SECRET_ACCESS_KEY: canary },
    });
    expect({ code, fired: scratch.fired }).toEqual({ code: 0, fired: 1 });
    const go = join(scratch.path, "go");
    writeFileSync(scratch.mark, "");
    const again = hostile("busy", ["--param", `path=${go}`, "--overwrite"]);
    const run = start(scratch, again, { env: { AWS_SECRET_ACCESS_KEY: canary } });
    await until(() => scratch.fired === 1);
    const slots = scratch.processes().filter((pid) => commandLineOf(pid).includes("dist/slot.cjs"));
    const environments = slots.map((pid) => readFileSync(`/proc/${pid}/environ`, "latin1"));
    const written = textsBelow([...scratch.workFolders(), ...scratch.memoryFolders()]);
    writeFileSync(go, "");
    const { stderr } = await run.ended;
    expect(slots.length).toBeGreaterThan(0);
    expect(written.length).toBeGreaterThan(0);
    for (const text of [...environments, ...written, ...textsBelow([scratch.output]), stderr])
      expect(text.includes(canary)).toBe(false);
  });

  test("given as parameters are not in command lines of slots, logs, messages or the manifest", async () => {
    scratch.write("in/a.txt", "TRIGGER\n");
    const go = join(scratch.path, canary);
    const secret = ["--param", `path=${go}`, "--env", `TOKEN=${canary}`];
    const run = start(scratch, hostile("busy", secret));
    await until(() => scratch.fired === 1);
    const lines = scratch
      .processes()
      .filter((pid) => pid !== run.child.pid)
      .map(commandLineOf);
    const logs = textsBelow(scratch.workFolders().map((folder) => join(folder, "logs")));
    writeFileSync(go, "");
    const { code, stderr } = await run.ended;
    expect(code).toBe(0);
    expect(lines.length).toBeGreaterThan(0);
    expect(partsOf(scratch.output)).not.toBe("");
    for (const text of [...lines, ...logs, ...textsBelow([scratch.output]), stderr])
      expect(text.includes(canary)).toBe(false);
  });
});

/** A manifest with the checksum that its other lines ask for. */
function withChecksum(manifest: string): string {
  const body = manifest.slice(0, manifest.lastIndexOf('  "checksum"'));
  return `${body}  "checksum": "sha256:${createHash("sha256").update(body).digest("hex")}"\n}\n`;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

interface Entry {
  readonly path: string;
  readonly mode: number;
}

function entriesBelow(folder: string): Entry[] {
  return ["", ...readdirSync(folder, { recursive: true })]
    .map((name) => join(folder, String(name)))
    .flatMap((path) => {
      try {
        return [{ path, mode: lstatSync(path).mode }];
      } catch {
        return []; // it was removed meanwhile
      }
    });
}

function textsBelow(folders: readonly string[]): string[] {
  return folders.flatMap(filesBelow).map((path) => readFileSync(path, "latin1"));
}
