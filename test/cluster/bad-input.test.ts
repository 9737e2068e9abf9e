// What somebody is told who gives a cluster something wrong: exact words, because they are all that he has.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { millrace, repository } from "../support/cli.ts";
import { startCluster, type TestCluster } from "./processes.ts";

let cluster: TestCluster;
let folder: string;
beforeAll(async () => {
  cluster = await startCluster(["w1"]);
  folder = mkdtempSync(join(tmpdir(), "millrace-bad-"));
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "in.txt"), "to be or not to be\n");
});
afterAll(async () => {
  await cluster.close();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, name);
const wordCount = ["run", "examples/word-count.ts"];

describe("a token", () => {
  test("that is another cluster's is refused, with where to find the right one", async () => {
    writeFileSync(at("token"), `${"x".repeat(43)}\n`, { mode: 0o600 });
    const { code, stderr } = await cluster.ask(["jobs", "--token-file", at("token")]);
    expect(stderr).toBe(
      `error: the master at ${cluster.address} refuses the token: the token is not one of this cluster's; give --token-file with a copy of one of the files in its STATE/tokens [no-access]\n`,
    );
    expect(code).toBe(2);
  });

  test("that is not to be found is asked for, with all holders where one may be", async () => {
    const config = at("no-config");
    const { code, stderr } = await cluster.ask(["jobs"], { env: { XDG_CONFIG_HOME: config } });
    const { host } = new URL(cluster.address);
    expect(stderr).toBe(
      `error: there is no token for ${cluster.address}: give --token-file PATH (or MILLRACE_TOKEN_FILE) with a copy of one of the files in the master's STATE/tokens; on the master's machine its user finds one in ${config}/millrace/tokens/${host.replace(":", "_")}, written when the master starts [no-access]\n`,
    );
    expect(code).toBe(2);
  });

  test("that allows less says what it would need", async () => {
    const read = join(cluster.folder, "state/tokens/read");
    expect((await cluster.ask(["jobs", "--token-file", read])).code).toBe(0);
    const { code, stderr } = await cluster.ask([...wordCount, at("in.txt"), "-o", at("out"), "--token-file", read]);
    expect(stderr).toContain('a token of scope "read" does not allow this: it needs "submit"');
    expect(code).toBe(2);
  });

  test("that others can read is refused", async () => {
    writeFileSync(at("open-token"), `${"x".repeat(43)}\n`, { mode: 0o644 });
    const { code, stderr } = await cluster.ask(["jobs", "--token-file", at("open-token")]);
    expect(stderr).toBe(
      `error: the token file ${at("open-token")} can be read or written by others (its mode is 0644): run chmod 600 on it, and replace its tokens if somebody else may have seen them [no-access]\n`,
    );
    expect(code).toBe(2);
  });
});

describe("an address", () => {
  const env = () => ({ ...cluster.env, MILLRACE_TOKEN_FILE: join(cluster.folder, "state/tokens/admin") });

  test("that is none is refused before anything is tried", async () => {
    const { code, stderr } = await millrace(["jobs", "--master", "localhost:7070"], { env: env() });
    expect(stderr).toContain(
      '"localhost:7070" is not an address: write it like http://127.0.0.1:7070 or https://master.example:7070\n',
    );
    expect(code).toBe(2);
  });

  test("where nobody answers is tried for some seconds, which is said at once, and then given up", async () => {
    const nobody = "http://127.0.0.1:1";
    const asked = millrace(["jobs", "--master", nobody], { env: env() });
    const work = millrace(["worker", "--master", nobody, "--work-dir", at("lonely"), "--json"], { env: env() });
    const { code, stderr } = await asked;
    expect(stderr).toMatch(
      /^warning: can't reach the master at http:\/\/127\.0\.0\.1:1: connection refused; is it running\?; trying again\nerror: can't reach the master at http:\/\/127\.0\.0\.1:1: connection refused; is it running\? \(tried for \d+ s\) \[unreachable\]\n$/,
    );
    expect(code).toBe(4);
    const worker = await work;
    expect(worker.code).toBe(4);
    expect(worker.stderr).toMatch(/"level":"warn".*connection refused; is it running\?; trying again/);
    expect(worker.stderr).toMatch(/"event":"error","code":"unreachable".*\(tried for \d+ s\)/);
  });

  test("of something else is named as that", async () => {
    const server = createServer((_, response) => response.end("hello"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const { code, stderr } = await millrace(["jobs", "--master", address], { env: env() });
      expect(stderr).toMatch(new RegExp(`error: can't reach the master at ${address}: .*(HTTP/2|right port|reset)`));
      expect(code).toBe(4);
    } finally {
      server.close();
    }
  });
});

describe("versions", () => {
  /** A process whose Node says that it has other Unicode data. */
  function otherIcu(): Readonly<Record<string, string>> {
    writeFileSync(
      at("icu.cjs"),
      'Object.defineProperty(process, "versions", { value: { ...process.versions, icu: "1.2" } });\n',
    );
    return { NODE_OPTIONS: `--require ${at("icu.cjs")}` };
  }
  const todo = "use the same build of Node on all machines, because text matching and sorting depend on it";
  const icu = process.versions.icu;

  test("fault 30: a worker of another version is refused with both named, and does not stay", async () => {
    const words = ["worker", "--master", cluster.address, "--work-dir", at("old"), "--name", "old"];
    const { code, stderr } = await millrace(words, { env: { ...cluster.env, ...otherIcu() } });
    expect(stderr).toContain(
      `error: this worker old has Unicode data (ICU) 1.2, the master ${icu}: ${todo} [not-supported]\n`,
    );
    expect(code).toBe(4);
    expect((await cluster.ask(["workers"])).stdout.toString()).not.toContain("old");
  });

  test("fault 30: so is a command", async () => {
    const { code, stderr } = await cluster.ask(["jobs"], { env: otherIcu() });
    expect(stderr).toBe(`error: this command has Unicode data (ICU) 1.2, the master ${icu}: ${todo} [not-supported]\n`);
    expect(code).toBe(4);
  });
});

describe("a job", () => {
  test("whose bundle is too large is refused before it is sent", async () => {
    writeFileSync(at("large.json"), JSON.stringify("x".repeat(17 << 20)));
    writeFileSync(
      at("large.ts"),
      'import { defineJob, text } from "millrace";\nimport large from "./large.json";\nexport default defineJob({ name: "large", input: text(), reducers: 0, map: (line, emit) => emit(line + large.length), output: text() });\n',
    );
    const { code, stderr } = await cluster.ask(["run", at("large.ts"), at("in.txt"), "-o", at("out")]);
    expect(stderr).toMatch(
      // On a slow machine a line before it says that the file is still being loaded.
      /^(?:warning: still loading .*\n)?error: .*large\.ts and all that it imports make a bundle of 17\.0 MiB, and at most 16\.0 MiB are allowed: ship data as side files \(files: \{ name: PATH \}\) \[over-limit\]\n$/,
    );
    expect(code).toBe(1);
  });

  test("that loads machine code of this machine is refused by the name of what it loads, before it is sent", async () => {
    writeFileSync(at("fast.node"), "");
    writeFileSync(
      at("native.ts"),
      'import { defineJob, text } from "millrace";\nimport fast from "./fast.node";\nexport default defineJob({ name: "native", input: text(), reducers: 0, map: (line, emit) => emit(line + fast), output: text() });\n',
    );
    const { code, stderr } = await cluster.ask(["run", at("native.ts"), at("in.txt"), "-o", at("out")]);
    expect(stderr).toMatch(
      /^(?:warning: still loading .*\n)?error: \/.*native\.ts: the job loads native addons, which can't be shipped to the workers of a cluster: \/.*\/fast\.node .*Run it on one machine \(--master none\), or use a package in JavaScript or WebAssembly \[wrong-job\]\n$/,
    );
    expect(code).toBe(1);
  });

  test("needs an output, and takes no options of a run on this machine", async () => {
    const words = [...wordCount, at("in.txt")];
    expect((await cluster.ask(words)).stderr).toBe(
      "error: a cluster publishes into a folder that all its workers see: give one with -o DIR [wrong-usage]\n",
    );
    expect((await cluster.ask([...words, "-o", at("out"), "--slots", "2"])).stderr).toBe(
      "error: --slots is for a run on this machine, without --master: each worker has its own; --max-slots N limits what the job may use [wrong-usage]\n",
    );
    expect((await cluster.ask([...words, "-o", at("out"), "--resume"])).stderr).toBe(
      `error: --resume is for a run on this machine, without --master: a failed job is started again with  millrace retry JOB --master ${cluster.address} [wrong-usage]\n`,
    );
    const here = await millrace([...words, "-o", at("out"), "--detach"]);
    expect(here.stderr).toBe("error: --detach is for a cluster: give --master URL too [wrong-usage]\n");
    expect(here.code).toBe(2);
  });

  test("whose input nobody sees is refused by the master, after a warning from here", async () => {
    const { code, stderr } = await cluster.ask([...wordCount, at("missing.txt"), "-o", at("out")]);
    expect(stderr).toMatch(
      /^warning: there is nothing to read: .*missing\.txt.* That is how it looks here; the workers may see it\.\n/,
    );
    expect(stderr).toMatch(
      /\nerror: the master sees no file .*missing\.txt: inputs have to be where master and workers can read them, a shared directory for example \[no-input\]\n$/,
    );
    expect(code).toBe(3);
  });

  test("whose output is there already is refused", async () => {
    mkdirSync(at("taken"));
    writeFileSync(at("taken/mine.txt"), "mine");
    const { code, stderr } = await cluster.ask([...wordCount, at("in.txt"), "-o", at("taken")]);
    expect(stderr).toContain("exists and is not empty");
    expect(stderr).toContain("[output-exists]");
    expect(code).toBe(3);
    expect(readFileSync(at("taken/mine.txt"), "utf8")).toBe("mine");
  });

  test("that is not there is named", async () => {
    const { code, stderr } = await cluster.ask(["status", "beef"]);
    expect(stderr).toBe('error: no job has an id that begins with "beef": millrace jobs lists them [wrong-usage]\n');
    expect(code).toBe(2);
  });
});

/** Commands that see an empty folder in place of one; mounts need the rights of root. */
const mountsMissing = (() => {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "mounting needs root on Linux";
  const tried = spawnSync("unshare", ["-m", "sh", "-c", `mount -t tmpfs none ${tmpdir()}`]);
  return tried.status === 0 ? undefined : "mounting is not allowed here";
})();

describe.skipIf(mountsMissing !== undefined)(
  `a folder that workers don't share${mountsMissing === undefined ? "" : ` (${mountsMissing})`}`,
  () => {
    /** The address of a cluster whose one worker sees nothing in `hidden`. */
    async function blindWorker(hidden: string): Promise<TestCluster> {
      mkdirSync(hidden, { recursive: true });
      const other = await startCluster([]);
      await other.startWorker(
        "w7",
        [],
        ["unshare", "-m", "sh", "-c", `mount -t tmpfs none '${hidden}' && exec "$@"`, "sh"],
      );
      return other;
    }

    test("with the input in it: the job fails, and says which worker can't read what", async () => {
      const other = await blindWorker(at("unshared"));
      try {
        writeFileSync(at("unshared/in.txt"), "here only\n");
        const { code, stderr } = await other.ask([...wordCount, at("unshared/in.txt"), "-o", at("never")]);
        expect(code).toBe(3);
        expect(stderr).toMatch(/^failed word-count$/m);
        expect(stderr).toMatch(/there is no file .*unshared\/in\.txt.* \(as worker w7 \(on \S+\) sees it\)/);
      } finally {
        await other.close();
      }
    });

    test("with the output in it: so too, instead of a result that is lost there", async () => {
      const other = await blindWorker(at("unshared-output"));
      try {
        let said = "";
        const { code } = await other.ask([...wordCount, at("in.txt"), "-o", at("unshared-output/result")], {
          // It is tried some times, as whoever watches may mount the folder meanwhile.
          started: (child) =>
            child.stderr!.on("data", (chunk) => {
              const wasSaid = said.includes("is it a shared directory");
              said += chunk;
              if (!wasSaid && said.includes("is it a shared directory")) child.kill("SIGINT");
            }),
        });
        expect(code).toBe(130);
        expect(said).toMatch(
          /warning: plan-00000 is tried again: worker w7 \(on \S+\) can't see .*unshared-output\/result as the master does: is it a shared directory, mounted at this path on every machine\?/,
        );
      } finally {
        await other.close();
      }
    });
  },
);

describe("a master or worker", () => {
  const refusal = (host: string) =>
    `error: listening on ${host} lets other machines reach this process, and that is refused without TLS, because tokens and data would cross the network readably: give --tls-cert FILE and --tls-key FILE, or listen on 127.0.0.1 [wrong-usage]\n`;

  test("S4: does not listen beyond this machine without TLS", async () => {
    const { code, stderr } = await millrace(["master", "--state", at("open"), "--listen", "0.0.0.0:0"], {
      env: cluster.env,
    });
    expect(stderr).toBe(refusal("0.0.0.0"));
    expect(code).toBe(2);
    const words = ["worker", "--master", cluster.address, "--work-dir", at("open-work"), "--listen", "0.0.0.0:0"];
    const worker = await millrace(words, { env: cluster.env });
    expect(worker.stderr).toContain(refusal("0.0.0.0"));
    expect(worker.code).toBe(2);
  });

  test("takes certificate and key together", async () => {
    const { code, stderr } = await millrace(["master", "--state", at("half"), "--tls-cert", at("cert.pem")]);
    expect(stderr).toBe("error: --tls-cert and --tls-key belong together: give both, or none [wrong-usage]\n");
    expect(code).toBe(2);
  });

  test("leaves a state directory that another master has alone", async () => {
    const state = join(cluster.folder, "state");
    const { code, stderr } = await millrace(["master", "--state", state, "--listen", "127.0.0.1:0"], {
      env: cluster.env,
    });
    expect(stderr).toMatch(
      new RegExp(
        `^error: process ${cluster.master.child.pid} on \\S+, since \\S+, is the master of ${state} already: a state directory has one master\\. Stop that one first, or give --state another directory \\[state-busy\\]\\n$`,
      ),
    );
    expect(code).toBe(4);
    expect((await cluster.ask(["jobs"])).code).toBe(0);
  });

  test("leaves a work directory that another worker has alone", async () => {
    const words = ["worker", "--master", cluster.address, "--work-dir", join(cluster.folder, "w1")];
    const { code, stderr } = await millrace(words, { env: cluster.env });
    expect(stderr).toMatch(/\[state-busy\]\n$/);
    expect(code).toBe(4);
  });
});

test("Ctrl-C ends the wait for a master that does not answer", async () => {
  const { code, stderr } = await millrace(
    [...wordCount, at("in.txt"), "-o", at("out"), "--master", "http://127.0.0.1:1"],
    {
      env: { ...cluster.env, MILLRACE_TOKEN_FILE: join(cluster.folder, "state/tokens/admin") },
      started: (child) =>
        child.stderr!.on("data", (chunk: Buffer) => {
          if (chunk.includes("trying again")) child.kill("SIGINT");
        }),
    },
  );
  expect(stderr).toMatch(/trying again\ncancelled before the job was started\n$/);
  expect(code).toBe(130);
});
