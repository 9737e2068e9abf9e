import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { buildSync } from "esbuild";
import { expect, test } from "vitest";

const folder = fileURLToPath(new URL(".", import.meta.url));

/**
 * Runs in a process of its own, as a test's process never comes to its end. Prints what is active, when nothing keeps
 * the process, and what is active then.
 */
async function letGoIn(code: string): Promise<unknown> {
  const { outputFiles } = buildSync({
    stdin: {
      contents: `import { letGoOfHandles, letGoOfTimers } from "./active-handles.ts";
import { createServer } from "node:net";
import { spawn } from "node:child_process";
import { pbkdf2 } from "node:crypto";
const said = [];
const say = (...more) => said.push([...new Set(process.getActiveResourcesInfo())].filter((kind) => kind !== "CloseReq"), ...more);
${code}
`,
      resolveDir: folder,
      sourcefile: join(folder, "stdin.ts"),
      loader: "ts",
    },
    write: false,
    bundle: true,
    platform: "node",
    format: "esm",
  });
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", outputFiles[0]!.text]);
  return JSON.parse(stdout);
}

test("timers, servers and processes that are let go keep no process, and keep it again afterwards", async () => {
  const said = await letGoIn(`
const open = [setTimeout(() => {}, 1e9), setTimeout(() => {}, 1e9), setInterval(() => {}, 1e9)];
const server = createServer().listen(0, "127.0.0.1");
const child = spawn("sleep", ["1000"], { stdio: "ignore" });
server.once("listening", () => {
  say();
  const kept = letGoOfHandles();
  const keepTimers = letGoOfTimers();
  say();
  process.once("beforeExit", () => {
    for (const handle of kept) handle.ref();
    keepTimers();
    say();
    for (const timer of open) clearTimeout(timer);
    say();
    child.kill();
    server.close(() => console.log(JSON.stringify(said)));
  });
});`);
  const all = ["ProcessWrap", "TCPServerWrap", "Timeout"];
  const [before, letGo, again, without] = said as string[][];
  expect(before!.toSorted()).toEqual(all);
  expect(letGo).toEqual([]);
  expect(again!.toSorted()).toEqual(all);
  expect(without!.toSorted()).toEqual(all.slice(0, 2));
});

test("a timer that fires while it is let go leaves the count of the others right", async () => {
  const said = await letGoIn(`
const long = setTimeout(() => {}, 1e9);
setTimeout(() => said.push("fired"), 1);
const keepTimers = letGoOfTimers();
pbkdf2("a", "b", 1_000_000, 32, "sha256", () => said.push("computed"));
process.once("beforeExit", () => {
  keepTimers();
  keepTimers();
  say();
  clearTimeout(long);
  say();
  setTimeout(() => {}, 1);
  say();
  process.once("exit", () => {
    say();
    console.log(JSON.stringify(said));
  });
});`);
  expect(said).toEqual(["fired", "computed", ["Timeout"], [], ["Timeout"], []]);
});
