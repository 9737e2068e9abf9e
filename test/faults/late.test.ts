// What a map leaves going and does not wait for, in all the ways in which Node calls back, on a machine that has too
// much to do: no run may publish a result (fault 26). `MILLRACE_LATE_RUNS=20` runs each of them twenty times
// (CONTRIBUTING.md).
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { millrace, publishedText, repository, scratchFolder } from "../support/cli.ts";

const runs = Number(process.env["MILLRACE_LATE_RUNS"] ?? 2);
const atOnce = 4;
const folder = scratchFolder();
/** Processes that want all of the machine. */
const hogs: ChildProcess[] = [];

beforeAll(() => {
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  writeFileSync(join(folder.path, "in.txt"), Array.from({ length: 300 }, (_, i) => `line ${i}\n`).join(""));
  writeFileSync(join(folder.path, "one.txt"), "one line\n");
  for (let i = 0; i < availableParallelism(); i++)
    hogs.push(spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }));
});

afterAll(() => {
  const ended = hogs.filter(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
  for (const hog of hogs) hog.kill("SIGKILL");
  folder.remove();
  expect(ended).toEqual([]); // there was load all the time
});

const head = `import { defineJob, sum, text, tsv, uint, utf8 } from "millrace";
import { exec } from "node:child_process";
import { pbkdf2, randomBytes } from "node:crypto";
import { readFile as readFileBack } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { gzip } from "node:zlib";
`;

const mapOnly = "reducers: 0, output: text(),";
const reduced = "key: utf8, value: uint, combine: sum, output: tsv(),";

interface Source {
  readonly name: string;
  /** The job's properties; the line of the late call is marked, or that of map where the job's code makes no call. */
  readonly of: string;
  readonly says: string;
}

/** Calls `done` later. */
const later: Readonly<Record<string, string>> = {
  "a timer": "setTimeout(done, 30);",
  "a timer that is due": "setTimeout(done, 0);",
  setImmediate: "setImmediate(done);",
  queueMicrotask: "queueMicrotask(done);",
  "process.nextTick": "process.nextTick(done);",
  "a promise": "Promise.resolve().then(done);",
  gzip: "gzip(Buffer.alloc(3e5, line), done);",
  randomBytes: "randomBytes(64, done);",
  pbkdf2: 'pbkdf2(line, "salt", 5_000, 32, "sha256", done);',
  "crypto.subtle": 'crypto.subtle.digest("SHA-256", Buffer.alloc(3e5)).then(done);',
  WebAssembly: 'WebAssembly.compile(Buffer.from("0061736d01000000", "hex")).then(done);',
  "a file": "readFile(import.meta.filename).then(done);",
  "a file, with a callback": 'readFileBack("/proc/self/stat", done);',
  import: 'import("node:readline").then(done);',
  "another program": 'exec("true", done);',
  "a MessagePort":
    "const { port1, port2 } = new MessageChannel(); port1.onmessage = () => { port1.close(); done(); }; port2.postMessage(1);",
  "a socket": `const server = createServer((socket) => socket.end("x")).listen(0, "127.0.0.1", () => {
      connect((server.address() as { port: number }).port, "127.0.0.1").on("data", () => { server.close(); done(); });
    });`,
};

const emitting = Object.entries(later).flatMap(([name, code]): Source[] => {
  const of = (parts: string, emit: string) => `${parts}
  map(line, emit) {
    const done = () => {
      ${emit}; /*late*/
    };
    ${code}
  },`;
  return [{ name, of: of(mapOnly, "emit(line)"), says: "emit was called after" }];
});

const others: readonly Source[] = [
  ...[
    ["a promise whose `then` is given emit itself", "Promise.resolve(line).then(emit);"],
    ["a timer that is given emit itself", "setTimeout(emit, 30, line);"],
    ["setImmediate that is given emit itself", "setImmediate(emit, line);"],
  ].map(([name, code]) => ({
    name: name!,
    of: `${mapOnly}\n  map(line, emit) { /*late*/\n    ${code}\n  },`,
    says: "emit was called after",
  })),
  ...[
    ["a timer that throws", 'setTimeout(() => { throw new Error("too late"); }, 30);'],
    ["a promise that is rejected", 'void Promise.reject(new Error("too late"));'],
    ["a promise that is rejected with what is no error", 'void Promise.reject("too late");'],
    ["a promise of Node's that is rejected", 'void readFile("/too late");'],
    ["a promise that is rejected in a while", 'setTimeout(() => void Promise.reject(new Error("too late")), 30);'],
  ].map(([name, code]) => ({
    name: name!,
    of: `${reduced}\n  map(line, emit) { emit(line, 1); ${code} /*late*/\n  },`,
    says: "too late",
  })),
  {
    name: "a timer, in a job with reduces",
    of: `${reduced}\n  map(line, emit) {\n    setTimeout(() => emit(line, 1), 30); /*late*/\n  },`,
    says: "emit was called after",
  },
];

/** Ways to run a job; each disturbs others in its own way. */
const ways: readonly (readonly string[])[] = [
  ["one.txt", "--slots", "1"],
  ["in.txt", "--slots", "1"],
  ["in.txt", "--slots", "2", "--split-size", "1KiB", "--quiet"],
  ["in.txt", "--slots", "1", "--split-size", "1KiB"],
];

const sources = [...emitting, ...others];
const width = Math.min(atOnce, runs);

describe("what goes on after map has returned fails the job, however busy the machine is", () => {
  test.each(sources)(
    "$name",
    async (source) => {
      const { name, of, says } = source;
      const job = `${name.replaceAll(/\W+/g, "-")}.ts`;
      const code = `${head}\nexport default defineJob({\n  name: "late", input: text(), ${of}\n});\n`;
      writeFileSync(join(folder.path, job), code);
      const line = code.split("\n").findIndex((text) => text.includes("/*late*/")) + 1;
      let begun = 0;
      await Promise.all(
        Array.from({ length: width }, async () => {
          while (begun < runs) {
            const run = begun++;
            const out = `out-${job}-${run}`;
            const way = ways[(run + sources.indexOf(source)) % ways.length]!;
            const { code, stderr } = await millrace(["run", job, ...way, "-o", out], { cwd: folder.path });
            expect({ run, code, stderr }).toEqual({ run, code: 1, stderr: expect.stringContaining(says) });
            expect(stderr).toContain("wait it or return its promise");
            expect(stderr).toMatch(new RegExp(`at .*${job}:${line}:`));
            expect(existsSync(join(folder.path, out))).toBe(false);
          }
        }),
      );
    },
    1_200_000,
  );
});

test("a slot whose thread is kept busy when its job ends is killed, and the job ends right", async () => {
  const mark = (name: string) => JSON.stringify(join(folder.path, name));
  writeFileSync(
    join(folder.path, "busy.ts"),
    `${head}import { existsSync, writeFileSync } from "node:fs";
const until = async (path: string) => { while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 20)); };
export default defineJob({
  name: "busy", input: text(), reducers: 0, output: text(),
  async map(line, emit) {
    emit(line);
    // Each waits for the other, so that they are in two slots.
    writeFileSync(line.endsWith("a") ? ${mark("a-began")} : ${mark("b-began")}, "");
    await until(line.endsWith("a") ? ${mark("b-began")} : ${mark("busy")});
    // When the attempt has been reported: nothing waits for a timer that keeps no process.
    if (line.endsWith("a")) setTimeout(() => { writeFileSync(${mark("busy")}, ""); for (;;); }, 1500).unref();
  },
});
`,
  );
  for (const name of ["a", "b"]) writeFileSync(join(folder.path, `${name}.in`), `the line ${name}\n`);
  const { code, stderr } = await millrace(
    ["run", "busy.ts", "a.in", "b.in", "-o", "busy-out", "--slots", "2", "--split-size", "8"],
    {
      cwd: folder.path,
    },
  );
  expect(code, stderr).toBe(0);
  expect(existsSync(join(folder.path, "busy"))).toBe(true);
  expect(stderr).toMatch(
    /was ended: after all calls had returned its thread was kept busy, and it said nothing for 4 s/,
  );
  expect(publishedText(join(folder.path, "busy-out"))).toBe("the line a\nthe line b\n");
});
