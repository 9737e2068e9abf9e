// Bad records that were put aside are somewhere, whatever becomes of the result.
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { millrace, publishedText, repository, scratchFolder } from "../support/cli.ts";

let folder: ReturnType<typeof scratchFolder>;

beforeEach(() => {
  folder = scratchFolder();
  symlinkSync(join(repository, "node_modules"), join(folder.path, "node_modules"));
  write("in.txt", "hello\nboom here\nworld\n");
  write(
    "job.ts",
    `import { existsSync } from "node:fs";
import { defineJob, sum, text, tsv, uint, utf8 } from "millrace";
export default defineJob({ name: "job", input: text(), key: utf8, value: uint, map(line, emit) {
  if (line.startsWith("boom")) throw new TypeError("not this one");
  while (line.startsWith("hang") && !existsSync(${JSON.stringify(at("go"))}));
  emit(line, 1);
}, combine: sum, output: tsv() });
`,
  );
});
afterEach(() => folder.remove());

const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder.path, name), content);
const at = (name: string) => join(folder.path, name);
const run = (...words: string[]) => millrace(["run", ...words], { cwd: folder.path });
/** Hidden names too, those of staged files among them. */
const left = () => readdirSync(folder.path).sort();
const letters = (name: string): { readonly text: string; readonly code: string; readonly error: string }[] =>
  publishedText(at(name))
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));

describe("records put aside where the result goes to standard output", () => {
  test("are refused before any work where nothing says where they go", async () => {
    const { code, stderr, stdout } = await run("job.ts", "in.txt", "--skip-bad", "10");
    expect({ code, stdout: stdout.length }).toEqual({ code: 2, stdout: 0 });
    expect(stderr).toMatch(/--skip-bad N puts bad records aside .* give --dead-letters DIR .* or -o DIR/);
  });

  test("are in the folder of --dead-letters, which another job can read", async () => {
    const { code, stderr, stdout } = await run("job.ts", "in.txt", "--skip-bad", "10", "--dead-letters", "bad");
    expect(code, stderr).toBe(0);
    expect(stdout.toString()).toBe("hello\t1\nworld\t1\n");
    expect(stderr).toMatch(/skipped +1 bad record, put aside in bad \(10 B\)/);
    expect(letters("bad")).toMatchObject([{ source: "in.txt", offset: 6, text: "boom here" }]);
    expect(left()).toEqual(["bad", "in.txt", "job.ts", "node_modules"]);
    write(
      "mend.ts",
      `import { defineJob, ndjson, text } from "millrace";
export default defineJob({ name: "mend", input: ndjson<{ text: string }>(), reducers: 0, map: ({ text }, emit) => emit(text), output: text() });
`.replace("map: ({ text }, emit) => emit(text)", "map: (letter, emit) => emit(letter.text)"),
    );
    expect((await run("mend.ts", "bad", "--quiet")).stdout.toString()).toBe("boom here\n");
  });

  test("the hint to put them aside is a command that does", async () => {
    const { stderr } = await run("job.ts", "in.txt");
    const line = stderr.split("\n").find((one) => one.includes("put bad records aside:"))!;
    const { code } = await millrace(line.slice(line.indexOf("millrace ") + 9).split(" "), { cwd: folder.path });
    expect(code).toBe(0);
    expect(letters("bad-records")).toHaveLength(1);
  });

  test("that slots hung on say that there was no progress", async () => {
    write("in.txt", "hello\nhang here\nworld\n");
    const options = ["--skip-bad", "1", "--dead-letters", "bad", "--task-timeout", "1s"];
    const { code, stdout, stderr } = await run("job.ts", "in.txt", ...options);
    expect(code, stderr).toBe(0);
    expect(stdout.toString()).toBe("hello\t1\nworld\t1\n");
    expect(letters("bad")).toMatchObject([{ text: "hang here", code: "task-timeout" }]);
    expect(letters("bad")[0]!.error).toMatch(/no progress/);
    expect(letters("bad")[0]!.error).not.toMatch(/died/);
  });
});

describe("the folder of --dead-letters", () => {
  const options = ["--skip-bad", "10", "--dead-letters", "bad"];

  test("takes them out of the output, and is there though there are none", async () => {
    const { code, stderr } = await run("job.ts", "in.txt", "-o", "out", ...options);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("put aside in bad (");
    expect(readdirSync(at("out")).sort()).toEqual(["_SUCCESS", "part-00000.tsv"]);
    expect(letters("bad")).toHaveLength(1);
    write("in.txt", "hello\n");
    expect((await run("job.ts", "in.txt", "-o", "out", ...options, "--overwrite")).code).toBe(0);
    expect(readdirSync(at("bad"))).toEqual(["_SUCCESS"]);
    expect(left()).toEqual(["bad", "in.txt", "job.ts", "node_modules", "out"]);
  });

  test("that exists is refused before any work, and a failed job publishes none", async () => {
    mkdirSync(at("bad"));
    write("bad/mine.txt", "keep\n");
    const refused = await run("job.ts", "in.txt", "-o", "out", ...options);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/bad.*exist/);
    expect(readFileSync(at("bad/mine.txt"), "utf8")).toBe("keep\n");
    expect(existsSync(at("out"))).toBe(false);
    write("in.txt", "boom 1\nboom 2\n");
    const failed = await run("job.ts", "in.txt", "--skip-bad", "1", "--dead-letters", "more");
    expect(failed.code).toBe(1);
    expect(left()).toEqual(["bad", "in.txt", "job.ts", "node_modules"]);
  });

  test.each([
    [["--dead-letters", "bad"], /say how many/],
    [["-o", "out", "--skip-bad", "1", "--dead-letters", "out/bad"], /overlap/],
    [["-o", "out/in", "--skip-bad", "1", "--dead-letters", "out"], /overlap/],
    [["-o", "out", "--skip-bad", "1", "--dead-letters", "./out/"], /overlap/],
    [["-o", "out", "--skip-bad", "1", "--dead-letters", ""], /--dead-letters.* is empty/],
  ])("is refused where it can't be: %j", async (words, message) => {
    const { code, stderr } = await run("job.ts", "in.txt", ...words);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(left()).toEqual(["in.txt", "job.ts", "node_modules"]);
  });
});

describe("what a killed run has staged beside --dead-letters", () => {
  const letters = ["--skip-bad", "10", "--dead-letters", "bad", "--slots", "1", "--split-size", "8"];
  /** The first split's bad record is staged when the second one hangs. */
  async function killedRun(...words: string[]): Promise<void> {
    write("hang.txt", "boom 1\nhello\nhang here\nworld\n");
    let isStaged = false;
    const killed = await millrace(["run", "job.ts", "hang.txt", ...letters, ...words], {
      cwd: folder.path,
      env: { TMPDIR: folder.path },
      started: (child) => {
        const look = setInterval(() => {
          const hidden = readdirSync(folder.path).filter((name) => name.startsWith(".bad.millrace-"));
          isStaged = hidden.some((name) => existsSync(at(`${name}/staging/files`)));
          if (isStaged) child.kill("SIGKILL");
        }, 20);
        child.once("exit", () => clearInterval(look));
      },
    });
    expect({ signal: killed.signal, isStaged }).toEqual({ signal: "SIGKILL", isStaged: true });
    expect(left().some((name) => name.startsWith(".bad.millrace-"))).toBe(true);
  }
  const next = (...words: string[]) =>
    millrace(["run", "job.ts", "in.txt", ...words], { cwd: folder.path, env: { TMPDIR: folder.path } });
  const mine = ["hang.txt", "in.txt", "job.ts", "node_modules"];

  test("is removed by the next run whose result goes to standard output too, whatever it does with its own", async () => {
    await killedRun();
    const { code, stderr } = await next("--skip-bad", "1", "--dead-letters", "other");
    expect(code, stderr).toBe(0);
    expect(left()).toEqual([...mine, "other"]);
  });

  test("is removed by the next run that uses the folder, with an output or without", async () => {
    await killedRun();
    const { code, stderr } = await next("-o", "out", ...letters);
    expect(code, stderr).toBe(0);
    expect(left()).toEqual(["bad", ...mine, "out"]);
    expect(readdirSync(at("bad")).sort()).toEqual(expect.arrayContaining(["_SUCCESS"]));
  });

  test("stays for --resume beside the output, and goes when a later run has published that", async () => {
    await killedRun("-o", "out");
    const { code, stderr } = await next("-o", "out", "--skip-bad", "10");
    expect(code, stderr).toBe(0);
    expect(left()).toEqual([...mine, "out"]);
  });

  test("is what a run with --resume goes on with", async () => {
    await killedRun("-o", "out");
    write("go", "");
    const words = ["-o", "out", ...letters, "--resume"];
    const { code, stderr } = await millrace(["run", "job.ts", "hang.txt", ...words], {
      cwd: folder.path,
      env: { TMPDIR: folder.path },
    });
    expect(code, stderr).toBe(0);
    expect(publishedText(at("bad")).split("\n").slice(0, -1)).toHaveLength(1);
    expect(left()).toEqual(["bad", "go", ...mine, "out"]);
  });
});

describe("a stray quote in csv", () => {
  const rows = Array.from({ length: 1998 }, (_, i) => `${i + 3},fine,${i + 3}\n`).join("");
  const job = (options: string) => `import { csv, defineJob, text, uint } from "millrace";
export default defineJob({ name: "q", input: csv({ columns: { id: uint, n: uint }${options} }), reducers: 0,
map(r, emit) { emit(String(r.id)); }, output: text() });
`;

  beforeEach(() => {
    write("a.csv", `id,note,n\n1,ok,1\n2,5" pipe,2\n${rows}`);
    write("q.ts", job(""));
  });

  test.each(["1MB", "4KB", "500"])("counts each line that it takes along, in splits of %s", async (splitSize) => {
    const { code, stderr } = await run("q.ts", "a.csv", "-o", "out", "--skip-bad", "10", "--split-size", splitSize);
    expect(code).not.toBe(0);
    expect(stderr).toContain("goes on over 1,999 lines");
    expect(stderr).toContain("csv({ multiline: false })");
    expect(stderr).toMatch(/at a\.csv:17$/m);
    expect(stderr).not.toContain("put bad records aside");
    const allowed = await run("q.ts", "a.csv", "-o", "out", "--skip-bad", "1999", "--split-size", splitSize);
    expect(allowed.code).toBe(0);
    expect(allowed.stderr).toMatch(/skipped +1 bad record, put aside in .* \(1,999 lines, [\d.]+ KiB\)/);
    expect(publishedText(at("out"))).toBe("1\n");
  });

  test("is no reason to advise what would fail", async () => {
    const { stderr } = await run("q.ts", "a.csv");
    expect(stderr).not.toContain("--skip-bad");
  });

  test("takes nothing along where every line is a row", async () => {
    write("q.ts", job(", multiline: false"));
    const { code } = await run("q.ts", "a.csv", "-o", "out", "--skip-bad", "10");
    expect(code).toBe(0);
    expect(publishedText(at("out")).split("\n")).toHaveLength(2000);
  });

  test("what a map refuses counts as its lines too", async () => {
    write("q.ts", job("").replace("emit(", 'if (r.n === 7) throw new Error("seven");\n  emit('));
    write("a.csv", `id,note,n\n1,ok,1\n2,"5\n6\n7\n",7\n3,ok,3\n`);
    expect((await run("q.ts", "a.csv", "-o", "out", "--skip-bad", "3")).stderr).toContain("seven");
    const allowed = await run("q.ts", "a.csv", "-o", "out", "--skip-bad", "4");
    expect(allowed.stderr).toMatch(/1 bad record, put aside in .* \(4 lines, /);
  });
});

test("a file that can't be read as a whole gets no advice about one of its records", async () => {
  const table = (input: string) => `import { csv, defineJob, ndjson, records, text, utf8 } from "millrace";
export default defineJob({ name: "t", input: ${input}, reducers: 0, map(r, emit) { emit({ ...r }); }, output: ndjson() });
`;
  const cases: readonly (readonly [input: string, content: string | Uint8Array, message: RegExp, where: string])[] = [
    ["csv({ columns: { id: utf8, name: utf8 } })", "id,nom\n1,ann\n", /no column "name"/, "at a.bin"],
    ["csv({ header: true })", "id,id\n1,2\n", /more than one column/, "at a.bin"],
    ["csv({ header: true })", "id,name\r1,ann\r2,bea\r", /carriage return .*tr '/, "at a.bin"],
    ["csv({ header: true })", Buffer.from("id,\xff\n1,2\n", "latin1"), /header: .*not UTF-8/, "at a.bin"],
    ["records()", Buffer.from([0, 0, 0, 1, 7, 0xff, 0, 0, 0]), /4-byte lengths/, "at a.bin, from byte 5 on"],
    ["records(4)", "123456", /ends inside a record/, "at a.bin, from byte 4 on"],
    ["text()", Buffer.from("BZh91AY&SY abc", "latin1"), /a\.bin: it is bzip2 data/, ""],
  ];
  for (const [input, content, message, where] of cases) {
    write("t.ts", table(input));
    write("a.bin", content);
    for (const more of [[], ["-o", "out", "--skip-bad", "5"]]) {
      const { code, stderr, stdout } = await run("t.ts", "a.bin", ...more);
      expect(code, input).not.toBe(0);
      expect(stdout.length).toBe(0);
      expect(stderr).toMatch(message);
      expect(stderr).toContain(where);
      expect(stderr.replaceAll(/start over.*/g, "")).not.toMatch(/--skip-bad|replay/);
      expect(existsSync(at("out"))).toBe(false);
    }
  }
});

test("one bad record too many ends the job the same way whether one task has seen them all or each its own", async () => {
  const lines = Array.from({ length: 3000 }, (_, i) => (i % 1000 === 500 ? `boom ${i}` : `line ${i}`));
  write("in.txt", `${lines.join("\n")}\n`);
  for (const split of ["1MB", "5KB"]) {
    const { code, stderr } = await run("job.ts", "in.txt", "-o", "out", "--skip-bad", "2", "--split-size", split);
    expect({ split, code, stderr }).toEqual({ split, code: 1, stderr: expect.stringContaining("not this one") });
    expect(stderr).toMatch(/at in\.txt:\d+/);
    expect(stderr).toMatch(/job\.ts:\d+:\d+/);
    expect(stderr).not.toContain("no more than");
  }
});
