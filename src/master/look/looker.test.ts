// The process that looks at storage for a master: what it finds in odd folders, and what becomes of a master whose
// process is killed, hangs, or answers rubbish.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { limits } from "../../base/limits.ts";
import { type Clock, systemClock } from "../../base/system/clock.ts";
import type { LookRequest } from "./look.ts";
import { Looker } from "./looker.ts";

const product = fileURLToPath(new URL("../../../dist/look.cjs", import.meta.url));

let folder: string;
const open: { close(): void }[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "look-"));
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
  // What is deeper than a path can be is removed by no call of Node's.
  execFileSync("rm", ["-rf", folder]);
});

const at = (name: string) => join(folder, name);

function looker(program: string, clock: Clock = systemClock): Looker {
  const made = new Looker({ clock, program });
  open.push(made);
  return made;
}

/** A program in place of the product's: it gets the request as `request`, and may `say`. */
function standIn(body: string): string {
  writeFileSync(
    at("program.cjs"),
    `const fs = require("node:fs");
    const say = (line) => fs.writeSync(1, typeof line === "string" ? line : JSON.stringify(line) + "\\n");
    process.stdin.once("data", (text) => { const request = JSON.parse(text); ${body} });
    process.stdin.on("end", () => process.exit());\n`,
  );
  return at("program.cjs");
}

const request = (inputs: readonly string[], change: Partial<LookRequest> = {}): LookRequest => ({
  job: "j",
  inputs,
  outputs: [],
  overwrite: undefined,
  ...change,
});

const isGone = (pid: number) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

describe("odd inputs are found, or named", () => {
  // By a clock that stands still: how long it may take is another matter.
  const look = (...inputs: string[]) => looker(product, new FakeClock()).look(request(inputs), undefined);

  test("a folder 2,000 levels deep, and one deeper than a path can be", async () => {
    const nest = (name: string, levels: number) => {
      mkdirSync(at(name));
      const script = `const fs = require("node:fs");
        for (let n = 0; n < ${levels}; n++) { fs.mkdirSync("d"); process.chdir("d"); }
        fs.writeFileSync("file", "x");`;
      execFileSync(process.execPath, ["-e", script], { cwd: at(name) });
    };
    nest("deep", 2_000);
    await expect(look(at("deep"))).resolves.toEqual({ replaces: [] });
    nest("deeper", 2_100);
    await expect(look(at("deeper"))).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringMatching(/its path has 4096 bytes or more, which no system opens: move it further up\)\.$/),
    });
  }, 240_000);

  test("links in circles: to a folder above once, to themselves by name", async () => {
    mkdirSync(at("loops/a/b"), { recursive: true });
    writeFileSync(at("loops/f"), "x");
    symlinkSync("..", at("loops/a/up"));
    symlinkSync("../../..", at("loops/a/b/up"));
    await look(at("loops"), at("loops/**"));
    symlinkSync("self", at("loops/self"));
    for (const input of [at("loops"), at("loops/**")])
      await expect(look(input)).rejects.toMatchObject({
        code: "bad-input",
        message: expect.stringMatching(/loops\/self can't be opened: ELOOP/),
      });
  });

  test("FIFOs and sockets, and names that are no text", async () => {
    mkdirSync(at("fifo"));
    execFileSync("mkfifo", [at("fifo/p")]);
    const server = createServer();
    mkdirSync(at("sock"));
    await new Promise<void>((resolve) => server.listen(at("sock/s"), resolve));
    open.push(server);
    mkdirSync(at("bytes"));
    writeFileSync(Buffer.concat([Buffer.from(`${at("bytes")}/`), Buffer.from([0xff, 0xfe])]), "x");
    for (const [name, why] of [
      ["fifo", /fifo\/p is a FIFO, not a regular file/],
      ["sock", /sock\/s is a socket, not a regular file/],
      ["bytes", /its name is not valid UTF-8: rename it/],
    ] as const)
      for (const input of [at(name), at(`${name}/*`)])
        await expect(look(input)).rejects.toMatchObject({ code: "bad-input", message: expect.stringMatching(why) });
  });

  test("names with line ends and quotes, which the answer's lines have to survive", async () => {
    mkdirSync(at("odd"));
    writeFileSync(at('odd/a\nb "c"\u2028'), "x");
    await expect(look(at("odd"), at('odd/a\nb "c"\u2028'))).resolves.toEqual({ replaces: [] });
    await expect(look(at("odd/no\n{}"))).rejects.toMatchObject({ code: "no-input" });
  });

  test.skipIf(process.getuid?.() === 0)("a folder that may not be entered (root may enter all)", async () => {
    mkdirSync(at("closed"), { mode: 0 });
    await expect(look(at("closed"))).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringMatching(/closed can't be read by user .*EACCES/),
    });
  });

  test("patterns of many alternatives match nothing, or what they say", async () => {
    mkdirSync(at("many"));
    writeFileSync(at(`many/${"ab".repeat(20)}`), "x");
    await look(at(`many/${"{a,b}".repeat(40)}`));
    for (const none of [`${"{a,".repeat(200)}b${"}".repeat(200)}`, "{1..1000}{1..1000}{1..1000}", "{".repeat(2_000)])
      await expect(look(at(`many/${none}`))).rejects.toMatchObject({ code: "no-input" });
  });
});

describe("a look that does not come to an end", () => {
  test("is ended with its time, however it is stuck, and named", async () => {
    mkdirSync(at("stars"));
    writeFileSync(at(`stars/${"a".repeat(200)}`), "x");
    const clock = new FakeClock();
    const looking = looker(product, clock).look(request([at(`stars/${"*a".repeat(60)}b`)]), undefined);
    const ended = expect(looking).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/takes the master more than 30 s/),
    });
    await clock.pass(limits.lookMs);
    await ended;
  });

  const endless = () =>
    standIn(`fs.writeFileSync(request.inputs[0], String(process.pid)); setInterval(() => {}, 1000);`);
  const started = async () => {
    await vi.waitUntil(() => /^\d+$/.test(read(at("pid"))), { timeout: 30_000 });
    return Number(read(at("pid")));
  };
  const read = (path: string) => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return "";
    }
  };

  test("is ended with its process when who asked is gone, or the master closes", async () => {
    for (const way of ["caller", "master"]) {
      rmSync(at("pid"), { force: true });
      const caller = new AbortController();
      const made = looker(endless());
      const looking = made.look(request([at("pid")]), caller.signal);
      const ended = expect(looking).rejects.toMatchObject({ code: "cancelled" });
      const pid = await started();
      if (way === "caller") caller.abort();
      else made.close();
      await ended;
      await vi.waitUntil(() => isGone(pid), { timeout: 30_000 });
    }
  });

  test("holds up those behind it, which may leave, and no more than two run at a time", async () => {
    const made = looker(endless());
    const first = new AbortController();
    const running = [1, 2].map((n) => {
      const looking = made.look(request([at(`pid${n}`)]), first.signal);
      looking.catch(() => {});
      return looking;
    });
    await vi.waitUntil(() => read(at("pid1")) !== "" && read(at("pid2")) !== "", { timeout: 30_000 });
    const waiting = new AbortController();
    const third = made.look(request([at("pid3")]), waiting.signal);
    third.catch(() => {});
    waiting.abort();
    await expect(third).rejects.toMatchObject({ code: "cancelled" });
    const fourth = made.look(request([at("pid")]), undefined);
    fourth.catch(() => {});
    expect(read(at("pid"))).toBe("");
    first.abort();
    for (const looking of running) await expect(looking).rejects.toMatchObject({ code: "cancelled" });
    await started();
    expect(read(at("pid3"))).toBe("");
  });
});

describe("a look whose process does not answer as it should fails by itself", () => {
  const failing = async (body: string, change: Partial<LookRequest> = {}) =>
    await looker(standIn(body))
      .look(request(["/in"], change), undefined)
      .then(
        () => "answered",
        (error: unknown) => error,
      );

  test("it is killed in the middle, aborts, or exits", async () => {
    const doing = `say({ kind: "doing", doing: "looking" });`;
    for (const [body, why] of [
      [`${doing} process.kill(process.pid, "SIGKILL");`, /has failed \(SIGKILL\)/],
      [`${doing} process.abort();`, /has failed \(SIGABRT\)/],
      [`${doing} process.exit(7);`, /has failed \(exit code 7\)/],
      [`throw new Error("no");`, /has failed \(exit code 1\)/],
    ] as const)
      expect(await failing(body)).toMatchObject({ code: "io-error", message: expect.stringMatching(why) });
  });

  test("it can't be started at all", async () => {
    const answer = looker(at("missing.cjs")).look(request(["/in"]), undefined);
    await expect(answer).rejects.toMatchObject({ code: "io-error", message: expect.stringMatching(/exit code 1/) });
  });

  test.each([
    ["no JSON", `say("{\\n");`],
    ["null", `say("null\\n");`],
    ["a list", `say([]);`],
    ["another word", `say({ kind: "looks" });`],
    ["no identities", `say({ kind: "looked" });`],
    ["identities of another kind", `say({ kind: "looked", replaces: [1] });`],
    ["more identities than were asked for", `say({ kind: "looked", replaces: [null] });`],
    ["a failure with no message", `say({ kind: "failed", code: "bad-input" });`],
    ["bytes that are no text", `fs.writeSync(1, Buffer.from([0xff, 0x0a]));`],
  ])("it answers %s", async (_, body) => {
    expect(await failing(`${body} setInterval(() => {}, 1000);`)).toMatchObject({
      code: "io-error",
      message: expect.stringMatching(/has answered what can't be read/),
    });
  });

  test("it answers without an end", async () => {
    const endless = `const more = () => process.stdout.write("x".repeat(65536), more); more();`;
    expect(await failing(endless)).toMatchObject({ code: "io-error", message: expect.stringMatching(/can't be read/) });
  });

  test("its heap is bounded, whatever it looks at", async () => {
    expect(await failing(`say({ kind: "failed", code: "x", message: process.execArgv.join() });`)).toMatchObject({
      code: "io-error",
      message: expect.stringContaining(`--max-old-space-size=${limits.lookHeapBytes / 1024 / 1024}`),
    });
  });
});
