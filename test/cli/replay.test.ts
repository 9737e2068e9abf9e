// `millrace replay` as a user runs it.
import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { millrace, scratchFolder } from "../support/cli.ts";

const folder = scratchFolder();
const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder.path, name), content);
const replay = (...words: string[]) => millrace(["replay", ...words], { cwd: folder.path });

beforeAll(() => {
  write("lines.txt", "first line\nbad line\n\u001b[2Jthird\n");
  write("lines.txt.gz", gzipSync("first line\nbad line\n"));
  write("users.csv", "id,name\n1,Ada\n2,Grace\n");
  write("events.ndjson", '{"a":1}\n{"a":\n');
  write("side.txt", "from beside the job");
  write("other.txt", "given on the command line");
  write(
    "words.ts",
    `import { readFileSync } from "node:fs";
import { defineJob, text, tsv, uint, utf8 } from "millrace";

export default defineJob({
  name: "words",
  input: text(),
  output: { main: tsv(), seen: text() },
  key: utf8,
  value: uint,
  params: { prefix: { type: "string", default: "" } },
  files: { side: "side.txt" },
  setup: (ctx) => ({ side: readFileSync(ctx.file("side"), "utf8") }),
  map(line, emit, ctx) {
    for (const word of line.split(" ")) emit(ctx.params.prefix + word, word.length);
    emit.to("seen", \`\${ctx.source}:\${ctx.offset} \${process.env["TZ"]} \${process.env["HOME"]} \${ctx.state.side}\`);
    ctx.count("lines");
    ctx.log("looked at", { line });
    if (line.startsWith("bad")) fail(line);
  },
  teardown: () => console.log("torn down"),
});

function fail(line: string): never {
  throw new TypeError(\`can't do \${line}\`);
}
`,
  );
  write(
    "two.ts",
    `import { csv, defineJob, ndjson, utf8 } from "millrace";

export default defineJob({
  name: "two",
  input: { users: csv({ header: true, columns: { id: utf8, name: utf8 } }), events: ndjson<{ a: number }>() },
  reducers: 0,
  map: { users: (user, emit) => emit(user), events: (event, emit) => emit({ id: String(event.a), name: "event" }) },
  output: ndjson<{ id: string; name: string }>(),
});
`,
  );
  write("visits.txt", "ann 3\nbo 1\nann 4\nbo 2\nan 9\n");
  write(
    "visits.ts",
    `import { defineJob, sum, text, tuple, uint, utf8 } from "millrace";

export default defineJob({
  name: "visits",
  input: text(),
  key: tuple(utf8, utf8),
  value: uint,
  params: { most: { type: "number", default: 100 } },
  map(line, emit, ctx) {
    const [who = "", pages = ""] = line.split(" ");
    console.log("looked at", line);
    ctx.log("looked at", { line });
    emit([who, "visits"], Number(pages));
  },
  combine: sum,
  reduce(key, values, emit, ctx) {
    for (const pages of values) {
      ctx.count("values");
      if (pages > ctx.params.most) throw new RangeError(\`\${pages} pages\`);
      emit([key[0], String(pages)]);
    }
  },
});
`,
  );
});
afterAll(() => folder.remove());

test("a record is shown with its pairs, records of outputs and counters, as setup, params and side files make them", async () => {
  const { code, stdout, stderr } = await replay(
    "words.ts",
    "lines.txt:0",
    "--param",
    "prefix=_",
    "--file",
    "side=other.txt",
  );
  expect(stdout.toString()).toBe(`lines.txt:0
  "first line"

torn down
emitted 2 pairs
  "_first"  →  5
  "_line"  →  4
emitted 1 record to seen
  "lines.txt:0 UTC undefined given on the command line"
counted
  lines: 1
`);
  // HOME is not for the job's code, and that is said.
  expect(stderr).toMatch(/^warning: the job reads HOME .*--env HOME\nlog {2}looked at \{ line: 'first line' \}\n$/);
  expect(code).toBe(0);
});

test("what map throws is shown as the user's error, with the lines of the job file, and exit code 1", async () => {
  const { code, stdout, stderr } = await replay("words.ts", "lines.txt:11");
  expect(stdout.toString()).toContain("emitted 2 pairs before it failed\n");
  expect(stderr).toContain("error: TypeError: can't do bad line\n  at lines.txt:11\n  at fail (words.ts:24:9)\n  at ");
  expect(stderr).toMatch(/at Object\.map \(words\.ts:18:\d+\)\n/);
  expect(code).toBe(1);
});

test("fault: control characters of the data do not reach the terminal", async () => {
  const { stdout, stderr } = await replay("words.ts", "lines.txt:20");
  expect(stdout.toString() + stderr).toContain("third");
  expect(stdout.toString() + stderr).not.toContain("\u001b");
});

test("the offset in a compressed file is one in its content", async () => {
  const { code, stdout } = await replay("words.ts", "lines.txt.gz:11");
  expect(stdout.toString()).toContain('"bad line"');
  expect(code).toBe(1);
  const past = await replay("words.ts", "lines.txt.gz:20");
  expect(past.stderr).toContain("there is no byte 20 in lines.txt.gz: it has 20 decompressed, counted from 0");
  expect(past.code).toBe(2);
});

test("an offset inside of a record is refused, with the command for the record that it is in", async () => {
  const { code, stdout, stderr } = await replay("words.ts", "lines.txt:13");
  expect(stderr).toContain("no record begins at byte 13 of lines.txt: the one before it begins at 11");
  expect(stderr).toContain("millrace replay words.ts lines.txt:11");
  expect(stdout.toString()).toBe("");
  expect(code).toBe(2);
});

test("the header of a CSV file is no record, and where inputs have names the file's has to be given", async () => {
  const header = await replay("two.ts", "users.csv:0", "--input", "users");
  expect(header.stderr).toContain("no record begins at byte 0 of users.csv: the first one at 8");
  const row = await replay("two.ts", "users.csv:8", "--input", "users");
  expect(row.stdout.toString()).toContain("(input users)\n  { id: '1', name: 'Ada' }\n\nemitted 1 record\n");
  expect(row.code).toBe(0);
  const unnamed = await replay("two.ts", "users.csv:8");
  expect(unnamed.stderr).toContain("--input users or --input events");
  expect(unnamed.code).toBe(2);
});

test("a record that the format refuses is the format's error, with the exit code of bad input", async () => {
  const { code, stdout, stderr } = await replay("two.ts", "events.ndjson:8", "--input", "events");
  expect(stderr).toContain("is not JSON");
  expect(stderr).toContain("at events.ndjson:8");
  expect(stdout.toString()).toBe("");
  expect(code).toBe(3);
});

test.each([
  [["words.ts", "lines.txt"], "is not a position: give FILE:OFFSET", 2],
  [["words.ts", "--", "-:5"], "standard input is gone", 2],
  [["words.ts", "nothing.txt:0"], 'there is no file "nothing.txt"', 3],
  [["words.ts", "lines.txt:0", "--param", "prfix=1"], "prefix", 2],
  [["words.ts", "lines.txt:0", "--input", "users"], "has one input", 2],
  [["missing.ts", "lines.txt:0"], "there is no job file missing.ts", 2],
  [["words.ts"], "there is nothing to replay: give FILE:OFFSET", 2],
  [["words.ts", "lines.txt:0", "lines.txt:11"], "one record is replayed at a time", 2],
  [["words.ts", "lines.txt:0", "--skip-bad", "1"], "--skip-bad goes with --key", 2],
  [["words.ts", "nothing.txt", "--key", "a"], 'there is no file "nothing.txt"', 3],
  [["words.ts", "lines.txt", "--key", "a", "--inspect"], "has no reduce to stop at", 2],
  [["two.ts", "users.csv", "--key", "a"], "--input users=users.csv", 2],
  [["two.ts", "--input", "users", "--key", "a"], "--input takes NAME=PATH where --key is given", 2],
  [["two.ts", "users.csv:8", "--input", "users=users.csv"], "for one record it is --input users", 2],
  [["two.ts", "--input", "users=users.csv", "--input", "events=events.ndjson", "--key", "a"], "is map-only", 2],
])("millrace replay %s can't be done, and it says why", async (words, message, exit) => {
  const { code, stdout, stderr } = await replay(...words);
  expect(stderr).toContain(message);
  expect(stdout.toString()).toBe("");
  expect(code).toBe(exit);
});

test("a failed run says with which words the record is replayed, and they work", async () => {
  const words = ["run", "words.ts", "lines.txt", "--param", "prefix=a b", "--file", "side=other.txt", "-o", "out"];
  const failed = await millrace(words, { cwd: folder.path });
  const hint =
    "run this record again:  millrace replay words.ts lines.txt:11 --param 'prefix=a b' --file side=other.txt\n";
  expect(failed.stderr).toContain(hint);
  const replayed = await replay("words.ts", "lines.txt:11", "--param", "prefix=a b", "--file", "side=other.txt");
  expect(replayed.stderr).toContain("can't do bad line");
});

test("a key's group is mapped, combined and reduced as in a run, and shown with its values", async () => {
  const { code, stdout, stderr } = await replay("visits.ts", "visits.txt", "--key", '["ann","visits"]');
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.toString()).toBe(`key [ 'ann', 'visits' ]  2 values from 5 records
  3
  4
reduce gets them combined, as in a run; --without-combine gives it each of them

emitted 1 record
  [ 'ann', '7' ]
counted
  values: 1
`);
  const each = await replay("visits.ts", "visits.txt", "-k", "[ 'ann', 'visits' ]", "--without-combine");
  expect(each.stdout.toString()).toContain("emitted 2 records\n  [ 'ann', '3' ]\n  [ 'ann', '4' ]\n");
  const piped = await millrace(["replay", "visits.ts", "-", "--key", '["bo","visits"]'], {
    cwd: folder.path,
    input: "bo 5\n",
  });
  expect(piped.stdout.toString()).toContain("[ 'bo', '5' ]");
});

test("a run that failed in reduce says with which words its key is replayed, and they work", async () => {
  const failed = await millrace(["run", "visits.ts", "visits.txt", "-o", "out", "-p", "most=8"], { cwd: folder.path });
  expect(failed.stderr).toContain("RangeError: 9 pages\n    at reduce of the key [ 'an', 'visits' ]\n");
  expect(failed.stderr).toContain(
    `run this key again:  millrace replay visits.ts visits.txt --key '["an","visits"]' --param most=8\n`,
  );
  const again = await replay("visits.ts", "visits.txt", "--key", '["an","visits"]', "--param", "most=8");
  expect(again.stderr).toContain("error: RangeError: 9 pages\n  at reduce of the key [ 'an', 'visits' ]\n");
  expect(again.stdout.toString()).toContain("emitted nothing before it failed\n");
  expect(again.code).toBe(1);
  const piped = await millrace(["run", "visits.ts", "-", "-p", "most=1"], { cwd: folder.path, input: "bo 5\n" });
  expect(piped.stderr).toContain("reduce of the key");
  expect(piped.stderr).not.toContain("millrace replay");
});

test("a key that no input has is told, with near ones", async () => {
  const { code, stdout, stderr } = await replay("visits.ts", "visits.txt", "--key", '["anne","visits"]');
  expect(stderr).toContain(
    `none of the 5 pairs that map emits for these inputs has the key "[\\"anne\\",\\"visits\\"]". Near ones: '["ann","visits"]', '["an","visits"]'`,
  );
  expect(stdout.toString()).toBe("");
  expect(code).toBe(2);
});

test("what the job throws outside of a call, and a promise that nothing can settle, end it", async () => {
  const job = (body: string) => `import { defineJob, text } from "millrace";
export default defineJob({ name: "odd", input: text(), reducers: 0, output: text(), async map(line) { ${body} } });
`;
  write(
    "late.ts",
    job('setTimeout(() => { throw new Error("too late") }, 1); await new Promise((r) => setTimeout(r, 60_000));'),
  );
  const late = await replay("late.ts", "lines.txt:0");
  expect(late.stderr).toContain("error: too late");
  expect(late.code).toBe(1);
  write("never.ts", job("await new Promise(() => {});"));
  const never = await replay("never.ts", "lines.txt:0");
  expect(never.stderr).toContain("waits for a promise that nothing can settle any more");
  expect(never.code).toBe(1);
});

test("--inspect waits for a debugger on the loopback interface and stops right before map is called", async () => {
  let attached: Promise<string> | undefined;
  const { code, stdout } = await millrace(["replay", "words.ts", "lines.txt:0", "--inspect"], {
    cwd: folder.path,
    started: (child) => {
      attached = attach(child);
    },
  });
  expect(await attached).toBe("paused in inspect, next to map\n");
  expect(stdout.toString()).toMatch(/waiting for a debugger at ws:\/\/127\.0\.0\.1:\d+\//);
  expect(stdout.toString()).toContain("emitted 2 pairs");
  expect(code).toBe(0);
});

test("--inspect with --key stops right before reduce is called", async () => {
  let attached: Promise<string> | undefined;
  const words = ["replay", "visits.ts", "visits.txt", "--key", '["bo","visits"]', "--inspect"];
  const { code, stdout } = await millrace(words, {
    cwd: folder.path,
    started: (child) => {
      attached = attach(child);
    },
  });
  expect(await attached).toBe("paused in inspect, next to reduce\n");
  expect(stdout.toString()).toContain("[ 'bo', '3' ]");
  expect(code).toBe(0);
});

/** A debugger: lets the process run, steps from where it stops into map, and lets it go on. */
const debuggerProgram = `
const socket = new WebSocket(process.argv[1]);
let id = 0;
const send = (method) => socket.send(JSON.stringify({ id: ++id, method }));
let stops = 0;
socket.onopen = () => { send("Debugger.enable"); send("Runtime.runIfWaitingForDebugger"); };
socket.onmessage = ({ data }) => {
  const { method, params } = JSON.parse(data);
  if (method !== "Debugger.paused") return;
  const [{ functionName }] = params.callFrames;
  if (++stops === 1) return send("Debugger.stepOver");
  if (stops === 2) return send("Debugger.stepInto");
  console.log("paused in inspect, next to " + functionName);
  send("Debugger.resume");
  send("Debugger.disable");
  socket.onmessage = () => { socket.close(); process.exit(); };
};
`;

/** What the debugger says. The address is the one that replay prints. */
function attach(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = "";
    let isAttached = false;
    child.stdout!.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
      const address = /waiting for a debugger at (ws:\S+)/.exec(printed)?.[1];
      if (address === undefined || isAttached) return;
      isAttached = true;
      const words = ["--experimental-websocket", "--no-warnings", "-e", debuggerProgram, address];
      const attached = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
      let output = "";
      attached.stdout.on("data", (text: Buffer) => {
        output += text.toString();
      });
      attached.on("error", reject);
      attached.on("close", () => resolve(output));
    });
  });
}
