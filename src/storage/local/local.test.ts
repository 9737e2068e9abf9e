import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { interposedFs, systemError } from "../../../test/conformance/faulty-fs.ts";
import {
  type StorageUnderTest,
  someAttempt,
  someJob,
  stagedDecision,
  storageConformance,
} from "../../../test/conformance/storage.ts";
import { stagingDirectoryOf, workDirectoryOf, workDirectoryPrefix } from "./hidden.ts";
import { createLocalStorage } from "./local.ts";

storageConformance("the local file system", async () => localUnderTest());

let root: string;
beforeEach(() => {
  root = `${mkdtempSync(join(tmpdir(), "millrace-test-"))}/`;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const storage = createLocalStorage();
const code = (expected: string, message: RegExp | string = "") => ({
  code: expected,
  message: expect.stringMatching(message),
});

describe("listing", () => {
  test("fault 75: what is no regular file is refused at once, and never waited for", async () => {
    execFileSync("mkfifo", [`${root}fifo`]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(`${root}socket`, resolve));
    try {
      await expect(storage.list(`${root}fifo`)).rejects.toMatchObject(
        code("bad-input", /fifo is a FIFO, not a regular file/),
      );
      await expect(storage.list(`${root}socket`)).rejects.toMatchObject(code("bad-input", /is a socket/));
      await expect(storage.list("/dev/zero")).rejects.toMatchObject(code("bad-input", /is a device/));
      await expect(storage.list("/proc/self/status")).rejects.toMatchObject(code("bad-input", /proc file system/));
      await expect(storage.list(root)).rejects.toMatchObject(code("bad-input", /fifo/));
      await expect(storage.list(`${root}f*`)).rejects.toMatchObject(code("bad-input", /fifo/));
      await expect(storage.stat(root)).rejects.toMatchObject(code("bad-input", /is a directory/));
    } finally {
      server.close();
    }
  });

  test("fault 75: a file that became a FIFO after planning is refused, not waited for", async () => {
    writeFileSync(`${root}f`, "x");
    const file = (await storage.stat(`${root}f`))!;
    rmSync(`${root}f`);
    execFileSync("mkfifo", [`${root}f`]);
    await expect(readAll(file)).rejects.toMatchObject(code("input-changed"));
  });

  test("fault 75: a file that may not be read is refused by name and user", async () => {
    writeFileSync(`${root}secret`, "x");
    const denying = createLocalStorage({
      fs: interposedFs(({ name, args }) => {
        if (name === "openSync" && String(args[0]).endsWith("secret")) throw systemError("EACCES", "permission denied");
        if (name === "readdirSync" && String(args[0]).replace(/\/$/, "").endsWith("locked"))
          throw systemError("EACCES", "permission denied");
      }),
    });
    const file = (await denying.stat(`${root}secret`))!;
    await expect(readAll(file, denying)).rejects.toMatchObject(
      code("bad-input", /secret can't be read by user \S+: EACCES/),
    );
    mkdirSync(`${root}d/locked`, { recursive: true });
    writeFileSync(`${root}d/a`, "");
    await expect(denying.list(`${root}d`)).rejects.toMatchObject(code("bad-input", /locked can't be read by user/));
    // A folder that may not be entered: the look for its manifest fails.
    const closed = createLocalStorage({
      fs: interposedFs(({ name, args }) => {
        if (name === "statSync" && String(args[0]).includes("/locked/"))
          throw systemError("EACCES", "permission denied");
      }),
    });
    const refusal = code("bad-input", /d\/locked can't be read by user/);
    await expect(closed.list(`${root}d`)).rejects.toMatchObject(refusal);
    await expect(closed.list(`${root}d`)).rejects.not.toThrow(/_SUCCESS/);
    // A glob may not leave it out silently either.
    await expect(denying.list(`${root}d/**/*`)).rejects.toMatchObject(code("bad-input", /locked/));
  });

  test("symbolic links are followed, one that leads nowhere is an error, and a circle ends", async () => {
    mkdirSync(`${root}d/sub`, { recursive: true });
    writeFileSync(`${root}target`, "x");
    symlinkSync(`${root}target`, `${root}d/link`);
    symlinkSync(`${root}d`, `${root}d/sub/up`);
    expect((await storage.list(`${root}d`)).map((file) => file.path)).toEqual([`${root}d/link`]);
    expect((await storage.list(`${root}d/**/*`)).map((file) => file.path)).toEqual([`${root}d/link`]);
    symlinkSync(`${root}nowhere`, `${root}d/broken`);
    await expect(storage.list(`${root}d`)).rejects.toMatchObject(code("bad-input", /broken/));
    await expect(storage.list(`${root}d/b*`)).rejects.toMatchObject(code("bad-input", /broken/));
  });

  test("fault 68: a name that is not UTF-8, or holds a zero byte, is refused clearly", async () => {
    mkdirSync(`${root}d`);
    writeFileSync(Buffer.concat([Buffer.from(`${root}d/`), Buffer.of(0x61, 0xff)]), "x");
    await expect(storage.list(`${root}d`)).rejects.toMatchObject(code("bad-input", /not valid UTF-8/));
    await expect(storage.list(`${root}d/*`)).rejects.toMatchObject(code("bad-input", /not valid UTF-8/));
    await expect(storage.list(`${root}a\0b`)).rejects.toMatchObject(code("bad-input"));
    await expect(storage.prepare(`${root}a\0b`, false)).rejects.toMatchObject(code("wrong-usage", /zero byte/));
  });

  test("a directory that exists by its name is taken literally, brackets and all", async () => {
    mkdirSync(`${root}[x] {y}`);
    writeFileSync(`${root}[x] {y}/a.txt`, "");
    expect((await storage.list(`${root}[x] {y}/*.txt`)).map((file) => file.path)).toEqual([`${root}[x] {y}/a.txt`]);
    expect((await storage.list(`${root}[x] {y}`)).map((file) => file.path)).toEqual([`${root}[x] {y}/a.txt`]);
  });

  test("an output that lost a file, or has one of another size, is refused as input", async () => {
    const destination = `${root}out`;
    await storage.publish(
      await stagedDecision(storage, destination, { "part-00000.tsv": "abc", "part-00001.tsv": "def" }),
    );
    truncateSync(`${destination}/part-00001.tsv`, 2);
    await expect(storage.list(destination)).rejects.toMatchObject(
      code("corrupt-output", /part-00001.tsv has 2 bytes, but 3/),
    );
    rmSync(`${destination}/part-00001.tsv`);
    await expect(storage.list(destination)).rejects.toMatchObject(code("corrupt-output", /part-00001.tsv .*missing/));
  });

  test("a manifest of another system is no manifest: the directory is read as it is", async () => {
    for (const content of ["", '{"name":"other committer"}']) {
      writeFileSync(`${root}_SUCCESS`, content);
      writeFileSync(`${root}part-r-00000`, "x");
      expect((await storage.list(root)).map((file) => file.path)).toEqual([`${root}part-r-00000`]);
    }
  });
});

describe("reading", () => {
  test("fault 74: a file rewritten with the same size while it is read is noticed at its end", async () => {
    writeFileSync(`${root}f`, Buffer.alloc(3 << 20, "a"));
    utimesSync(`${root}f`, 1, 1);
    const file = (await storage.stat(`${root}f`))!;
    const read = async (stopEarly: boolean) => {
      for await (const _ of storage.read(file, 0, file.bytes)) {
        writeFileSync(`${root}f`, Buffer.alloc(3 << 20, "b"));
        if (stopEarly) break;
      }
    };
    await expect(read(false)).rejects.toMatchObject(code("input-changed", /was written or replaced/));
    writeFileSync(`${root}f`, Buffer.alloc(3 << 20, "a"));
    const again = (await storage.stat(`${root}f`))!;
    const early = async () => {
      for await (const _ of storage.read(again, 0, again.bytes)) {
        truncateSync(`${root}f`, 5);
        break;
      }
    };
    await expect(early()).rejects.toMatchObject(code("input-changed", /had 3145728 bytes and has 5/));
  });

  test("an I/O error may be tried elsewhere, too many open files too", async () => {
    writeFileSync(`${root}f`, "x");
    for (const failing of ["EIO", "EMFILE"]) {
      const broken = createLocalStorage({
        fs: interposedFs(({ name }) => {
          if (name === (failing === "EIO" ? "readSync" : "openSync")) throw systemError(failing);
        }),
      });
      const file = (await broken.stat(`${root}f`))!;
      await expect(readAll(file, broken)).rejects.toMatchObject({ code: "io-error", retry: "elsewhere" });
    }
  });
});

describe("staging", () => {
  test("fault 60: short writes are completed, and a full disk is said by name", () => {
    let room = 1000;
    const full = createLocalStorage({
      fs: new Proxy(
        interposedFs(() => {}),
        {
          get(target, name) {
            const call = Reflect.get(target, name) as unknown;
            if (name !== "writeSync") return call;
            return (fd: number, bytes: Uint8Array, offset: number, length: number) => {
              if (room === 0) throw systemError("ENOSPC", "no space left on device");
              const count = Math.min(length, room, 70);
              room -= count;
              return (call as (...args: unknown[]) => number)(fd, bytes, offset, count);
            };
          },
        },
      ),
    });
    const job = someJob();
    const writer = full.stage(`${root}out`, someAttempt(job), "part-00000.tsv");
    writer.write(Buffer.alloc(700, "x"));
    expect(writer.bytes).toBe(700);
    expect(() => writer.write(Buffer.alloc(700, "y"))).toThrow(
      expect.objectContaining(code("no-space", /out.*part-00000.*no space left/)),
    );
    writer.abort();
    expect(readdirSync(join(stagingDirectoryOf(`${root}out`, job), "files"))).toEqual([]);
  });

  test("a failed fsync is not tried again: the file does not count", async () => {
    const broken = createLocalStorage({
      fs: interposedFs(({ name }) => {
        if (name === "fsyncSync") throw systemError("EIO");
      }),
    });
    const writer = broken.stage(`${root}out`, someAttempt(someJob()), "part-00000.tsv");
    writer.write(Buffer.from("x"));
    await expect(writer.finish()).rejects.toMatchObject({ code: "io-error", retry: "elsewhere" });
  });

  describe("told to the disk while it is written", () => {
    /** Answers when it is told to. */
    function slowSync() {
      const calls: ((error: Error | null) => void)[] = [];
      const closed: number[] = [];
      const fs = new Proxy(
        interposedFs(({ name }) => {
          if (name === "closeSync") closed.push(calls.length);
        }),
        {
          get(target, name) {
            if (name !== "fdatasync") return Reflect.get(target, name) as unknown;
            return (_: number, done: (error: Error | null) => void) => calls.push(done);
          },
        },
      );
      const writer = createLocalStorage({ fs }).stage(`${root}out`, someAttempt(someJob()), "part-00000.tsv");
      for (let i = 0; i < 3; i++) writer.write(Buffer.alloc(8 * 2 ** 20, "x"));
      expect(calls.length).toBe(3);
      closed.length = 0;
      return { writer, calls, closed };
    }

    test("a file is whole when all of that has ended", async () => {
      const { writer, calls, closed } = slowSync();
      const finished = writer.finish();
      calls[0]!(null);
      calls[2]!(null);
      await new Promise(setImmediate);
      expect(closed).toEqual([]);
      calls[1]!(null);
      expect((await finished).bytes).toBe(24 * 2 ** 20);
      expect(closed.length).toBeGreaterThan(0);
    });

    test("an error there is not lost: the file does not count", async () => {
      const { writer, calls } = slowSync();
      const finished = expect(writer.finish()).rejects.toMatchObject({ code: "io-error", retry: "elsewhere" });
      for (const [i, done] of calls.entries()) done(i === 1 ? systemError("EIO") : null);
      await finished;
      writer.abort();
    });

    test("a file that is given up is gone at once, and closed when all of that has ended", async () => {
      const { writer, calls, closed } = slowSync();
      writer.abort();
      expect(closed).toEqual([]);
      for (const done of calls) done(null);
      await new Promise(setImmediate);
      expect(closed.length).toBe(1);
    });
  });

  test("what is staged is for this user only, what is published as the umask says", async () => {
    const decision = await stagedDecision(storage, `${root}out`, { "part-00000.tsv": "x" });
    const mode = (path: string) => statSync(path).mode & 0o777;
    expect(mode(workDirectoryOf(`${root}out`, decision.job))).toBe(0o700);
    await storage.publish(decision);
    const umask = process.umask();
    expect(mode(`${root}out`)).toBe(0o777 & ~umask);
    expect(mode(`${root}out/part-00000.tsv`)).toBe(0o666 & ~umask);
    expect(mode(`${root}out/_SUCCESS`)).toBe(0o666 & ~umask);
  });

  test("names at the length limit of the file system get a work directory all the same", async () => {
    const destination = root + "ü".repeat(120);
    const decision = await stagedDecision(storage, destination, { "part-00000.tsv": "x" });
    await storage.publish(decision);
    expect(existsSync(`${destination}/_SUCCESS`)).toBe(true);
    expect(workDirectoryOf(destination, decision.job).startsWith(workDirectoryPrefix(destination))).toBe(true);
    expect(workDirectoryPrefix(`${destination}a`)).not.toBe(workDirectoryPrefix(`${destination}b`));
  });
});

describe("preparing", () => {
  test("--overwrite never takes what is no output of ours, or has something else in it", async () => {
    const refused = async (message: RegExp) =>
      expect(storage.prepare(`${root}out`, true)).rejects.toMatchObject(code("output-exists", message));
    mkdirSync(`${root}out`);
    writeFileSync(`${root}out/thesis.tex`, "years of work");
    await refused(/has no _SUCCESS/);
    writeFileSync(`${root}out/_SUCCESS`, "");
    await refused(/was not written by Millrace/);
    rmSync(`${root}out`, { recursive: true });
    await storage.publish(await stagedDecision(storage, `${root}out`, { "x/part-00000.tsv": "x" }));
    expect((await storage.prepare(`${root}out`, true)).replaces).toBeDefined();
    writeFileSync(`${root}out/x/notes.txt`, "n");
    await refused(/x\/notes.txt, which no job wrote/);
    rmSync(`${root}out/x/notes.txt`);
    mkdirSync(`${root}out/.git`);
    await refused(/\.git\//);
    rmSync(`${root}out/.git`, { recursive: true });
    const manifest = readFileSync(`${root}out/_SUCCESS`);
    manifest[40]! ^= 1;
    writeFileSync(`${root}out/_SUCCESS`, manifest);
    await refused(/can't be read .*checksum/);
  });

  test("a file that appears in the old output before it is replaced stays where it is", async () => {
    const destination = `${root}out`;
    await storage.publish(await stagedDecision(storage, destination, { "part-00000.tsv": "old" }));
    const { replaces } = await storage.prepare(destination, true);
    const decision = await stagedDecision(storage, destination, { "part-00000.tsv": "new" }, replaces);
    writeFileSync(`${destination}/notes.txt`, "n");
    await expect(storage.publish(decision)).rejects.toMatchObject(code("output-exists"));
    expect(readdirSync(destination).sort()).toEqual(["_SUCCESS", "notes.txt", "part-00000.tsv"]);
  });

  test("an empty directory is taken, with its permissions", async () => {
    mkdirSync(`${root}out`);
    chmodSync(`${root}out`, 0o750);
    expect(await storage.prepare(`${root}out`, false)).toEqual({ replaces: undefined });
    const decision = await stagedDecision(storage, `${root}out`, { "part-00000.tsv": "x" });
    await storage.publish(decision);
    expect(statSync(`${root}out`).mode & 0o777).toBe(0o750);
  });

  test("a file, a symbolic link, a parent that is a file or may not be written: each is said", async () => {
    writeFileSync(`${root}file`, "x");
    await expect(storage.prepare(`${root}file`, true)).rejects.toMatchObject(code("output-exists", /is a file/));
    symlinkSync(`${root}elsewhere`, `${root}link`);
    await expect(storage.prepare(`${root}link`, true)).rejects.toMatchObject(code("wrong-usage", /symbolic link/));
    await expect(storage.prepare(`${root}file/out`, false)).rejects.toMatchObject(
      code("wrong-usage", /file is not a directory/),
    );
    const denying = createLocalStorage({
      fs: interposedFs(({ name }) => {
        if (name === "access") throw systemError("EACCES");
      }),
    });
    await expect(denying.prepare(`${root}a/b/out`, false)).rejects.toMatchObject(
      code("wrong-usage", /may not write in/),
    );
    await expect(storage.prepare("/", true)).rejects.toMatchObject(code("output-exists", /mount point/));
  });
});

async function readAll(file: Parameters<typeof storage.read>[0], from = storage): Promise<number> {
  let bytes = 0;
  for await (const chunk of from.read(file, 0, file.bytes)) bytes += chunk.length;
  return bytes;
}

function localUnderTest(): StorageUnderTest {
  const top = mkdtempSync(join(tmpdir(), "millrace-storage-"));
  let changes = 0;
  return {
    storage: createLocalStorage(),
    root: `${top}/in/`,
    put: async (name, content) => {
      const path = `${top}/in/${name}`;
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      // The clock of a file system ticks every few milliseconds; two writes in one tick look like one.
      utimesSync(path, 1_000_000 + changes, 1_000_000 + changes++);
      return path;
    },
    destination: (name) => `${top}/${name}`,
    published: async (destination) => contentsIn(destination),
    lose: async (destination, file) => rmSync(stagedPath(destination, file.token)),
    cut: async (destination, file) => truncateSync(stagedPath(destination, file.token), file.bytes - 1),
    leftovers: async (destination) =>
      readdirSync(dirname(destination)).filter((name) => name.startsWith(`.${basename(destination)}.millrace-`)),
    close: async () => rmSync(top, { recursive: true, force: true }),
  };
}

/** The path of a staged file, wherever the job's work directory has it. */
function stagedPath(destination: string, token: string): string {
  const prefix = basename(workDirectoryPrefix(destination));
  const folders = readdirSync(dirname(destination)).filter((name) => name.startsWith(prefix));
  const paths = folders.map((name) => join(dirname(destination), name, "staging/files", token));
  return paths.find((path) => existsSync(path))!;
}

function contentsIn(directory: string): ReadonlyMap<string, string> | undefined {
  if (!existsSync(directory)) return undefined;
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return new Map(
    names
      .filter((name) => statSync(join(directory, name)).isFile())
      .map((name) => [name, readFileSync(join(directory, name), "utf8")]),
  );
}

describe("an output inside a published output", () => {
  test("is refused through a link too, and where that output is damaged", async () => {
    const decision = await stagedDecision(storage, `${root}out`, { "x/part-00000.tsv": "a" });
    await storage.publish(decision);
    symlinkSync(`${root}out/x`, `${root}link`);
    const refusal = code("output-exists", /would lie inside \S+\/out, which is a published output/);
    await expect(storage.prepare(`${root}link/sub`, false)).rejects.toMatchObject(refusal);
    truncateSync(`${root}out/_SUCCESS`, 40);
    await expect(storage.prepare(`${root}out/sub`, false)).rejects.toMatchObject(refusal);
  });

  test("is one only where Millrace wrote the _SUCCESS, and a FIFO of that name is not waited for", async () => {
    for (const name of ["hadoop", "fifo", "folder"]) mkdirSync(`${root}${name}`);
    writeFileSync(`${root}hadoop/_SUCCESS`, "");
    execFileSync("mkfifo", [`${root}fifo/_SUCCESS`]);
    mkdirSync(`${root}folder/_SUCCESS`);
    for (const name of ["hadoop", "fifo", "folder"])
      expect(await storage.prepare(`${root}${name}/sub/deep`, false)).toEqual({ replaces: undefined });
  });
});
